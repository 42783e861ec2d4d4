//! The daemon's own parts, composed as `clownd` composes them, with a way to publish many events.

use super::{published, ready};
use crate::{clock, event};
use anyhow::Context as _;
use clown_core::journal::Retention;
use clown_core::store::{Durability, Store, StoreError, StoreSettings};
use clown_core::{Core, CoreSettings};
use clown_events::Event;
use clown_server::{Server, ServerSettings};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) fn serve(state_dir: PathBuf, power: bool, batch: u64) -> anyhow::Result<()> {
    // As many threads as the daemon has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .enable_all()
        .build()?;
    let core = Arc::new(Core::open(CoreSettings {
        config_dir: state_dir.join("config"),
        state_dir,
        environment: Vec::new(),
        keyring: false,
        store: StoreSettings {
            durability: match power {
                true => Durability::Power,
                false => Durability::Process,
            },
            ..StoreSettings::default()
        },
        retention: Retention::default(),
        fetch: Arc::new(clown_core::fetch::Offline),
        launcher: Arc::new(clown_core::proxies::NoLauncher),
        first_proxy_port: 0,
        registry: clown_core::registry::RegistrySettings::default(),
        usage_sources: Vec::new(),
        usage_timezone: None,
        prices: Default::default(),
    })?);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = ServerSettings::new(listen);
    let server = runtime.block_on(Server::bind(settings, Arc::clone(&core)))?;
    let address = server.address();
    runtime.spawn(server.serve(std::future::pending()));
    ready(address)?;
    let mut next = 0;
    for order in io::stdin().lines() {
        obey(&core.store, &order?, &mut next, batch)?;
    }
    Ok(())
}

/// `publish COUNT`, or `commit COUNT BATCH THREADS`.
fn obey(store: &Arc<Store>, order: &str, next: &mut u64, batch: u64) -> anyhow::Result<()> {
    let mut words = order.split(' ');
    let command = words.next().unwrap_or_default();
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
    let count = number().context("how many?")?;
    let (batch, threads) = match command {
        "publish" => (batch, 1),
        _ => (
            number().context("how many at once?")?,
            number().unwrap_or(1),
        ),
    };
    let share = count / threads;
    let shares: Vec<Vec<Vec<Event>>> = (0..threads)
        .map(|thread| batches(*next + thread * share, share, batch))
        .collect();
    *next += share * threads;
    let began = clock::now();
    if threads == 1 {
        shares
            .into_iter()
            .flatten()
            .try_for_each(|events| commit(store, events))?;
    } else {
        let work = |share: Vec<Vec<Event>>| {
            let store = Arc::clone(store);
            std::thread::spawn(move || {
                share
                    .into_iter()
                    .try_for_each(|events| commit(&store, events))
            })
        };
        let threads: Vec<_> = shares.into_iter().map(work).collect();
        for thread in threads {
            thread.join().map_err(|_| StoreError::Closed)??;
        }
    }
    Ok(published(began, clock::now())?)
}

fn batches(first: u64, count: u64, batch: u64) -> Vec<Vec<Event>> {
    let events: Vec<u64> = (first..first + count).collect();
    let size = usize::try_from(batch.max(1)).unwrap_or(usize::MAX);
    events
        .chunks(size)
        .map(|numbers| numbers.iter().map(|number| event::event(*number)).collect())
        .collect()
}

fn commit(store: &Store, events: Vec<Event>) -> Result<(), StoreError> {
    store.commit(move |tx| {
        for event in events {
            tx.publish(event);
        }
        Ok(())
    })
}
