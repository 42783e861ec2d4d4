//! Chat Completions: chunks, and whole answers, which are one chunk with a `message`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::happening::{Happening, Signature, Sink};
use super::super::mint;
use super::{chat_stop, failed};
use crate::failure::{Failure, FailureKind};
use crate::json::{Aside, Count, Text, present, text_of};
use crate::usage::ChatUsage;

#[derive(Debug, Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    model: Option<Text<'a>>,
    #[serde(default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<Aside<ChatUsage>>,
    #[serde(default)]
    x_groq: Option<Aside<Groq>>,
    #[serde(default)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Groq {
    #[serde(default)]
    usage: Option<ChatUsage>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Option<Count>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    message: Option<Delta<'a>>,
    #[serde(default)]
    finish_reason: Option<Text<'a>>,
    // Moonshot counts here.
    #[serde(default)]
    usage: Option<Aside<ChatUsage>>,
    #[serde(default)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    refusal: Option<Text<'a>>,
    #[serde(default)]
    reasoning_content: Option<Text<'a>>,
    #[serde(default)]
    reasoning: Option<&'a RawValue>,
    #[serde(default)]
    reasoning_details: Option<Aside<Vec<Detail<'a>>>>,
    #[serde(default)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(default)]
    function_call: Option<Function<'a>>,
}

/// A part of content, for those who send parts.
#[derive(Debug, Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    thinking: Option<&'a RawValue>,
}

/// What OpenRouter says of thinking.
#[derive(Debug, Deserialize)]
struct Detail<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    format: Option<Text<'a>>,
    #[serde(default)]
    signature: Option<Text<'a>>,
    #[serde(default)]
    data: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Call<'a> {
    #[serde(default)]
    index: Option<Count>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    function: Option<Function<'a>>,
    #[serde(default)]
    extra_content: Option<Aside<Extra<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Extra<'a> {
    #[serde(borrow, default)]
    google: Option<Google<'a>>,
}

#[derive(Debug, Deserialize)]
struct Google<'a> {
    #[serde(borrow, default)]
    thought_signature: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    arguments: Option<&'a RawValue>,
}

/// A tool call as far as it is known. It starts when it has a name.
#[derive(Debug)]
struct Known {
    index: Option<u64>,
    id: String,
    name: String,
    held: String,
    started: bool,
    whole: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    calls: Vec<Known>,
}

impl Reader {
    pub(super) fn event(
        &mut self,
        data: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), serde_json::Error> {
        let chunk: Chunk<'_> = serde_json::from_slice(data)?;
        if let Some(error) = present(chunk.error) {
            sink.take(failed(error));
            return Ok(());
        }
        if !self.started {
            self.started = true;
            sink.take(Happening::Start {
                id: chunk.id.unwrap_or_default().0,
                model: chunk.model.unwrap_or_default().0,
            });
        }
        let groq = chunk.x_groq.and_then(|groq| groq.0?.usage);
        let mut usage = chunk.usage.and_then(|usage| usage.0).or(groq);
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.unwrap_or_default().0 != 0 {
                continue;
            }
            if let Some(error) = present(choice.error) {
                sink.take(failed(error));
                return Ok(());
            }
            usage = usage.or_else(|| choice.usage?.0);
            if let Some(delta) = choice.delta {
                self.delta(delta, false, sink);
            } else if let Some(message) = choice.message {
                self.delta(message, true, sink);
            }
            if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
                self.finish(&reason, sink);
            }
        }
        if let Some(usage) = usage {
            sink.take(Happening::Usage(usage.read()));
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta<'_>, whole: bool, sink: &mut impl Sink) {
        let reasoning = delta.reasoning.filter(|raw| raw.get().starts_with('"'));
        match delta.reasoning_content {
            Some(text) if !text.is_empty() => sink.take(Happening::Thinking(text.0)),
            _ => sink.take(Happening::Thinking(text_of(reasoning))),
        }
        let details = delta.reasoning_details.and_then(|details| details.0);
        for detail in details.unwrap_or_default() {
            proof(detail, sink);
        }
        content(delta.content, sink);
        if let Some(refusal) = delta.refusal {
            sink.take(Happening::Text(refusal.0));
        }
        for (place, call) in delta.tool_calls.unwrap_or_default().into_iter().enumerate() {
            // In a whole answer each entry is a call, whatever it says of itself.
            let index = match call.index {
                _ if whole => Some(place as u64),
                index => index.map(|index| index.0),
            };
            self.call(index, call, sink);
        }
        if let Some(function) = delta.function_call {
            let call = Call {
                index: None,
                id: None,
                function: Some(function),
                extra_content: None,
            };
            self.call(Some(u64::MAX), call, sink);
        }
    }

    fn call(&mut self, index: Option<u64>, call: Call<'_>, sink: &mut impl Sink) {
        let id = call.id.unwrap_or_default().0;
        let (name, arguments) = match call.function {
            Some(function) => (
                function.name.unwrap_or_default().0,
                text_of(function.arguments),
            ),
            None => (Cow::Borrowed(""), Cow::Borrowed("")),
        };
        if id.is_empty() && name.is_empty() && arguments.is_empty() {
            return;
        }
        let proof = call
            .extra_content
            .and_then(|extra| extra.0?.google?.thought_signature)
            .filter(|signature| !signature.is_empty());
        let slot = match self.find(index, &id, &name) {
            Some(slot) => slot,
            None => {
                if let Some(signature) = proof {
                    let signature = Signature::Google(signature.0.into_owned());
                    sink.take(Happening::Signature(signature));
                }
                self.calls.push(Known {
                    index,
                    id: String::new(),
                    name: String::new(),
                    held: String::new(),
                    started: false,
                    whole: false,
                });
                self.calls.len() - 1
            }
        };
        let known = &mut self.calls[slot];
        if known.id.is_empty() {
            known.id = id.into_owned();
        }
        if known.name.is_empty() {
            known.name = name.into_owned();
        }
        known.whole = serde_json::from_str::<serde::de::IgnoredAny>(&arguments).is_ok();
        if known.started {
            sink.take(Happening::ToolArguments {
                slot,
                json: arguments,
            });
            return;
        }
        if known.name.is_empty() {
            known.held.push_str(&arguments);
            return;
        }
        known.started = true;
        let id = if known.id.is_empty() {
            mint("call_")
        } else {
            known.id.clone()
        };
        known.id.clone_from(&id);
        sink.take(Happening::ToolStart {
            slot,
            id,
            name: known.name.clone(),
        });
        if !known.held.is_empty() {
            let json = std::mem::take(&mut known.held).into();
            sink.take(Happening::ToolArguments { slot, json });
        }
        sink.take(Happening::ToolArguments {
            slot,
            json: arguments,
        });
    }

    /// Which call a piece belongs to. Indexes are missing with some and all 0 with others; a new id
    /// is a new call in any case.
    fn find(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        if let Some(index) = index {
            let slot = self
                .calls
                .iter()
                .rposition(|known| known.index == Some(index))?;
            let known = &self.calls[slot];
            let other = !id.is_empty() && !known.id.is_empty() && known.id != id;
            return (!other || name.is_empty()).then_some(slot);
        }
        if !id.is_empty() {
            if let Some(slot) = self.calls.iter().rposition(|known| known.id == id) {
                return Some(slot);
            }
            let last = self.calls.last()?;
            return (last.id.is_empty() && !last.whole).then(|| self.calls.len() - 1);
        }
        let last = self.calls.last()?;
        let new = !name.is_empty() && !last.name.is_empty() && (last.whole || last.name != name);
        (!new).then(|| self.calls.len() - 1)
    }

    /// Nothing more comes: a call that was never named cannot be told, nor left out in silence.
    pub(super) fn complete(&self, sink: &mut impl Sink) {
        if self.calls.iter().any(|call| !call.started) {
            sink.take(Happening::Failed(Failure::new(
                FailureKind::Api,
                "The upstream sent a tool call that names no tool.",
            )));
        }
    }

    fn finish(&self, reason: &str, sink: &mut impl Sink) {
        self.complete(sink);
        match chat_stop(reason) {
            Ok(stop) => sink.take(Happening::Stop(stop)),
            Err(failure) => sink.take(Happening::Failed(failure)),
        }
    }
}

fn content(raw: Option<&RawValue>, sink: &mut impl Sink) {
    let Some(raw) = present(raw) else { return };
    if !raw.get().starts_with('[') {
        sink.take(Happening::Text(text_of(Some(raw))));
        return;
    }
    // Parts: Mistral, which thinks in a part of parts.
    for part in serde_json::from_str::<Vec<Part<'_>>>(raw.get()).unwrap_or_default() {
        if let Some(thinking) = present(part.thinking) {
            let inner = serde_json::from_str::<Vec<Part<'_>>>(thinking.get()).unwrap_or_default();
            for text in inner.into_iter().filter_map(|part| part.text) {
                sink.take(Happening::Thinking(text.0));
            }
        }
        if let Some(text) = part.text {
            sink.take(Happening::Text(text.0));
        }
    }
}

fn proof(detail: Detail<'_>, sink: &mut impl Sink) {
    let anthropic = detail
        .format
        .as_ref()
        .is_some_and(|format| format.starts_with("anthropic"));
    if let Some(signature) = detail.signature.filter(|text| !text.is_empty()) {
        let signature = Signature::Messages(signature.0.into_owned());
        sink.take(Happening::Signature(signature));
    } else if let Some(data) = detail.data.filter(|data| !data.is_empty()) {
        let encrypted = data.0.into_owned();
        if anthropic {
            sink.take(Happening::Redacted(Signature::Messages(encrypted)));
        } else {
            sink.take(Happening::Signature(Signature::Responses {
                id: detail.id.unwrap_or_default().0.into_owned(),
                encrypted,
            }));
        }
    }
}
