//! Readers: what an upstream says, as happenings.

mod chat;
mod messages;
mod responses;

use serde_json::Value;
use serde_json::value::RawValue;

use super::happening::{Happening, Sink, Stop};
use crate::failure::{Failure, FailureKind};
use crate::format::Format;

/// Reads the answer of one upstream, event by event or as one body.
#[derive(Debug)]
pub(crate) enum Reader {
    Messages(messages::Reader),
    Chat(chat::Reader),
    Responses(responses::Reader),
}

impl Reader {
    pub(crate) fn new(format: Format) -> Self {
        match format {
            Format::Messages => Self::Messages(messages::Reader::default()),
            Format::Chat => Self::Chat(chat::Reader::default()),
            Format::Responses => Self::Responses(responses::Reader::default()),
        }
    }

    /// Reads the data of one event.
    pub(crate) fn event(&mut self, data: &[u8], sink: &mut impl Sink) {
        let data = data.trim_ascii();
        if data.is_empty() {
            return;
        }
        if data.starts_with(b"[DONE]") {
            self.end(sink);
            return;
        }
        let read = match self {
            Self::Messages(reader) => reader.event(data, sink),
            Self::Chat(reader) => reader.event(data, sink),
            Self::Responses(reader) => reader.event(data, sink),
        };
        if let Err(error) = read {
            sink.take(Happening::Failed(unreadable("an event", &error)));
        }
    }

    /// Reads an answer that came as one body.
    pub(crate) fn whole(&mut self, body: &[u8], sink: &mut impl Sink) {
        let read = match self {
            Self::Messages(reader) => reader.whole(body, sink),
            Self::Chat(reader) => reader.event(body, sink),
            Self::Responses(reader) => reader.whole(body, sink),
        };
        match read {
            Ok(()) => self.end(sink),
            Err(error) => sink.take(Happening::Failed(unreadable("an answer", &error))),
        }
    }

    fn end(&self, sink: &mut impl Sink) {
        if let Self::Chat(reader) = self {
            reader.complete(sink);
        }
        sink.take(Happening::End);
    }
}

fn unreadable(what: &str, error: &serde_json::Error) -> Failure {
    Failure::new(
        FailureKind::Api,
        format!("The upstream sent {what} that cannot be read: {error}."),
    )
}

/// An error that stands where an answer was expected.
fn failed(raw: &RawValue) -> Happening<'static> {
    let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    Happening::Failed(Failure::from_value(None, &value))
}

/// Why a model stopped, in the words of Messages.
pub(crate) fn messages_stop(reason: &str, sequence: Option<&str>) -> Stop {
    match reason {
        "tool_use" => Stop::ToolUse,
        "max_tokens" => Stop::MaxTokens,
        "stop_sequence" => Stop::Sequence(sequence.map(str::to_owned)),
        "refusal" => Stop::Refusal,
        "pause_turn" => Stop::PauseTurn,
        "model_context_window_exceeded" => Stop::ContextFull,
        _ => Stop::EndTurn,
    }
}

/// Why a model stopped, in the words of Chat; some of them say that it was not the model.
pub(crate) fn chat_stop(reason: &str) -> Result<Stop, Failure> {
    Ok(match reason {
        "tool_calls" | "function_call" => Stop::ToolUse,
        "length" | "max_tokens" => Stop::MaxTokens,
        "content_filter" | "refusal" => Stop::Refusal,
        "error" | "network_error" => {
            return Err(Failure::new(
                FailureKind::Api,
                "The upstream broke off the answer with an error.",
            ));
        }
        "insufficient_system_resource" => {
            return Err(Failure::new(
                FailureKind::Overloaded,
                "The upstream broke off the answer: it has no room for it now.",
            ));
        }
        _ => Stop::EndTurn,
    })
}

/// Why a model stopped, in the words of Responses; none where it did not.
pub(crate) fn responses_stop(status: Option<&str>, reason: &str) -> Result<Stop, Failure> {
    match status {
        Some("failed" | "cancelled") => Err(Failure::from_value(None, &Value::Null)),
        Some("incomplete") if reason == "content_filter" => Ok(Stop::Refusal),
        Some("incomplete") => Ok(Stop::MaxTokens),
        _ => Ok(Stop::EndTurn),
    }
}
