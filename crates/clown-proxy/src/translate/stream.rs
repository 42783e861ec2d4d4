//! One stream on its way from an upstream to a caller.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;

use super::context::Context;
use super::happening::{Happening, Sink, Stop};
use super::order::Order;
use super::read::Reader;
use super::write::Writer;
use crate::failure::{Failure, FailureKind};
use crate::format::Format;
use crate::sse::{EVENT_LIMIT, EventTooLarge, Splitter};
use crate::usage::Usage;

/// What is known of an answer, to be metered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The provider's id of the message; empty where it gave none.
    pub message_id: String,
    /// The model that answered; the one asked for where the upstream names none.
    pub model: String,
    /// Tokens as far as they were told.
    pub usage: Usage,
    /// Why the model stopped; none where the answer is not whole.
    pub stop: Option<Stop>,
    /// What went wrong.
    pub failure: Option<Failure>,
}

impl Outcome {
    pub(super) fn of<W: Sink>(order: &Order<W>) -> Self {
        Self {
            message_id: order.id.clone(),
            model: order.model().to_owned(),
            usage: order.usage,
            stop: order.stop().cloned(),
            failure: order.failure.clone(),
        }
    }
}

/// Translates a stream chunk by chunk. Bytes come out as soon as they can be told: a token never waits
/// for the next one.
#[derive(Debug)]
pub struct Stream {
    splitter: Splitter,
    reader: Reader,
    order: Order<Writer>,
    shape: Shape,
}

/// An upstream may answer one JSON body where a stream was asked for.
#[derive(Debug)]
enum Shape {
    Unknown(BytesMut),
    Events,
    Body(BytesMut),
}

impl Stream {
    pub(super) fn new(
        caller: Format,
        upstream: Format,
        context: Arc<Context>,
        created: u64,
    ) -> Self {
        let (model, minted) = (context.model.clone(), context.minted.clone());
        Self {
            splitter: Splitter::default(),
            reader: Reader::new(upstream),
            order: Order::new(Writer::new(caller, context, created), model, minted),
            shape: Shape::Unknown(BytesMut::new()),
        }
    }

    /// Takes a chunk of the upstream's; gives what the caller is to get now, which may be nothing.
    pub fn feed(&mut self, chunk: Bytes) -> Bytes {
        if self.order.is_over() {
            return Bytes::new();
        }
        match &mut self.shape {
            Shape::Events => self.events(chunk),
            Shape::Body(body) if body.len() + chunk.len() > EVENT_LIMIT => {
                self.order
                    .fail(too_large(&EventTooLarge { limit: EVENT_LIMIT }));
            }
            Shape::Body(body) => body.extend_from_slice(&chunk),
            Shape::Unknown(begun) => {
                let chunk = if begun.is_empty() {
                    chunk
                } else {
                    begun.extend_from_slice(&chunk);
                    begun.split().freeze()
                };
                let text = chunk.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&chunk);
                match text.trim_ascii_start().first() {
                    // Nothing told yet, or a mark of the byte order that is cut.
                    None | Some(0xef) => begun.extend_from_slice(&chunk),
                    Some(b'{' | b'[') => self.shape = Shape::Body(BytesMut::from(text)),
                    Some(_) => {
                        self.shape = Shape::Events;
                        self.events(chunk);
                    }
                }
            }
        }
        self.written()
    }

    /// The upstream's body is at its end. Gives the last bytes; an error event where the answer is not
    /// whole.
    pub fn finish(&mut self) -> Bytes {
        match std::mem::replace(&mut self.shape, Shape::Events) {
            Shape::Body(body) => self.reader.whole(&body, &mut self.order),
            Shape::Events | Shape::Unknown(_) => {
                while !self.order.is_over() {
                    match self.splitter.finish() {
                        // What was cut off after the reason to stop takes nothing from the answer.
                        Ok(Some(event)) if self.order.stop().is_some() && cut_off(&event.data) => {}
                        Ok(Some(event)) => self.reader.event(&event.data, &mut self.order),
                        Ok(None) => break,
                        Err(error) => self.order.fail(too_large(&error)),
                    }
                }
            }
        }
        self.order.close();
        self.written()
    }

    /// The connection to the upstream broke. Gives an error event, unless the answer was whole: then
    /// what is left of it.
    pub fn broken(&mut self, failure: Failure) -> Bytes {
        if self.order.stop().is_some() {
            return self.finish();
        }
        self.order.fail(failure);
        self.written()
    }

    /// True when nothing more will come out.
    pub fn is_over(&self) -> bool {
        self.order.is_over()
    }

    /// The failure of a stream that has told the caller nothing but that. Where no status was sent
    /// yet, an error answer says it better than an event.
    pub fn refused(&self) -> Option<&Failure> {
        self.order.refused()
    }

    /// What is known so far, to be metered when the stream is over or the caller has left.
    pub fn outcome(&self) -> Outcome {
        Outcome::of(&self.order)
    }

    fn events(&mut self, chunk: Bytes) {
        self.splitter.push(chunk);
        while !self.order.is_over() {
            match self.splitter.next_event() {
                Ok(Some(event)) => self.reader.event(&event.data, &mut self.order),
                Ok(None) => return,
                Err(error) => self.order.take(Happening::Failed(too_large(&error))),
            }
        }
    }

    fn written(&mut self) -> Bytes {
        Bytes::from(std::mem::take(self.order.writer.out()))
    }
}

fn cut_off(data: &[u8]) -> bool {
    !data.starts_with(b"[DONE]") && serde_json::from_slice::<IgnoredAny>(data).is_err()
}

pub(super) fn too_large(error: &EventTooLarge) -> Failure {
    Failure::new(
        FailureKind::Api,
        format!("The upstream sent more than can be read: {error}."),
    )
}
