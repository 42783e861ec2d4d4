//! Writers: happenings, as the events or the body that a caller reads.

mod chat;
mod messages;
mod responses;
mod responses_items;
mod whole;

use std::sync::Arc;

pub(crate) use whole::{Answer, object_of};

use super::context::Context;
use super::happening::{Happening, Sink, Stop};
use crate::format::Format;
use crate::json::Json;

/// Writes the stream of one caller. What is written waits in `out` until it is taken.
#[derive(Debug)]
pub(crate) enum Writer {
    Messages(messages::Writer),
    Chat(chat::Writer),
    Responses(responses::Writer),
}

impl Writer {
    pub(crate) fn new(format: Format, context: Arc<Context>, created: u64) -> Self {
        match format {
            Format::Messages => Self::Messages(messages::Writer::new(context)),
            Format::Chat => Self::Chat(chat::Writer::new(context, created)),
            Format::Responses => Self::Responses(responses::Writer::new(context, created)),
        }
    }

    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Messages(writer) => &mut writer.out,
            Self::Chat(writer) => &mut writer.out,
            Self::Responses(writer) => &mut writer.out,
        }
    }
}

impl Sink for Writer {
    fn take(&mut self, happening: Happening<'_>) {
        match self {
            Self::Messages(writer) => writer.take(happening),
            Self::Chat(writer) => writer.take(happening),
            Self::Responses(writer) => writer.take(happening),
        }
    }
}

/// One event whose data says its name as its type too.
fn named_event(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Json<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    Json(out).object(|json| {
        json.text_field("type", name);
        fill(json);
    });
    out.extend_from_slice(b"\n\n");
}

/// The reason in the words of Messages, and the sequence that goes with it.
fn messages_words(stop: &Stop) -> (&'static str, Option<&str>) {
    match stop {
        Stop::EndTurn => ("end_turn", None),
        Stop::ToolUse => ("tool_use", None),
        Stop::MaxTokens => ("max_tokens", None),
        Stop::Sequence(sequence) => ("stop_sequence", sequence.as_deref()),
        Stop::Refusal => ("refusal", None),
        Stop::PauseTurn => ("pause_turn", None),
        Stop::ContextFull => ("model_context_window_exceeded", None),
    }
}

/// The reason in the words of Chat.
fn chat_word(stop: &Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::Sequence(_) | Stop::PauseTurn => "stop",
        Stop::ToolUse => "tool_calls",
        Stop::MaxTokens | Stop::ContextFull => "length",
        Stop::Refusal => "content_filter",
    }
}

fn optional_text(json: &mut Json<'_>, key: &'static str, text: Option<&str>) {
    match text {
        Some(text) => json.text_field(key, text),
        None => json.raw_field(key, "null"),
    }
}
