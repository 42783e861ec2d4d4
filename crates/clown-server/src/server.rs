use crate::access::{Access, AccessError};
use crate::activity::Activity;
use crate::connection;
use crate::health::Health;
use crate::http::{Api, Identity};
use crate::settings::ServerSettings;
use crate::stream::{Stop, Streams};
use clown_core::{Core, Seq};
use clown_events::{ShutdownReason, Timestamp};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

/// A server that is bound to its address, and serves once [`Server::serve`] is called.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    api: Arc<Api>,
}

/// A server could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A configured host or origin is none.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Tells about a server.
#[derive(Debug, Clone)]
pub struct Observer(Arc<Api>);

impl Observer {
    /// Since when there has been no request and no client that wants the daemon to stay; `None`
    /// while there is one.
    pub fn idle_since(&self) -> Option<Instant> {
        self.0.activity.idle_since()
    }

    /// Waits until a client wishes the daemon to stop.
    pub async fn shutdown_requested(&self) -> ShutdownReason {
        let mut wishes = self.0.shutdown.subscribe();
        match wishes.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(reason)) => reason.clone(),
            // The sender lives as long as this observer.
            _ => std::future::pending().await,
        }
    }
}

impl Server {
    /// Listens on the address of `settings`. What connects waits until [`Server::serve`].
    pub async fn bind(settings: ServerSettings, core: Arc<Core>) -> Result<Self, BindError> {
        let access = Access::new(&settings.hosts, &settings.origins, settings.token)?;
        if !settings.listen.ip().is_loopback() {
            tracing::warn!(
                address = %settings.listen,
                "other machines can connect: they need the token, and must use a name of [access] hosts; nothing is encrypted"
            );
        }
        let failed = |source| BindError::Listen {
            address: settings.listen,
            source,
        };
        let listener = listen(settings.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let limits = Arc::new(settings.limits);
        let activity = Arc::new(Activity::new());
        let streams = Arc::new(Streams::new(
            Arc::clone(&core.store),
            Arc::clone(&limits),
            Arc::clone(&activity),
        ));
        let api = Api {
            health: Health::new(Arc::clone(&core.store)),
            core,
            identity: Identity {
                address,
                started_at: Timestamp::now(),
            },
            shutdown: watch::Sender::new(None),
            streams,
            access,
            activity,
            others: Arc::new(Semaphore::new(limits.requests.div_ceil(2))),
            limits,
        };
        Ok(Self {
            listener,
            api: Arc::new(api),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.api.identity.address
    }

    /// When it was bound.
    pub fn started_at(&self) -> Timestamp {
        self.api.identity.started_at
    }

    /// Tells about the server while it serves.
    pub fn observer(&self) -> Observer {
        Observer(Arc::clone(&self.api))
    }

    /// Serves until `stop` gives the number of the last event. Then every stream gets all events
    /// up to that one and is closed (1001), requests in work are finished, and this returns; all
    /// of it within a few seconds.
    pub async fn serve(self, stop: impl Future<Output = Seq>) {
        let (closing, closed) = watch::channel(false);
        let slots = Arc::new(Semaphore::new(self.api.limits.requests));
        let last = tokio::select! {
            last = stop => last,
            never = self.accept(&slots, &closed) => match never {},
        };
        let until = Instant::now() + self.api.limits.stop_within;
        // From here on nobody can connect.
        drop(self.listener);
        closing.send_replace(true);
        let all = u32::try_from(self.api.limits.requests).unwrap_or(u32::MAX);
        let requests = tokio::time::timeout_at(until, slots.acquire_many(all));
        let ((), requests) = tokio::join!(self.api.streams.stop(Stop { last, until }), requests);
        if requests.is_err() {
            tracing::warn!("some requests were not done in time");
        }
    }

    async fn accept(&self, slots: &Arc<Semaphore>, closed: &watch::Receiver<bool>) -> Infallible {
        loop {
            // A client that finds no slot waits in the kernel's queue.
            let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
                std::future::pending().await
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let api = Arc::clone(&self.api);
                    let closed = closed.clone();
                    tokio::spawn(connection::serve(stream, api, slot, closed));
                }
                Err(error) => {
                    // Out of file descriptors, or a client that left at once. The pause is so that
                    // the former does not keep a processor busy.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// How many connections wait in the kernel until they are accepted. More than streams may be
/// open: all clients come back at once when a daemon is back.
const BACKLOG: u32 = 4_096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // What an earlier daemon has closed must not keep this one from the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
