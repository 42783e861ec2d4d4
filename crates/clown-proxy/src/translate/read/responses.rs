//! Responses: events, and whole answers.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::happening::{Happening, Signature, Sink};
use super::super::mint;
use super::{failed, responses_stop};
use crate::failure::Failure;
use crate::json::{Aside, Count, Json, Text, present, text_of};
use crate::usage::ResponsesUsage;

#[derive(Debug, Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    response: Option<Response<'a>>,
    #[serde(default)]
    item: Option<Item<'a>>,
    #[serde(default)]
    output_index: Option<Count>,
    #[serde(default)]
    summary_index: Option<Count>,
    #[serde(default)]
    delta: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    model: Option<Text<'a>>,
    #[serde(default)]
    status: Option<Text<'a>>,
    #[serde(default)]
    output: Option<Vec<Item<'a>>>,
    #[serde(default)]
    usage: Option<Aside<ResponsesUsage>>,
    #[serde(default)]
    incomplete_details: Option<Aside<Incomplete<'a>>>,
    #[serde(default)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Incomplete<'a> {
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    call_id: Option<Text<'a>>,
    #[serde(default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    arguments: Option<&'a RawValue>,
    #[serde(default)]
    input: Option<Text<'a>>,
    #[serde(default)]
    content: Option<Vec<Part<'a>>>,
    #[serde(default)]
    summary: Option<Vec<Part<'a>>>,
    #[serde(default)]
    encrypted_content: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    refusal: Option<Text<'a>>,
}

/// What was told of an item so far; what was told in pieces is not told again at its end.
#[derive(Debug)]
struct Known {
    index: u64,
    slot: Option<usize>,
    told: bool,
    done: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Reader {
    items: Vec<Known>,
    calls: usize,
}

impl Reader {
    pub(super) fn event(
        &mut self,
        data: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), serde_json::Error> {
        let event: Event<'_> = serde_json::from_slice(data)?;
        let index = event.output_index.map(|index| index.0);
        match &*event.kind {
            "response.created" | "response.in_progress" => {
                if let Some(response) = &event.response {
                    start(response, sink);
                }
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                self.known(index).told = true;
                sink.take(Happening::Text(text_of(event.delta)));
            }
            "response.reasoning_summary_part.added" => {
                if event.summary_index.unwrap_or_default().0 > 0 {
                    sink.take(Happening::Thinking("\n\n".into()));
                }
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.known(index).told = true;
                sink.take(Happening::Thinking(text_of(event.delta)));
            }
            "response.output_item.added" => {
                if let Some(item) = event.item {
                    self.added(index, &item, sink);
                }
            }
            "response.function_call_arguments.delta" => {
                let known = self.known(index);
                if let Some(slot) = known.slot {
                    known.told = true;
                    let json = text_of(event.delta);
                    sink.take(Happening::ToolArguments { slot, json });
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    self.done(index, item, sink);
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.done" => {
                if let Some(response) = event.response {
                    self.response(response, sink);
                    sink.take(Happening::End);
                }
            }
            "error" => match present(event.error) {
                Some(error) => sink.take(failed(error)),
                None => sink.take(Happening::Failed(Failure::from_value(
                    None,
                    &error_event(data),
                ))),
            },
            _ => {
                if let Some(error) = present(event.error) {
                    sink.take(failed(error));
                }
            }
        }
        Ok(())
    }

    pub(super) fn whole(
        &mut self,
        body: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), serde_json::Error> {
        self.response(serde_json::from_slice(body)?, sink);
        Ok(())
    }

    fn response(&mut self, response: Response<'_>, sink: &mut impl Sink) {
        if let Some(error) = present(response.error) {
            if let Some(Aside(Some(usage))) = &response.usage {
                sink.take(Happening::Usage(usage.read()));
            }
            sink.take(failed(error));
            return;
        }
        start(&response, sink);
        let empty = response.status.is_none() && response.output.is_none();
        for (index, item) in response.output.unwrap_or_default().into_iter().enumerate() {
            self.done(Some(index as u64), item, sink);
        }
        if let Some(Aside(Some(usage))) = &response.usage {
            sink.take(Happening::Usage(usage.read()));
        }
        let reason = response
            .incomplete_details
            .and_then(|details| details.0?.reason)
            .unwrap_or_default();
        if empty {
            // Some other JSON: no answer at all.
            return;
        }
        match responses_stop(response.status.as_deref(), &reason) {
            Ok(stop) => sink.take(Happening::Stop(stop)),
            Err(failure) => sink.take(Happening::Failed(failure)),
        }
    }

    /// What is known of the item at this place; where no place is told, of the last one.
    fn known(&mut self, index: Option<u64>) -> &mut Known {
        let index = index.unwrap_or_else(|| self.items.last().map_or(0, |known| known.index));
        let place = match self.items.iter().rposition(|known| known.index == index) {
            Some(place) => place,
            None => {
                self.items.push(Known {
                    index,
                    slot: None,
                    told: false,
                    done: false,
                });
                self.items.len() - 1
            }
        };
        &mut self.items[place]
    }

    fn added(&mut self, index: Option<u64>, item: &Item<'_>, sink: &mut impl Sink) {
        let index = index.unwrap_or(self.items.len() as u64);
        if !matches!(&*item.kind, "function_call" | "custom_tool_call") {
            self.known(Some(index));
            return;
        }
        let slot = self.calls;
        self.calls += 1;
        self.known(Some(index)).slot = Some(slot);
        let id = item.call_id.as_ref().or(item.id.as_ref());
        let id = id.filter(|id| !id.is_empty());
        sink.take(Happening::ToolStart {
            slot,
            id: id.map_or_else(|| mint("call_"), |id| id.to_string()),
            name: item.name.as_deref().unwrap_or_default().to_owned(),
        });
    }

    fn done(&mut self, index: Option<u64>, item: Item<'_>, sink: &mut impl Sink) {
        if self.known(index).done {
            return;
        }
        let call = matches!(&*item.kind, "function_call" | "custom_tool_call");
        if call && self.known(index).slot.is_none() {
            let index = index.unwrap_or(self.items.len() as u64);
            self.added(Some(index), &item, sink);
        }
        let known = self.known(index);
        known.done = true;
        let (told, slot) = (known.told, known.slot);
        match &*item.kind {
            "function_call" | "custom_tool_call" => {
                let Some(slot) = slot else { return };
                if let Some(input) = item.input {
                    let mut json = Vec::new();
                    Json(&mut json).object(|json| json.text_field("input", &input));
                    let json = String::from_utf8_lossy(&json).into_owned().into();
                    sink.take(Happening::ToolArguments { slot, json });
                } else if !told {
                    let json = text_of(item.arguments);
                    sink.take(Happening::ToolArguments { slot, json });
                }
                sink.take(Happening::ToolEnd { slot });
            }
            "reasoning" => {
                if !told {
                    let content = item.content.unwrap_or_default();
                    let parts = item.summary.unwrap_or_default().into_iter().chain(content);
                    for (place, part) in parts.enumerate() {
                        if place > 0 {
                            sink.take(Happening::Thinking("\n\n".into()));
                        }
                        sink.take(Happening::Thinking(part.text.unwrap_or_default().0));
                    }
                }
                if let Some(encrypted) = item.encrypted_content.filter(|text| !text.is_empty()) {
                    let id = item.id.unwrap_or_default();
                    sink.take(match Signature::from_responses(&id, &encrypted) {
                        (signature, true) => Happening::Redacted(signature),
                        (signature, false) => Happening::Signature(signature),
                    });
                }
            }
            "message" if !told => {
                for part in item.content.unwrap_or_default() {
                    let text = part.text.or(part.refusal).unwrap_or_default();
                    sink.take(Happening::Text(text.0));
                }
            }
            _ => {}
        }
    }
}

fn start(response: &Response<'_>, sink: &mut impl Sink) {
    sink.take(Happening::Start {
        id: response.id.as_deref().unwrap_or_default().into(),
        model: response.model.as_deref().unwrap_or_default().into(),
    });
}

/// An `error` event carries its members beside its type; that type says nothing of the kind.
fn error_event(data: &[u8]) -> Value {
    let mut value: Value = serde_json::from_slice(data).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.remove("type");
    }
    value
}
