//! A stream for a caller of Chat Completions.

use std::sync::Arc;

use super::super::context::Context;
use super::super::happening::{Happening, Signature, Sink};
use super::super::mint;
use super::chat_word;
use crate::format::Format;
use crate::json::Json;
use crate::usage::Usage;

#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) out: Vec<u8>,
    context: Arc<Context>,
    created: u64,
    /// What every chunk begins with, up to its choices.
    head: Vec<u8>,
    calls: u64,
    arguments: bool,
    usage: Usage,
}

impl Writer {
    pub(super) fn new(context: Arc<Context>, created: u64) -> Self {
        Self {
            out: Vec::new(),
            context,
            created,
            head: Vec::new(),
            calls: 0,
            arguments: false,
            usage: Usage::default(),
        }
    }

    fn start(&mut self, id: &str, model: &str) {
        self.head.extend_from_slice(b"data: {");
        let mut json = Json(&mut self.head);
        if id.is_empty() {
            json.text_field("id", &mint("chatcmpl-"));
        } else {
            json.text_field("id", id);
        }
        json.text_field("object", "chat.completion.chunk");
        json.number_field("created", self.created);
        json.text_field("model", model);
        self.delta(|json| {
            json.text_field("role", "assistant");
            json.text_field("content", "");
        });
    }

    fn delta(&mut self, fill: impl FnOnce(&mut Json<'_>)) {
        self.choice(fill, None);
    }

    fn choice(&mut self, fill: impl FnOnce(&mut Json<'_>), finish: Option<&str>) {
        self.out.extend_from_slice(&self.head);
        self.out
            .extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":");
        let mut json = Json(&mut self.out);
        json.object(fill);
        match finish {
            Some(finish) => json.text_field("finish_reason", finish),
            None => json.raw_field("finish_reason", "null"),
        }
        self.out.extend_from_slice(b"}]}\n\n");
    }

    fn call(&mut self, fill: impl FnOnce(&mut Json<'_>)) {
        let index = self.calls.saturating_sub(1);
        self.delta(|json| {
            json.key("tool_calls").array(|json| {
                json.object(|json| {
                    json.number_field("index", index);
                    fill(json);
                });
            });
        });
    }

    fn details(&mut self, kind: &'static str, key: &'static str, text: &str) {
        self.delta(|json| {
            json.key("reasoning_details").array(|json| {
                json.object(|json| {
                    json.text_field("type", kind);
                    json.text_field(key, text);
                    json.text_field("format", "anthropic-claude-v1");
                    json.number_field("index", 0);
                });
            });
        });
    }
}

impl Sink for Writer {
    fn take(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Start { id, model } => self.start(&id, &model),
            Happening::Text(text) => self.delta(|json| json.text_field("content", &text)),
            Happening::Thinking(text) => {
                self.delta(|json| json.text_field("reasoning_content", &text));
            }
            Happening::Signature(Signature::Messages(signature)) => {
                self.details("reasoning.text", "signature", &signature);
            }
            Happening::Redacted(Signature::Messages(data)) => {
                self.details("reasoning.encrypted", "data", &data);
            }
            // Chat has no place that callers would send a reasoning item back from.
            Happening::Signature(_) | Happening::Redacted(_) => {}
            Happening::ToolStart { id, name, .. } => {
                self.calls += 1;
                self.arguments = false;
                let context = Arc::clone(&self.context);
                let name = context.names.original(&name);
                self.call(|json| {
                    json.text_field("id", &id);
                    json.text_field("type", "function");
                    json.key("function").object(|json| {
                        json.text_field("name", name);
                        json.text_field("arguments", "");
                    });
                });
            }
            Happening::ToolArguments { json: piece, .. } => {
                self.arguments = true;
                self.call(|json| {
                    json.key("function")
                        .object(|json| json.text_field("arguments", &piece));
                });
            }
            Happening::ToolEnd { .. } => {
                if !self.arguments {
                    self.call(|json| {
                        json.key("function")
                            .object(|json| json.text_field("arguments", "{}"));
                    });
                }
            }
            Happening::Usage(usage) => self.usage = usage,
            Happening::Stop(stop) => {
                self.choice(|_| {}, Some(chat_word(&stop)));
                if self.context.include_usage {
                    self.out.extend_from_slice(&self.head);
                    let mut json = Json(&mut self.out);
                    json.raw_field("choices", "[]");
                    json.key("usage");
                    self.usage.write(Format::Chat, &mut json);
                    self.out.extend_from_slice(b"}\n\n");
                }
            }
            Happening::End => self.out.extend_from_slice(b"data: [DONE]\n\n"),
            Happening::Failed(failure) => {
                self.out.extend_from_slice(b"data: ");
                failure.write(Format::Chat, &mut Json(&mut self.out));
                self.out.extend_from_slice(b"\n\n");
            }
        }
    }
}
