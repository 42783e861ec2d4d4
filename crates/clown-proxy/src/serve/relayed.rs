//! The body of an answer that is passed on, piece by piece as it comes, and read along.

use super::answer;
use super::entry::Entry;
use crate::config::Format;
use crate::metering::{End, Meter};
use crate::spool::Fault;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// Dropping it cancels the upstream, and counts what was used so far.
pub(super) struct Relayed {
    upstream: Incoming,
    meter: Box<dyn Meter>,
    entry: Entry,
    format: Format,
    /// A stream of events, which can end in an error event.
    is_stream: bool,
    /// The status was one of success, so that the end of a stream says whether it was one.
    is_success: bool,
    silence: Pin<Box<Sleep>>,
    limit: Duration,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Open,
    /// What is left to send is an error event.
    Tail(Bytes),
    Ended,
}

/// The upstream broke off.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the upstream broke off")
    }
}

impl Error for Cut {}

impl Relayed {
    pub(super) fn new(
        upstream: Incoming,
        meter: Box<dyn Meter>,
        entry: Entry,
        (format, is_stream, is_success): (Format, bool, bool),
        limit: Duration,
    ) -> Self {
        let mut relayed = Self {
            upstream,
            meter,
            entry,
            format,
            is_stream,
            is_success,
            silence: Box::pin(sleep(limit)),
            limit,
            state: State::Open,
        };
        relayed.look_for_end();
        relayed
    }

    /// Ends with the upstream. Nobody asks for what follows the last byte of a known length.
    fn look_for_end(&mut self) {
        if self.upstream.is_end_stream() {
            self.end_with_upstream();
        }
    }

    fn end_with_upstream(&mut self) {
        // Ended as HTTP has it, and not as its format has it.
        if self.end(None) == Some(Fault::UpstreamCut) {
            let message = "the upstream ended before its answer did";
            self.state = State::Tail(answer::error_event(self.format, message));
        }
    }

    /// It is over; what went wrong is for the record. Gives the fault, where there is one.
    fn end(&mut self, fault: Option<Fault>) -> Option<Fault> {
        self.state = State::Ended;
        let reading = self.meter.finish();
        let by_content = match reading.end {
            End::Failed => Some(Fault::UpstreamError),
            End::Missing if self.is_stream && self.is_success => Some(Fault::UpstreamCut),
            End::Missing | End::Complete => None,
        };
        let by_status = (!self.is_success).then_some(Fault::UpstreamError);
        let fault = fault.or(by_status).or(by_content);
        self.entry.read(reading);
        self.entry.finish(fault);
        fault
    }

    fn take_tail(&mut self) -> Option<Result<Frame<Bytes>, Cut>> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Tail(event) => Some(Ok(Frame::data(event))),
            State::Open | State::Ended => None,
        }
    }

    /// The last frame of an answer that broke off.
    fn broken(&mut self, fault: Fault, message: &str) -> Option<Result<Frame<Bytes>, Cut>> {
        let has_length = self.upstream.size_hint().exact().is_some();
        self.end(Some(fault));
        // What has no events, or a length that is promised, can only be seen to be incomplete.
        if self.is_stream && self.is_success && !has_length {
            Some(Ok(Frame::data(answer::error_event(self.format, message))))
        } else {
            Some(Err(Cut))
        }
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.state != State::Open {
            return Poll::Ready(self.take_tail());
        }
        let Poll::Ready(frame) = Pin::new(&mut self.upstream).poll_frame(context) else {
            ready!(self.silence.as_mut().poll(context));
            let seconds = self.limit.as_secs();
            let message = format!("the upstream has sent nothing for {seconds} s");
            return Poll::Ready(self.broken(Fault::UpstreamTimeout, &message));
        };
        match frame {
            Some(Ok(frame)) => {
                let deadline = Instant::now() + self.limit;
                self.silence.as_mut().reset(deadline);
                if let Some(data) = frame.data_ref() {
                    self.entry.first_byte();
                    self.meter.feed(data);
                }
                self.look_for_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                tracing::debug!("an upstream broke off: {error}");
                let message = "the upstream broke off in the middle of its answer";
                Poll::Ready(self.broken(Fault::UpstreamCut, message))
            }
            None => {
                self.end_with_upstream();
                Poll::Ready(self.take_tail())
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended
    }

    fn size_hint(&self) -> SizeHint {
        // A stream may get an error event at its end.
        match self.is_stream {
            true => SizeHint::default(),
            false => self.upstream.size_hint(),
        }
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        if self.state == State::Open {
            let reading = self.meter.finish();
            self.entry.read(reading);
            // Its own drop says that the agent has left.
        }
    }
}

impl fmt::Debug for Relayed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Relayed")
            .field("format", &self.format)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
