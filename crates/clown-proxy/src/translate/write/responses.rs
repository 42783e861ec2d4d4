//! A stream for a caller of Responses.

use std::sync::Arc;

use super::super::context::{Context, Original};
use super::super::happening::{Happening, Signature, Sink};
use super::super::mint;
use super::named_event;
use super::responses_items::{self as items, DONE, Frame, GOING, State};
use crate::json::Json;
use crate::usage::Usage;

#[derive(Debug)]
enum Open {
    Nothing,
    Message {
        id: String,
        text: String,
    },
    Reasoning {
        id: String,
        text: String,
    },
    Call {
        id: String,
        call_id: String,
        tool: Original,
        arguments: String,
    },
}

#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) out: Vec<u8>,
    context: Arc<Context>,
    id: String,
    model: String,
    created: u64,
    sequence: u64,
    open: Open,
    done: Vec<String>,
    usage: Usage,
}

impl Writer {
    pub(super) fn new(context: Arc<Context>, created: u64) -> Self {
        Self {
            out: Vec::new(),
            context,
            id: String::new(),
            model: String::new(),
            created,
            sequence: 0,
            open: Open::Nothing,
            done: Vec::new(),
            usage: Usage::default(),
        }
    }

    fn event(&mut self, name: &str, fill: impl FnOnce(&mut Json<'_>)) {
        let sequence = self.sequence;
        self.sequence += 1;
        named_event(&mut self.out, name, |json| {
            json.number_field("sequence_number", sequence);
            fill(json);
        });
    }

    /// An event of the open item.
    fn item_event(&mut self, name: &str, id: &str, fill: impl FnOnce(&mut Json<'_>)) {
        let index = self.done.len() as u64;
        self.event(name, |json| {
            json.text_field("item_id", id);
            json.number_field("output_index", index);
            fill(json);
        });
    }

    fn added(&mut self, item: impl FnOnce(&mut Json<'_>)) {
        let index = self.done.len() as u64;
        self.event("response.output_item.added", |json| {
            json.number_field("output_index", index);
            item(json.key("item"));
        });
    }

    fn finished(&mut self, item: impl FnOnce(&mut Json<'_>)) {
        let mut bytes = Vec::new();
        item(&mut Json(&mut bytes));
        let item = String::from_utf8_lossy(&bytes).into_owned();
        let index = self.done.len() as u64;
        self.event("response.output_item.done", |json| {
            json.number_field("output_index", index);
            json.raw_field("item", &item);
        });
        self.done.push(item);
    }

    fn whole(&mut self, name: &str, state: &State<'_>) {
        let (id, model) = (self.id.clone(), self.model.clone());
        let done = std::mem::take(&mut self.done);
        let frame = Frame {
            id: &id,
            model: &model,
            created: self.created,
        };
        self.event(name, |json| {
            items::response(json.key("response"), &frame, state, &done);
        });
        self.done = done;
    }

    fn start(&mut self, id: &str, model: &str) {
        self.id = if id.is_empty() {
            mint("resp_")
        } else {
            id.to_owned()
        };
        self.model = model.to_owned();
        self.whole("response.created", &State::Going);
        self.whole("response.in_progress", &State::Going);
    }

    fn text(&mut self, delta: &str) {
        if !matches!(self.open, Open::Message { .. }) {
            self.close(None);
            let id = mint("msg_");
            self.added(|json| items::message(json, &id, GOING, None));
            self.item_event("response.content_part.added", &id, |json| {
                json.number_field("content_index", 0);
                items::text_part(json.key("part"), "");
            });
            self.open = Open::Message {
                id,
                text: String::new(),
            };
        }
        let Open::Message { id, text } = &mut self.open else {
            return;
        };
        text.push_str(delta);
        let id = std::mem::take(id);
        self.item_event("response.output_text.delta", &id, |json| {
            json.number_field("content_index", 0);
            json.text_field("delta", delta);
            json.raw_field("logprobs", "[]");
        });
        if let Open::Message { id: place, .. } = &mut self.open {
            *place = id;
        }
    }

    fn thinking(&mut self, delta: &str) {
        if !matches!(self.open, Open::Reasoning { .. }) {
            self.close(None);
            let id = mint("rs_");
            self.added(|json| items::reasoning(json, &id, "", None, false));
            self.open = Open::Reasoning {
                id,
                text: String::new(),
            };
        }
        if delta.is_empty() {
            return;
        }
        let Open::Reasoning { id, text } = &mut self.open else {
            return;
        };
        let first = text.is_empty();
        text.push_str(delta);
        let id = std::mem::take(id);
        if first {
            self.item_event("response.reasoning_summary_part.added", &id, |json| {
                json.number_field("summary_index", 0);
                items::summary_part(json.key("part"), "");
            });
        }
        self.item_event("response.reasoning_summary_text.delta", &id, |json| {
            json.number_field("summary_index", 0);
            json.text_field("delta", delta);
        });
        if let Open::Reasoning { id: place, .. } = &mut self.open {
            *place = id;
        }
    }

    fn tool(&mut self, call_id: String, name: &str) {
        self.close(None);
        let tool = items::tool_named(&self.context, name);
        let id = mint(if tool.custom { "ctc_" } else { "fc_" });
        self.added(|json| items::call(json, (&id, &call_id, GOING), &tool, ""));
        self.open = Open::Call {
            id,
            call_id,
            tool,
            arguments: String::new(),
        };
    }

    fn arguments(&mut self, piece: &str) {
        let Open::Call {
            id,
            tool,
            arguments,
            ..
        } = &mut self.open
        else {
            return;
        };
        arguments.push_str(piece);
        // The input of a custom tool is inside the JSON; it is told when that is whole.
        if tool.custom {
            return;
        }
        let id = id.clone();
        self.item_event("response.function_call_arguments.delta", &id, |json| {
            json.text_field("delta", piece);
        });
    }

    fn close(&mut self, signature: Option<&Signature>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Message { id, text } => {
                self.item_event("response.output_text.done", &id, |json| {
                    json.number_field("content_index", 0);
                    json.text_field("text", &text);
                    json.raw_field("logprobs", "[]");
                });
                self.item_event("response.content_part.done", &id, |json| {
                    json.number_field("content_index", 0);
                    items::text_part(json.key("part"), &text);
                });
                self.finished(|json| items::message(json, &id, DONE, Some(&text)));
            }
            Open::Reasoning { id, text } => {
                if !text.is_empty() {
                    self.item_event("response.reasoning_summary_text.done", &id, |json| {
                        json.number_field("summary_index", 0);
                        json.text_field("text", &text);
                    });
                    self.item_event("response.reasoning_summary_part.done", &id, |json| {
                        json.number_field("summary_index", 0);
                        items::summary_part(json.key("part"), &text);
                    });
                }
                self.finished(|json| items::reasoning(json, &id, &text, signature, false));
            }
            Open::Call {
                id,
                call_id,
                tool,
                arguments,
            } => {
                self.close_call(&id, &call_id, &tool, arguments);
            }
        }
    }

    fn close_call(&mut self, id: &str, call_id: &str, tool: &Original, mut arguments: String) {
        if tool.custom {
            arguments = items::custom_input(&arguments);
            self.item_event("response.custom_tool_call_input.delta", id, |json| {
                json.text_field("delta", &arguments);
            });
            self.item_event("response.custom_tool_call_input.done", id, |json| {
                json.text_field("input", &arguments);
            });
        } else {
            if arguments.is_empty() {
                arguments.push_str("{}");
            }
            self.item_event("response.function_call_arguments.done", id, |json| {
                json.text_field("name", &tool.name);
                json.text_field("arguments", &arguments);
            });
        }
        self.finished(|json| items::call(json, (id, call_id, DONE), tool, &arguments));
    }

    fn redacted(&mut self, signature: &Signature) {
        self.close(None);
        let id = mint("rs_");
        self.added(|json| items::reasoning(json, &id, "", None, true));
        self.finished(|json| items::reasoning(json, &id, "", Some(signature), true));
    }
}

impl Sink for Writer {
    fn take(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Start { id, model } => self.start(&id, &model),
            Happening::Text(text) => self.text(&text),
            Happening::Thinking(text) => self.thinking(&text),
            Happening::Signature(signature) => {
                self.thinking("");
                self.close(Some(&signature));
            }
            Happening::Redacted(signature) => self.redacted(&signature),
            Happening::ToolStart { id, name, .. } => self.tool(id, &name),
            Happening::ToolArguments { json, .. } => self.arguments(&json),
            Happening::ToolEnd { .. } => self.close(None),
            Happening::Usage(usage) => self.usage = usage,
            Happening::Stop(stop) => {
                self.close(None);
                let state = State::Stopped(&stop, self.usage);
                let name = match state.word() {
                    "incomplete" => "response.incomplete",
                    _ => "response.completed",
                };
                self.whole(name, &state);
            }
            // The event before it was the last one.
            Happening::End => {}
            Happening::Failed(failure) => {
                if self.id.is_empty() {
                    let model = self.context.model.clone();
                    self.start("", &model);
                }
                self.whole("response.failed", &State::Failed(&failure));
            }
        }
    }
}
