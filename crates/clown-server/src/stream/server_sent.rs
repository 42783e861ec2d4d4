//! Server-Sent Events: the stream for clients that have HTTP and no WebSocket.

use super::Stop;
use super::feed::{Fault, Feed, Refill};
use super::form;
use super::outbox::Outbox;
use crate::activity::Hold;
use bytes::Bytes;
use hyper::body::Frame;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The body of an answer that goes on until the client leaves or the daemon stops. It holds a
/// cursor and no queue: what follows is looked up when the connection can take more.
pub(crate) struct EventBody {
    /// `None` behind the end.
    next: Option<Next>,
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Follower)>> + Send>>;

/// What follows the cursor, piece by piece.
pub(super) struct Follower {
    feed: Feed,
    outbox: Outbox,
    stop: watch::Receiver<Option<Stop>>,
    /// After so long without an event a comment is sent.
    quiet: Duration,
    _hold: Option<Hold>,
}

impl EventBody {
    pub(super) fn new(follower: Follower) -> Self {
        let start = follower.start();
        Self {
            next: Some(Box::pin(async move { Some((start, follower)) })),
        }
    }
}

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        match ready!(next.as_mut().poll(context)) {
            Some((bytes, follower)) => {
                self.next = Some(Box::pin(follower.next()));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            None => {
                self.next = None;
                Poll::Ready(None)
            }
        }
    }
}

impl Follower {
    pub(super) fn new(
        feed: Feed,
        stop: watch::Receiver<Option<Stop>>,
        quiet: Duration,
        hold: Option<Hold>,
    ) -> Self {
        Self {
            feed,
            outbox: Outbox::default(),
            stop,
            quiet,
            _hold: hold,
        }
    }

    /// Goes out at once, so that the client sees that it is connected, and has a place from which
    /// it resumes even if nothing happens before it loses the connection.
    fn start(&self) -> Bytes {
        let mut text = b"retry: 1000\n".to_vec();
        // Until a gap is told: whoever comes back before that must be told of it then.
        let place = self.feed.gap_after().unwrap_or(self.feed.place());
        text.extend_from_slice(&form::place(place));
        text.into()
    }

    /// The next piece; `None` at the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let comment_at = Instant::now() + self.quiet;
        loop {
            if let Some(bytes) = self.outbox.pop() {
                return Some((bytes, self));
            }
            if let Some(stop) = *self.stop.borrow_and_update() {
                self.feed.end_after(stop.last);
            }
            let now = Instant::now();
            let refill = self.feed.refill(&mut self.outbox, now);
            if !self.outbox.wants_events() {
                continue;
            }
            match refill {
                Refill::Ended => return None,
                // Nothing of it was for this client; others get their turn.
                Refill::Moved => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Refill::CaughtUp | Refill::Reading => {}
            }
            if comment_at <= now {
                return Some((Bytes::from_static(b":\n\n"), self));
            }
            let deadline = self
                .feed
                .deadline()
                .map_or(comment_at, |due| due.min(comment_at));
            tokio::select! {
                fetched = self.feed.ready() => match fetched {
                    Some(Ok(page)) => self.feed.accept(page, &mut self.outbox),
                    Some(Err(fault)) => {
                        tell(&fault);
                        return None;
                    }
                    None => {}
                },
                // The sender is gone only when the server is, which ends this body too.
                _ = self.stop.changed() => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }
}

fn tell(fault: &Fault) {
    match fault {
        Fault::Store(error) => {
            tracing::error!(error = error as &dyn Error, "cannot read the journal");
        }
        // Cannot be: this client keeps its place, so that it is told of a gap.
        Fault::Lost => tracing::error!("a stream has lost its place"),
        Fault::Cancelled => {}
    }
}

impl fmt::Debug for EventBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EventBody").finish_non_exhaustive()
    }
}
