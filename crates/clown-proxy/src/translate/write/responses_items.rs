//! The items of a Responses answer and the answer around them, for streams and for bodies.

use super::super::context::{Context, Original};
use super::super::happening::{Signature, Stop};
use super::optional_text;
use crate::failure::Failure;
use crate::format::Format;
use crate::json::Json;
use crate::usage::Usage;

/// The status word of an item.
pub(super) const DONE: &str = "completed";
pub(super) const GOING: &str = "in_progress";

pub(super) fn text_part(json: &mut Json<'_>, text: &str) {
    json.object(|json| {
        json.text_field("type", "output_text");
        json.text_field("text", text);
        json.raw_field("annotations", "[]");
        json.raw_field("logprobs", "[]");
    });
}

pub(super) fn message(json: &mut Json<'_>, id: &str, status: &str, text: Option<&str>) {
    json.object(|json| {
        json.text_field("id", id);
        json.text_field("type", "message");
        json.text_field("status", status);
        json.text_field("role", "assistant");
        json.key("content").array(|json| {
            if let Some(text) = text {
                text_part(json, text);
            }
        });
    });
}

pub(super) fn summary_part(json: &mut Json<'_>, text: &str) {
    json.object(|json| {
        json.text_field("type", "summary_text");
        json.text_field("text", text);
    });
}

pub(super) fn reasoning(
    json: &mut Json<'_>,
    id: &str,
    text: &str,
    signature: Option<&Signature>,
    redacted: bool,
) {
    json.object(|json| {
        json.text_field("id", id);
        json.text_field("type", "reasoning");
        json.key("summary").array(|json| {
            if !text.is_empty() {
                summary_part(json, text);
            }
        });
        if let Some(signature) = signature {
            json.text_field("encrypted_content", &signature.for_responses(redacted));
        }
    });
}

/// A call as its caller knows the tool: under its own name, in its namespace, as a custom tool.
pub(super) fn call(
    json: &mut Json<'_>,
    (id, call_id, status): (&str, &str, &str),
    tool: &Original,
    arguments: &str,
) {
    json.object(|json| {
        json.text_field("id", id);
        if tool.custom {
            json.text_field("type", "custom_tool_call");
        } else {
            json.text_field("type", "function_call");
        }
        json.text_field("status", status);
        json.text_field("call_id", call_id);
        json.text_field("name", &tool.name);
        if let Some(namespace) = &tool.namespace {
            json.text_field("namespace", namespace);
        }
        if tool.custom {
            json.text_field("input", arguments);
        } else {
            json.text_field("arguments", arguments);
        }
    });
}

/// The input of a custom tool out of the object that a function is called with.
pub(super) fn custom_input(arguments: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(arguments) {
        Ok(serde_json::Value::Object(members)) => members
            .get("input")
            .or_else(|| members.values().next())
            .and_then(|input| input.as_str())
            .map_or_else(|| arguments.to_owned(), str::to_owned),
        Ok(serde_json::Value::String(text)) => text,
        _ => arguments.to_owned(),
    }
}

/// What stands around the items.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
    pub(super) created: u64,
}

/// How far the answer is.
#[derive(Debug)]
pub(super) enum State<'a> {
    Going,
    Stopped(&'a Stop, Usage),
    Failed(&'a Failure),
}

impl State<'_> {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Going => GOING,
            Self::Failed(_) => "failed",
            Self::Stopped(Stop::MaxTokens | Stop::ContextFull | Stop::Refusal, _) => "incomplete",
            Self::Stopped(..) => DONE,
        }
    }
}

/// The whole `response` value.
pub(super) fn response(
    json: &mut Json<'_>,
    frame: &Frame<'_>,
    state: &State<'_>,
    items: &[String],
) {
    json.object(|json| {
        json.text_field("id", frame.id);
        json.text_field("object", "response");
        json.number_field("created_at", frame.created);
        json.text_field("status", state.word());
        match state {
            State::Failed(failure) => json.key("error").object(|json| {
                json.text_field("code", failure.openai_code().unwrap_or("server_error"));
                json.text_field("message", &failure.message);
            }),
            _ => json.raw_field("error", "null"),
        }
        let reason = match state {
            State::Stopped(Stop::Refusal, _) => Some("content_filter"),
            State::Stopped(Stop::MaxTokens | Stop::ContextFull, _) => Some("max_output_tokens"),
            _ => None,
        };
        match reason {
            Some(reason) => json
                .key("incomplete_details")
                .object(|json| json.text_field("reason", reason)),
            None => json.raw_field("incomplete_details", "null"),
        }
        optional_text(json, "instructions", None);
        json.raw_field("metadata", "{}");
        json.text_field("model", frame.model);
        json.key("output").array(|json| {
            for item in items {
                json.raw(item);
            }
        });
        json.raw_field("parallel_tool_calls", "true");
        json.raw_field("temperature", "null");
        json.text_field("tool_choice", "auto");
        json.raw_field("tools", "[]");
        json.raw_field("top_p", "null");
        match state {
            State::Stopped(_, usage) => {
                json.key("usage");
                usage.write(Format::Responses, json);
            }
            _ => json.raw_field("usage", "null"),
        }
    });
}

/// The tool that goes by this name on the wire.
pub(super) fn tool_named(context: &Context, wire: &str) -> Original {
    context
        .names
        .get(wire)
        .cloned()
        .unwrap_or_else(|| Original {
            name: wire.to_owned(),
            ..Original::default()
        })
}
