//! The side that agents see: HTTP on a loopback port.

mod answer;
mod attempts;
mod credential;
mod entry;
mod failure;
mod outgoing;
mod relay;
mod relayed;
mod route;
mod targets;
mod translated;
mod trouble;

use crate::breaker::Breakers;
use crate::config::Configuration;
use crate::pool::Pool;
use crate::spool::Spool;
use crate::upstream::Client;
use bytes::Bytes;
use clown_routes::Checked;
use http_body_util::{Either, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use relayed::Relayed;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use translated::Translated;
use trouble::Trouble;

pub use trouble::{Health, TargetHealth};

type Body = Either<Full<Bytes>, Either<Relayed, Box<Translated>>>;

/// How much of a request's head is taken.
const MAX_HEAD: usize = 64 << 10;

/// What is served, and what it works by. Clones are the same.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    spool: Arc<Spool>,
    active: RwLock<Arc<Active>>,
    breakers: Breakers,
    pool: Pool,
    trouble: Trouble,
}

/// A configuration with the connections that it asks for. A request keeps the one that it began with.
struct Active {
    configuration: Configuration,
    rules: Checked,
    client: Client,
    /// Where the person is; None is UTC.
    zone: Option<tz::TimeZone>,
}

impl Active {
    fn new(configuration: Configuration, client: Client) -> Result<Self, String> {
        let has_provider =
            |id: &str| id == configuration.provider || configuration.others.contains_key(id);
        let rules = configuration.rules.check(has_provider);
        Ok(Self {
            rules: rules.map_err(|error| error.to_string())?,
            client,
            zone: tz::TimeZone::local().ok(),
            configuration,
        })
    }
}

impl Shared {
    fn active(&self) -> Arc<Active> {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    /// Works by `configuration`, and meters into `spool`. `Err` says what cannot be used.
    pub fn new(configuration: Configuration, spool: Spool) -> Result<Self, String> {
        let client = Client::new(&configuration.network, &configuration.limits)?;
        let active = Active::new(configuration, client)?;
        Ok(Self {
            shared: Arc::new(Shared {
                spool: Arc::new(spool),
                active: RwLock::new(Arc::new(active)),
                breakers: Breakers::default(),
                pool: Pool::default(),
                trouble: Trouble::default(),
            }),
        })
    }

    /// Works by another configuration from the next request on.
    pub fn apply(&self, configuration: Configuration) -> Result<(), String> {
        let now = self.shared.active();
        let same_way = now.configuration.network == configuration.network
            && now.configuration.limits == configuration.limits;
        let client = match same_way {
            true => now.client.clone(),
            false => Client::new(&configuration.network, &configuration.limits)?,
        };
        let active = Active::new(configuration, client)?;
        let mut place = self
            .shared
            .active
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(active);
        Ok(())
    }

    /// How the targets stand that have failed, and why none can answer, if that is so.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// What it works by.
    pub fn configuration(&self) -> Configuration {
        self.shared.active().configuration.clone()
    }

    /// Serves until `stop` says so; then takes nothing new, and gives what is open the time that the
    /// limits allow. True if all of it came to its end.
    pub async fn serve(&self, listener: TcpListener, mut stop: watch::Receiver<bool>) -> bool {
        let limits = self.shared.active().configuration.limits;
        let places = Arc::new(Semaphore::new(limits.connections));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("a connection cannot be accepted: {error}");
                    // Without a file for it, the next one fails as well until another ends.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let place = Arc::clone(&places).try_acquire_owned();
            let (true, Ok(place)) = (peer.ip().is_loopback(), place) else {
                continue;
            };
            let (shared, stop) = (Arc::clone(&self.shared), stop.clone());
            connections.spawn(async move {
                connection(shared, stream, stop).await;
                drop(place);
            });
        }
        drop(listener);
        let drain = self.shared.active().configuration.limits.drain;
        let all = async { while connections.join_next().await.is_some() {} };
        let came_to_its_end = tokio::time::timeout(drain, all).await.is_ok();
        // What is left is dropped here, and counts as left by its agent.
        connections.shutdown().await;
        came_to_its_end
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    // What comes in goes out at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(relay::answer(shared, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Agents keep connections over long pauses; their number is bounded.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = Box::pin(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stopped(&mut stop) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended badly: {error}");
    }
}

/// Returns when `stop` says so, or nobody can say it any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Listens on a port of this machine alone; 0 is any free one.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Service")
            .field("configuration", &self.shared.active().configuration)
            .finish_non_exhaustive()
    }
}
