//! The body of a stream that is translated, event by event as it comes.

use super::entry::Entry;
use super::relayed::Cut;
use crate::failure::{Failure, FailureKind};
use crate::metering::Reading;
use crate::spool::Fault;
use crate::translate::Stream;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// How often an agent is told that its stream is alive, while a model thinks.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Dropping it cancels the upstream, and counts what was used so far.
pub(super) struct Translated {
    upstream: Incoming,
    stream: Box<Stream>,
    entry: Entry,
    /// What is to go out before anything else.
    first: Bytes,
    silence: Pin<Box<Sleep>>,
    keep_alive: Pin<Box<Sleep>>,
    keep_alive_bytes: &'static [u8],
    limit: Duration,
    is_ended: bool,
}

impl Translated {
    pub fn new(
        upstream: Incoming,
        stream: Box<Stream>,
        first: Bytes,
        entry: Entry,
        keep_alive_bytes: &'static [u8],
        limit: Duration,
    ) -> Self {
        let mut translated = Self {
            upstream,
            stream,
            entry,
            first,
            silence: Box::pin(sleep(limit)),
            keep_alive: Box::pin(sleep(KEEP_ALIVE)),
            keep_alive_bytes,
            limit,
            is_ended: false,
        };
        translated.entry.first_byte();
        translated.look_for_end();
        translated
    }

    fn look_for_end(&mut self) {
        if self.stream.is_over() && !self.is_ended {
            self.is_ended = true;
            let outcome = self.stream.outcome();
            let fault = match (&outcome.failure, &outcome.stop) {
                (Some(failure), _) if failure.kind == FailureKind::Timeout => {
                    Some(Fault::UpstreamTimeout)
                }
                (Some(_), _) => Some(Fault::UpstreamError),
                (None, None) => Some(Fault::UpstreamCut),
                (None, Some(_)) => None,
            };
            self.entry.read(Reading::of(&outcome));
            self.entry.finish(fault);
        }
    }

    /// Gives these bytes, unless there are none.
    fn given(&mut self, bytes: Bytes) -> Option<Frame<Bytes>> {
        self.look_for_end();
        if bytes.is_empty() {
            return None;
        }
        let next = Instant::now() + KEEP_ALIVE;
        self.keep_alive.as_mut().reset(next);
        Some(Frame::data(bytes))
    }
}

impl Body for Translated {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let first = std::mem::take(&mut self.first);
        if let Some(frame) = self.given(first) {
            return Poll::Ready(Some(Ok(frame)));
        }
        loop {
            if self.is_ended {
                return Poll::Ready(None);
            }
            let bytes = match Pin::new(&mut self.upstream).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let deadline = Instant::now() + self.limit;
                    self.silence.as_mut().reset(deadline);
                    match frame.into_data() {
                        Ok(data) => self.stream.feed(data),
                        Err(_) => Bytes::new(),
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!("an upstream broke off: {error}");
                    let message = "The upstream broke off in the middle of its answer.";
                    let failure = Failure::new(FailureKind::Api, message);
                    self.stream.broken(failure)
                }
                Poll::Ready(None) => {
                    // It is over after that, whatever it was.
                    let last = self.stream.finish();
                    debug_assert!(self.stream.is_over(), "a finished stream is over");
                    last
                }
                Poll::Pending => {
                    if self.silence.as_mut().poll(context).is_ready() {
                        let seconds = self.limit.as_secs();
                        let message = format!("The upstream has sent nothing for {seconds} s.");
                        self.stream
                            .broken(Failure::new(FailureKind::Timeout, message))
                    } else if self.keep_alive.as_mut().poll(context).is_ready() {
                        Bytes::from_static(self.keep_alive_bytes)
                    } else {
                        return Poll::Pending;
                    }
                }
            };
            if let Some(frame) = self.given(bytes) {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended && self.first.is_empty()
    }
}

impl Drop for Translated {
    fn drop(&mut self) {
        if !self.is_ended {
            self.entry.read(Reading::of(&self.stream.outcome()));
            // Its own drop says that the agent has left.
        }
    }
}
