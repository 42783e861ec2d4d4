//! Requests, answers and streams from one format to another.
//!
//! Between the formats stand a model of a request and a list of what happens in an answer. Each format
//! has a reader and a writer of both, so that no pair of formats knows another.

mod context;
mod happening;
mod order;
mod read;
mod request;
mod stream;
mod write;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use happening::Stop;
pub use request::{Dialect, Replay, RequestError, Translated, request};
pub use stream::{Outcome, Stream};

use crate::failure::Failure;
use crate::format::Format;
use crate::sse::Splitter;
use context::Context;
use happening::{Happening, Sink};
use order::Order;
use read::Reader;
pub(crate) use read::{chat_stop, messages_stop, responses_stop};
use write::Answer;

/// The way back of one translated request. It can be used more than once, for retries.
#[derive(Debug, Clone)]
pub struct Reply {
    caller: Format,
    upstream: Format,
    context: Arc<Context>,
}

/// An answer in one body, in the caller's format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The body, JSON.
    pub body: Vec<u8>,
    /// What is to be metered.
    pub outcome: Outcome,
}

/// An upstream answered with a good status, and the answer is an error or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct AnswerError {
    /// What to tell the caller: [`Failure::status`] and [`Failure::body`].
    pub failure: Failure,
    /// What is to be metered all the same.
    pub outcome: Outcome,
}

impl Reply {
    /// The caller's format.
    pub fn caller(&self) -> Format {
        self.caller
    }

    /// The upstream's format.
    pub fn upstream(&self) -> Format {
        self.upstream
    }

    /// A stream for the caller. `created` is the time in seconds since 1970.
    pub fn stream(&self, created: u64) -> Stream {
        Stream::new(
            self.caller,
            self.upstream,
            Arc::clone(&self.context),
            created,
        )
    }

    /// Translates an answer for a caller that asked for one body. An upstream that streamed anyway is
    /// read all the same.
    pub fn whole(&self, body: &[u8], created: u64) -> Result<Whole, Box<AnswerError>> {
        let model = self.context.model.clone();
        let mut order = Order::new(Answer::default(), model, self.context.minted.clone());
        let mut reader = Reader::new(self.upstream);
        let start = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        if matches!(start.trim_ascii_start().first(), Some(b'{' | b'[')) {
            reader.whole(start, &mut order);
        } else {
            read_events(body, &mut reader, &mut order);
        }
        order.close();
        let outcome = Outcome::of(&order);
        match order.writer.write(self.caller, &self.context, created) {
            Ok(body) => Ok(Whole { body, outcome }),
            Err(failure) => Err(Box::new(AnswerError { failure, outcome })),
        }
    }

    /// Reads an answer with an error status. Tell the caller [`Failure::status`] and
    /// [`Failure::body`] in [`Self::caller`]'s format, and keep the upstream's `Retry-After` header.
    pub fn failure(&self, status: u16, body: &[u8]) -> Failure {
        Failure::read(status, body)
    }
}

fn read_events(body: &[u8], reader: &mut Reader, order: &mut Order<Answer>) {
    let mut splitter = Splitter::default();
    splitter.push(bytes::Bytes::copy_from_slice(body));
    loop {
        match splitter.finish() {
            Ok(Some(event)) => reader.event(&event.data, order),
            Ok(None) => return,
            Err(error) => order.take(Happening::Failed(stream::too_large(&error))),
        }
        if order.is_over() {
            return;
        }
    }
}

/// An answer's id in the caller's way, for an upstream that gives none.
fn minted_for(caller: Format) -> String {
    mint(match caller {
        Format::Messages => "msg_",
        Format::Chat => "chatcmpl-",
        Format::Responses => "resp_",
    })
}

/// An id of our own, where a format wants one and the upstream gave none. It is not repeated in other
/// answers of one conversation, or an agent's history would hold one id twice.
fn mint(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(count);
    let random = hasher.finish();
    format!("{prefix}{random:016x}{count:08x}")
}

#[cfg(test)]
mod tests;
