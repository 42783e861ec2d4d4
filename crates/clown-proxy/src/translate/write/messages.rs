//! A stream for a caller of Messages.

use std::sync::Arc;

use super::super::context::Context;
use super::super::happening::{Happening, Signature, Sink};
use super::super::mint;
use super::{messages_words, named_event, optional_text};
use crate::format::Format;
use crate::json::Json;
use crate::usage::Usage;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Thinking,
    Tool,
}

#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) out: Vec<u8>,
    context: Arc<Context>,
    index: u64,
    open: Open,
    usage: Usage,
}

impl Writer {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            out: Vec::new(),
            context,
            index: 0,
            open: Open::Nothing,
            usage: Usage::default(),
        }
    }

    fn close(&mut self) {
        if self.open == Open::Nothing {
            return;
        }
        let index = self.index;
        named_event(&mut self.out, "content_block_stop", |json| {
            json.number_field("index", index);
        });
        self.index += 1;
        self.open = Open::Nothing;
    }

    fn open(&mut self, open: Open, block: impl FnOnce(&mut Json<'_>)) {
        self.close();
        self.open = open;
        let index = self.index;
        named_event(&mut self.out, "content_block_start", |json| {
            json.number_field("index", index);
            json.key("content_block").object(block);
        });
    }

    fn delta(&mut self, kind: &'static str, key: &'static str, text: &str) {
        let index = self.index;
        named_event(&mut self.out, "content_block_delta", |json| {
            json.number_field("index", index);
            json.key("delta").object(|json| {
                json.text_field("type", kind);
                json.text_field(key, text);
            });
        });
    }

    fn thinking(&mut self, text: &str) {
        if self.open != Open::Thinking {
            self.open(Open::Thinking, |json| {
                json.text_field("type", "thinking");
                json.text_field("thinking", "");
                json.text_field("signature", "");
            });
        }
        if !text.is_empty() {
            self.delta("thinking_delta", "thinking", text);
        }
    }

    fn start(&mut self, id: &str, model: &str) {
        let minted;
        let id = if id.is_empty() {
            minted = mint("msg_");
            &minted
        } else {
            id
        };
        named_event(&mut self.out, "message_start", |json| {
            json.key("message").object(|json| {
                json.text_field("id", id);
                json.text_field("type", "message");
                json.text_field("role", "assistant");
                json.text_field("model", model);
                json.raw_field("content", "[]");
                json.raw_field("stop_reason", "null");
                json.raw_field("stop_sequence", "null");
                json.key("usage");
                Usage::default().write(Format::Messages, json);
            });
        });
    }
}

impl Sink for Writer {
    fn take(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Start { id, model } => self.start(&id, &model),
            Happening::Text(text) => {
                if self.open != Open::Text {
                    self.open(Open::Text, |json| {
                        json.text_field("type", "text");
                        json.text_field("text", "");
                    });
                }
                self.delta("text_delta", "text", &text);
            }
            Happening::Thinking(text) => self.thinking(&text),
            Happening::Signature(signature) => {
                self.thinking("");
                self.delta("signature_delta", "signature", &signature.for_messages());
                self.close();
            }
            Happening::Redacted(Signature::Messages(data)) => {
                self.open(Open::Thinking, |json| {
                    json.text_field("type", "redacted_thinking");
                    json.text_field("data", &data);
                });
                self.close();
            }
            Happening::Redacted(Signature::Responses { .. } | Signature::Google(_)) => {}
            Happening::ToolStart { id, name, .. } => {
                let context = Arc::clone(&self.context);
                let name = context.names.original(&name);
                self.open(Open::Tool, |json| {
                    json.text_field("type", "tool_use");
                    json.text_field("id", &id);
                    json.text_field("name", name);
                    json.raw_field("input", "{}");
                });
            }
            Happening::ToolArguments { json, .. } => {
                self.delta("input_json_delta", "partial_json", &json);
            }
            Happening::ToolEnd { .. } => self.close(),
            Happening::Usage(usage) => self.usage = usage,
            Happening::Stop(stop) => {
                self.close();
                let (reason, sequence) = messages_words(&stop);
                let usage = self.usage;
                named_event(&mut self.out, "message_delta", |json| {
                    json.key("delta").object(|json| {
                        json.text_field("stop_reason", reason);
                        optional_text(json, "stop_sequence", sequence);
                    });
                    json.key("usage");
                    usage.write(Format::Messages, json);
                });
            }
            Happening::End => named_event(&mut self.out, "message_stop", |_| {}),
            Happening::Failed(failure) => {
                self.out.extend_from_slice(b"event: error\ndata: ");
                failure.write(Format::Messages, &mut Json(&mut self.out));
                self.out.extend_from_slice(b"\n\n");
            }
        }
    }
}
