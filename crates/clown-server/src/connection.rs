//! One TCP connection: requests, until it ends or becomes an event stream.

use crate::http::Api;
use crate::patient::Patient;
use crate::peer::Peer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// The connection as those see it who answer its requests.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    slots: Mutex<Vec<OwnedSemaphorePermit>>,
}

impl Caller {
    /// Counts the connection against this limit until its end, and no longer against those for requests.
    pub(crate) fn move_to(&self, slot: OwnedSemaphorePermit) {
        *self.slots.lock().unwrap_or_else(PoisonError::into_inner) = vec![slot];
    }
}

/// The most bytes of a request's head, and of its body at a time.
const HTTP_BUFFER: usize = 32 << 10;

/// Answers requests until the connection ends or becomes an event stream. `slot` is its place among
/// the requests.
pub(crate) async fn serve(
    stream: TcpStream,
    api: Arc<Api>,
    slot: OwnedSemaphorePermit,
    mut closed: watch::Receiver<bool>,
) {
    // Frames are small and wanted now.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off the delay of small packets");
    }
    let limits = Arc::clone(&api.limits);
    let peer = Peer::of(&stream);
    // Else who has no token could keep out who needs none.
    let mut slots = vec![slot];
    if peer != Peer::Own {
        match Arc::clone(&api.others).try_acquire_owned() {
            Ok(slot) => slots.push(slot),
            Err(_) => return,
        }
    }
    let caller = Arc::new(Caller {
        peer,
        slots: Mutex::new(slots),
    });
    let service = service_fn(move |request| {
        let (api, caller) = (Arc::clone(&api), Arc::clone(&caller));
        async move { Ok::<_, Infallible>(api.answer(request, &caller).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request_timeout)
        .max_buf_size(HTTP_BUFFER)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.stall)), service)
        .with_upgrades();
    let mut connection = Box::pin(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = until(&mut closed) => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.stop_within, connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    tracing::debug!("a connection did not end in time");
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn until(closed: &mut watch::Receiver<bool>) {
    // The sender is gone only when the server is, which is closed as well.
    let _ = closed.wait_for(|closed| *closed).await;
}
