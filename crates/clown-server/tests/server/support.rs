//! The server under test.

use clown_core::journal::Retention;
use clown_core::store::{Store, StoreError, StoreSettings};
use clown_core::{Core, CoreSettings, Seq, journal};
use clown_events::{Event, ProfileCreated, ProfileDeleted, Timestamp};
use clown_server::{Limits, Observer, Server, ServerSettings};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct TestServer {
    pub address: SocketAddr,
    pub core: Arc<Core>,
    pub store: Arc<Store>,
    pub observer: Observer,
    stop: Option<oneshot::Sender<Seq>>,
    served: Option<oneshot::Receiver<()>>,
    runtime: Option<Runtime>,
    pub folder: tempfile::TempDir,
}

impl TestServer {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut ServerSettings)) -> Self {
        Self::with_ring(StoreSettings::default().ring_bytes, change)
    }

    pub fn with_ring(ring_bytes: usize, change: impl FnOnce(&mut ServerSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store_settings = StoreSettings {
            ring_bytes,
            ..StoreSettings::default()
        };
        std::fs::create_dir_all(folder.path().join("config/profiles")).unwrap();
        let core = Core::open(CoreSettings {
            config_dir: folder.path().join("config"),
            state_dir: folder.path().join("state"),
            environment: vec![("PATH".into(), folder.path().join("bin").into())],
            keyring: false,
            store: store_settings,
            retention: Retention::default(),
            fetch: Arc::new(clown_core::fetch::Offline),
            launcher: Arc::new(clown_core::proxies::NoLauncher),
            first_proxy_port: 0,
            registry: clown_core::registry::RegistrySettings::default(),
            usage_sources: Vec::new(),
            usage_timezone: None,
            prices: Default::default(),
        });
        let core = Arc::new(core.unwrap());
        let store = Arc::clone(&core.store);
        let mut settings = ServerSettings::new("127.0.0.1:0".parse().unwrap());
        change(&mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime
            .block_on(Server::bind(settings, Arc::clone(&core)))
            .unwrap();
        let address = server.address();
        let observer = server.observer();
        let (stop, stopped) = oneshot::channel();
        let (done, served) = oneshot::channel();
        runtime.spawn(async move {
            server
                .serve(async move { stopped.await.unwrap_or(Seq::START) })
                .await;
            done.send(()).ok();
        });
        Self {
            address,
            core,
            store,
            observer,
            stop: Some(stop),
            served: Some(served),
            runtime: Some(runtime),
            folder,
        }
    }

    /// Commits `events` together and gives the number of the last one.
    pub fn publish(&self, events: Vec<Event>) -> Seq {
        self.store
            .commit(move |tx| {
                for event in events {
                    tx.publish(event);
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
        self.store.head()
    }

    /// Trims the journal up to and with `seq`, as retention does.
    pub fn trim(&self, seq: Seq) {
        let number = i64::try_from(seq.0).unwrap();
        self.store
            .commit(move |tx| {
                tx.execute("DELETE FROM journal WHERE seq <= ?1", [number]).map_err(StoreError::from)?;
                tx.execute(
                    "INSERT INTO meta (key, value) VALUES ('trimmed_to', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1",
                    [number],
                )
                .map_err(StoreError::from)?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    /// All that the journal holds, as a client with `since` gets it.
    pub fn journal(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut after = Seq::START;
        while let Some(segment) = journal::page(&self.store, after, 1_000, 1 << 20)
            .unwrap()
            .segment
        {
            after = segment.last();
            let slice = clown_core::bus::Slice::whole(Arc::new(segment));
            for index in 0..slice.entries().len() {
                lines.push(String::from_utf8(slice.json(index, true).to_vec()).unwrap());
            }
        }
        lines
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(work)
    }

    /// Stops the server after the last event, and waits until it has.
    pub fn stop(&mut self) {
        self.begin_stop();
        let served = self.served.take().unwrap();
        let runtime = self.runtime.as_ref().unwrap();
        let stopped = runtime.block_on(async { tokio::time::timeout(PATIENCE, served).await });
        stopped
            .expect("the server stops in time")
            .expect("the server stops well");
    }

    pub fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(self.store.head()).unwrap();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub fn deleted(alias: impl Into<String>) -> Event {
    ProfileDeleted::new(alias).into()
}

pub fn created(alias: &str) -> Event {
    ProfileCreated::new(alias, "claude", "anthropic", "claude-sonnet-4").into()
}

/// Waits until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The time in a frame, which a test cannot know, replaced by a fixed one.
pub fn at_fixed_time(frame: &str) -> String {
    let (head, rest) = frame
        .split_once("\"timestamp\":\"")
        .expect("a frame has a time");
    let (time, tail) = rest.split_once('"').expect("the time ends");
    time.parse::<Timestamp>().expect("the time is one");
    format!("{head}\"timestamp\":\"T\"{tail}")
}

pub fn quick(limits: &mut Limits) {
    limits.close_within = Duration::from_millis(300);
}
