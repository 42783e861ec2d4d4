//! Messages: events, and whole answers.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::happening::{Happening, Signature, Sink};
use super::super::mint;
use super::{failed, messages_stop};
use crate::json::{Aside, Count, Text, present};
use crate::usage::{MessagesUsage, Usage};

#[derive(Debug, Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    index: Option<Count>,
    #[serde(default)]
    message: Option<Message<'a>>,
    #[serde(default)]
    content_block: Option<Block<'a>>,
    #[serde(default)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Option<Aside<MessagesUsage>>,
    #[serde(default)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    model: Option<Text<'a>>,
    #[serde(default)]
    content: Option<Vec<Block<'a>>>,
    #[serde(default)]
    stop_reason: Option<Text<'a>>,
    #[serde(default)]
    stop_sequence: Option<Text<'a>>,
    #[serde(default)]
    usage: Option<Aside<MessagesUsage>>,
    #[serde(default)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    thinking: Option<Text<'a>>,
    #[serde(default)]
    signature: Option<Text<'a>>,
    #[serde(default)]
    data: Option<Text<'a>>,
    #[serde(default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    input: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    thinking: Option<Text<'a>>,
    #[serde(default)]
    signature: Option<Text<'a>>,
    #[serde(default)]
    partial_json: Option<Text<'a>>,
    #[serde(default)]
    stop_reason: Option<Text<'a>>,
    #[serde(default)]
    stop_sequence: Option<Text<'a>>,
}

#[derive(Debug, Default)]
pub(crate) struct Reader {
    usage: Usage,
    /// The wire's index of each call; its place is the slot.
    calls: Vec<u64>,
    signature: Option<String>,
}

impl Reader {
    pub(super) fn event(
        &mut self,
        data: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), serde_json::Error> {
        let event: Event<'_> = serde_json::from_slice(data)?;
        let index = event.index.unwrap_or_default().0;
        match &*event.kind {
            "message_start" => {
                if let Some(message) = event.message {
                    self.start(&message, sink);
                }
            }
            "content_block_start" => {
                if let Some(block) = event.content_block {
                    self.block(index, block, sink);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.delta(index, delta, sink);
                }
            }
            "content_block_stop" => self.block_stop(index, sink),
            "message_delta" => {
                self.count(event.usage.as_ref(), sink);
                if let Some(delta) = event.delta
                    && let Some(reason) = delta.stop_reason.filter(|reason| !reason.is_empty())
                {
                    let sequence = delta.stop_sequence.as_deref();
                    sink.take(Happening::Stop(messages_stop(&reason, sequence)));
                }
            }
            "message_stop" => sink.take(Happening::End),
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
        let mut message: Message<'_> = serde_json::from_slice(body)?;
        if let Some(error) = present(message.error) {
            sink.take(failed(error));
            return Ok(());
        }
        self.start(&message, sink);
        for (index, block) in message
            .content
            .take()
            .unwrap_or_default()
            .into_iter()
            .enumerate()
        {
            self.block(index as u64, block, sink);
            self.block_stop(index as u64, sink);
        }
        if let Some(reason) = message.stop_reason.filter(|reason| !reason.is_empty()) {
            let sequence = message.stop_sequence.as_deref();
            sink.take(Happening::Stop(messages_stop(&reason, sequence)));
        }
        Ok(())
    }

    fn start(&mut self, message: &Message<'_>, sink: &mut impl Sink) {
        sink.take(Happening::Start {
            id: message.id.as_deref().unwrap_or_default().into(),
            model: message.model.as_deref().unwrap_or_default().into(),
        });
        self.count(message.usage.as_ref(), sink);
    }

    fn count(&mut self, usage: Option<&Aside<MessagesUsage>>, sink: &mut impl Sink) {
        if let Some(Aside(Some(usage))) = usage {
            usage.merge(&mut self.usage);
            sink.take(Happening::Usage(self.usage));
        }
    }

    fn block(&mut self, index: u64, block: Block<'_>, sink: &mut impl Sink) {
        match &*block.kind {
            "text" => sink.take(Happening::Text(block.text.unwrap_or_default().0)),
            "thinking" => {
                self.signature = block
                    .signature
                    .filter(|signature| !signature.is_empty())
                    .map(|signature| signature.0.into_owned());
                sink.take(Happening::Thinking(block.thinking.unwrap_or_default().0));
            }
            "redacted_thinking" => {
                let data = block.data.unwrap_or_default().0.into_owned();
                sink.take(Happening::Redacted(Signature::Messages(data)));
            }
            "tool_use" => {
                let slot = self.calls.len();
                self.calls.push(index);
                let id = block.id.filter(|id| !id.is_empty());
                sink.take(Happening::ToolStart {
                    slot,
                    id: id.map_or_else(|| mint("toolu_"), |id| id.0.into_owned()),
                    name: block.name.unwrap_or_default().0.into_owned(),
                });
                // Begun with an empty object, and then told piece by piece; or whole at once.
                let input = present(block.input).map_or("{}", RawValue::get);
                if !matches!(input, "{}" | "\"\"") {
                    sink.take(Happening::ToolArguments {
                        slot,
                        json: input.into(),
                    });
                }
            }
            // What the provider's own tools do stays with the provider.
            _ => {}
        }
    }

    fn delta(&mut self, index: u64, delta: Delta<'_>, sink: &mut impl Sink) {
        match &*delta.kind {
            "text_delta" => sink.take(Happening::Text(delta.text.unwrap_or_default().0)),
            "thinking_delta" => {
                sink.take(Happening::Thinking(delta.thinking.unwrap_or_default().0));
            }
            "signature_delta" => {
                self.signature = delta.signature.map(|signature| signature.0.into_owned());
            }
            "input_json_delta" => {
                if let Some(slot) = self.slot(index) {
                    let json = delta.partial_json.unwrap_or_default().0;
                    sink.take(Happening::ToolArguments { slot, json });
                }
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, index: u64, sink: &mut impl Sink) {
        let signature = self.signature.take();
        if let Some(signature) = signature.and_then(|text| Signature::from_messages(&text)) {
            sink.take(Happening::Signature(signature));
        }
        if let Some(slot) = self.slot(index) {
            sink.take(Happening::ToolEnd { slot });
        }
    }

    fn slot(&self, index: u64) -> Option<usize> {
        self.calls.iter().rposition(|known| *known == index)
    }
}
