//! How the daemon reaches other machines: HTTP/1.1 and TLS behind [`clown_core::fetch::Fetch`].
//!
//! It knows nothing of what is fetched. It stores nothing, sends no header of its own but
//! `user-agent`, and keeps connections open for half a minute, since who asks for one small file
//! mostly asks for hundreds. Nothing is started before the first request.

mod address;
mod exchange;
mod failure;

pub use clown_connect::ProxySettings;

use clown_core::fetch::{Fetch, FetchError, FetchFailure, FetchRequest, FetchResponse};
use exchange::Client;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, mpsc};
use tokio::runtime::Runtime;

/// How the network is reached.
#[derive(Clone, Default)]
pub struct FetcherSettings {
    /// PEM files with authorities that are trusted beside the system's.
    pub authorities: Vec<PathBuf>,
    /// Proxies on the way.
    pub proxies: ProxySettings,
}

/// Fetches over the network. Share one: the connections are its own.
pub struct Fetcher {
    settings: FetcherSettings,
    engine: Mutex<Option<Engine>>,
}

/// What the first request starts.
struct Engine {
    runtime: Runtime,
    client: Client,
}

impl Fetcher {
    /// Starts and opens nothing yet.
    pub fn new(settings: FetcherSettings) -> Self {
        Self {
            settings,
            engine: Mutex::default(),
        }
    }

    /// The client, and a handle to what runs it.
    fn engine(&self) -> Result<(tokio::runtime::Handle, Client), String> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = match &mut *engine {
            Some(engine) => engine,
            none => none.insert(Engine::start(&self.settings)?),
        };
        Ok((engine.runtime.handle().clone(), engine.client.clone()))
    }
}

impl Engine {
    fn start(settings: &FetcherSettings) -> Result<Self, String> {
        let client = Client::new(
            clown_connect::client_config(&settings.authorities)?,
            clown_connect::proxies(&settings.proxies),
        );
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            // Each looks up one name at a time, and may hang for as long as the system likes.
            .max_blocking_threads(16)
            .thread_name("clown-fetch")
            .enable_all()
            .build()
            .map_err(|error| format!("a thread for the network cannot be started ({error})"))?;
        Ok(Self { runtime, client })
    }
}

impl Fetch for Fetcher {
    fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        let address = address::Address::parse(&request.url)?;
        let host = address.host();
        let not_ready = |reason| FetchError::new(host.clone(), FetchFailure::NotReady { reason });
        let (runtime, client) = self.engine().map_err(not_ready)?;
        let request = request.clone();
        let (tell, told) = mpsc::sync_channel(1);
        // On its own threads, so that the caller may be a thread of any other runtime.
        runtime.spawn(async move {
            // Nobody waits any more only where the daemon ends.
            let _ = tell.send(client.exchange(address, request).await);
        });
        told.recv()
            .unwrap_or_else(|_| Err(not_ready("the daemon is stopping".to_owned())))
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        let engine = self.engine.get_mut();
        if let Some(engine) = engine.unwrap_or_else(PoisonError::into_inner).take() {
            // The last owner may be a task, which must not wait.
            engine.runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Fetcher")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FetcherSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FetcherSettings")
            .field("authorities", &self.authorities)
            .field("proxies", &self.proxies)
            .finish()
    }
}
