//! An answer in one body.

use super::super::context::Context;
use super::super::happening::{Happening, Signature, Sink, Stop};
use super::super::mint;
use super::responses_items::{self as items, DONE, Frame, State};
use super::{chat_word, messages_words, optional_text};
use crate::failure::Failure;
use crate::format::Format;
use crate::json::Json;
use crate::usage::Usage;

#[derive(Debug)]
enum Piece {
    Text(String),
    Thinking(String, Option<Signature>),
    Redacted(Signature),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
}

/// Gathers what happens until it can be written as one body.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    id: String,
    model: String,
    pieces: Vec<Piece>,
    usage: Usage,
    stop: Option<Stop>,
    failure: Option<Failure>,
}

impl Sink for Answer {
    fn take(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Start { id, model } => {
                self.id = id.into_owned();
                self.model = model.into_owned();
            }
            Happening::Text(text) => match self.pieces.last_mut() {
                Some(Piece::Text(held)) => held.push_str(&text),
                _ => self.pieces.push(Piece::Text(text.into_owned())),
            },
            Happening::Thinking(text) => match self.pieces.last_mut() {
                Some(Piece::Thinking(held, None)) => held.push_str(&text),
                _ => self.pieces.push(Piece::Thinking(text.into_owned(), None)),
            },
            Happening::Signature(signature) => match self.pieces.last_mut() {
                Some(Piece::Thinking(_, held @ None)) => *held = Some(signature),
                _ => self
                    .pieces
                    .push(Piece::Thinking(String::new(), Some(signature))),
            },
            Happening::Redacted(signature) => self.pieces.push(Piece::Redacted(signature)),
            Happening::ToolStart { id, name, .. } => self.pieces.push(Piece::Call {
                id,
                name,
                arguments: String::new(),
            }),
            Happening::ToolArguments { json, .. } => {
                if let Some(Piece::Call { arguments, .. }) = self.pieces.last_mut() {
                    arguments.push_str(&json);
                }
            }
            Happening::ToolEnd { .. } => {
                if let Some(Piece::Call { arguments, .. }) = self.pieces.last_mut()
                    && arguments.is_empty()
                {
                    arguments.push_str("{}");
                }
            }
            Happening::Usage(usage) => self.usage = usage,
            Happening::Stop(stop) => self.stop = Some(stop),
            Happening::End => {}
            Happening::Failed(failure) => self.failure = Some(failure),
        }
    }
}

impl Answer {
    /// The body in the caller's format, or why there is none.
    pub(crate) fn write(
        mut self,
        format: Format,
        context: &Context,
        created: u64,
    ) -> Result<Vec<u8>, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut out = Vec::with_capacity(1024);
        let mut json = Json(&mut out);
        match format {
            Format::Messages => self.messages(context, &mut json),
            Format::Chat => self.chat(context, created, &mut json),
            Format::Responses => self.responses(context, created, &mut json),
        }
        Ok(out)
    }

    fn stop(&self) -> &Stop {
        self.stop.as_ref().unwrap_or(&Stop::EndTurn)
    }

    fn id(&mut self, prefix: &str) -> String {
        if self.id.is_empty() {
            return mint(prefix);
        }
        std::mem::take(&mut self.id)
    }

    fn messages(mut self, context: &Context, json: &mut Json<'_>) {
        let id = self.id("msg_");
        json.object(|json| {
            json.text_field("id", &id);
            json.text_field("type", "message");
            json.text_field("role", "assistant");
            json.text_field("model", &self.model);
            json.key("content").array(|json| {
                for piece in &self.pieces {
                    messages_block(piece, context, json);
                }
            });
            let (reason, sequence) = messages_words(self.stop());
            json.text_field("stop_reason", reason);
            optional_text(json, "stop_sequence", sequence);
            json.key("usage");
            self.usage.write(Format::Messages, json);
        });
    }

    fn joined(&self, of: impl Fn(&Piece) -> Option<&str>) -> Option<String> {
        let parts: Vec<&str> = self.pieces.iter().filter_map(of).collect();
        (!parts.is_empty()).then(|| parts.concat())
    }

    fn chat(mut self, context: &Context, created: u64, json: &mut Json<'_>) {
        let id = self.id("chatcmpl-");
        json.object(|json| {
            json.text_field("id", &id);
            json.text_field("object", "chat.completion");
            json.number_field("created", created);
            json.text_field("model", &self.model);
            json.key("choices").array(|json| {
                json.object(|json| {
                    json.number_field("index", 0);
                    json.key("message")
                        .object(|json| self.chat_message(context, json));
                    json.raw_field("logprobs", "null");
                    json.text_field("finish_reason", chat_word(self.stop()));
                });
            });
            json.key("usage");
            self.usage.write(Format::Chat, json);
        });
    }

    fn chat_message(&self, context: &Context, json: &mut Json<'_>) {
        json.text_field("role", "assistant");
        let text = self.joined(|piece| match piece {
            Piece::Text(text) => Some(text),
            _ => None,
        });
        optional_text(json, "content", text.as_deref());
        json.raw_field("refusal", "null");
        let thinking = self.joined(|piece| match piece {
            Piece::Thinking(text, _) => Some(text),
            _ => None,
        });
        if let Some(thinking) = thinking {
            json.text_field("reasoning_content", &thinking);
        }
        self.chat_details(json);
        if self
            .pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Call { .. }))
        {
            json.key("tool_calls").array(|json| {
                for piece in &self.pieces {
                    let Piece::Call {
                        id,
                        name,
                        arguments,
                    } = piece
                    else {
                        continue;
                    };
                    json.object(|json| {
                        json.text_field("id", id);
                        json.text_field("type", "function");
                        json.key("function").object(|json| {
                            json.text_field("name", context.names.original(name));
                            json.text_field("arguments", arguments);
                        });
                    });
                }
            });
        }
    }

    /// Thinking with its proof, for callers that send it back.
    fn chat_details(&self, json: &mut Json<'_>) {
        let proven = |piece: &Piece| {
            matches!(
                piece,
                Piece::Thinking(_, Some(Signature::Messages(_)))
                    | Piece::Redacted(Signature::Messages(_))
            )
        };
        if !self.pieces.iter().any(proven) {
            return;
        }
        json.key("reasoning_details").array(|json| {
            for piece in &self.pieces {
                let (kind, members) = match piece {
                    Piece::Thinking(text, Some(Signature::Messages(signature))) => {
                        ("reasoning.text", [("text", text), ("signature", signature)])
                    }
                    Piece::Redacted(Signature::Messages(data)) => {
                        ("reasoning.encrypted", [("data", data), ("data", data)])
                    }
                    _ => continue,
                };
                let count = if kind == "reasoning.text" { 2 } else { 1 };
                json.object(|json| {
                    json.text_field("type", kind);
                    for (key, text) in &members[..count] {
                        json.text_field(key, text);
                    }
                    json.text_field("format", "anthropic-claude-v1");
                    json.number_field("index", 0);
                });
            }
        });
    }

    fn responses(mut self, context: &Context, created: u64, json: &mut Json<'_>) {
        let id = self.id("resp_");
        let done: Vec<String> = self
            .pieces
            .iter()
            .map(|piece| responses_item(piece, context))
            .collect();
        let frame = Frame {
            id: &id,
            model: &self.model,
            created,
        };
        items::response(
            json,
            &frame,
            &State::Stopped(self.stop(), self.usage),
            &done,
        );
    }
}

fn messages_block(piece: &Piece, context: &Context, json: &mut Json<'_>) {
    json.object(|json| match piece {
        Piece::Text(text) => {
            json.text_field("type", "text");
            json.text_field("text", text);
        }
        Piece::Thinking(text, signature) => {
            json.text_field("type", "thinking");
            json.text_field("thinking", text);
            let signature = signature.as_ref().map(Signature::for_messages);
            json.text_field("signature", &signature.unwrap_or_default());
        }
        Piece::Redacted(signature) => {
            json.text_field("type", "redacted_thinking");
            json.text_field("data", &signature.for_messages());
        }
        Piece::Call {
            id,
            name,
            arguments,
        } => {
            json.text_field("type", "tool_use");
            json.text_field("id", id);
            json.text_field("name", context.names.original(name));
            json.raw_field("input", &object_of(arguments));
        }
    });
}

/// Arguments as the object that Messages wants. What is no object is kept as one member.
pub(crate) fn object_of(arguments: &str) -> std::borrow::Cow<'_, str> {
    let text = arguments.trim();
    let whole = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if whole && text.starts_with('{') {
        return text.into();
    }
    if text.is_empty() || text == "null" {
        return "{}".into();
    }
    let mut out = Vec::new();
    Json(&mut out).object(|json| json.text_field("input", text));
    String::from_utf8_lossy(&out).into_owned().into()
}

fn responses_item(piece: &Piece, context: &Context) -> String {
    let mut out = Vec::new();
    let json = &mut Json(&mut out);
    match piece {
        Piece::Text(text) => items::message(json, &mint("msg_"), DONE, Some(text)),
        Piece::Thinking(text, signature) => {
            items::reasoning(json, &mint("rs_"), text, signature.as_ref(), false);
        }
        Piece::Redacted(signature) => {
            items::reasoning(json, &mint("rs_"), "", Some(signature), true);
        }
        Piece::Call {
            id,
            name,
            arguments,
        } => {
            let tool = items::tool_named(context, name);
            let input;
            let arguments = if tool.custom {
                input = items::custom_input(arguments);
                &input
            } else {
                arguments
            };
            items::call(json, (&mint("fc_"), id, DONE), &tool, arguments);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
