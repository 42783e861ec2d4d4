//! Usage of answers that pass untouched.
//!
//! A meter is shown the bytes that go by. Most events of a stream are pieces of text; they are looked
//! at with a search for a few words and never parsed.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::failure::{Failure, FailureKind};
use crate::format::Format;
use crate::json::{Text, present};
use crate::sse::{Event, Splitter};
use crate::translate::{Outcome, chat_stop, messages_stop, responses_stop};
use crate::usage::{ChatUsage, MessagesUsage, ResponsesUsage};

/// What of a body is kept to be read at its end.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// What is said of an answer that ends in its middle.
const CUT: &str = "The upstream ended the answer before it was whole.";

/// Whether this is what a meter says of an answer that ends in its middle.
pub(crate) fn is_cut(failure: &Failure) -> bool {
    failure.message == CUT
}

/// Watches one answer.
#[derive(Debug)]
pub struct Meter {
    format: Format,
    shape: Shape,
    outcome: Outcome,
    said_end: bool,
}

#[derive(Debug)]
enum Shape {
    /// What came before the first byte that tells.
    Unknown(BytesMut),
    Events(Box<Splitter>),
    /// A body in one chunk is not copied.
    Body(Bytes),
    Gathered(BytesMut),
    /// Too large, or broken: nothing more is read.
    Lost,
}

/// The members that are metered, of a body or of the message in an event.
#[derive(Debug, Default, Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    model: Option<Text<'a>>,
    #[serde(default)]
    usage: Option<&'a RawValue>,
    #[serde(default)]
    stop_reason: Option<Text<'a>>,
    #[serde(default)]
    stop_sequence: Option<Text<'a>>,
    #[serde(default)]
    status: Option<&'a RawValue>,
    #[serde(default)]
    incomplete_details: Option<Reason<'a>>,
    #[serde(default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    x_groq: Option<Groq<'a>>,
    #[serde(default)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    message: Option<&'a RawValue>,
    #[serde(default)]
    response: Option<&'a RawValue>,
    #[serde(default)]
    delta: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Reason<'a> {
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
    #[serde(default)]
    usage: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Groq<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

impl Meter {
    /// A meter for an answer of this format, streamed or not: the first byte tells.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            shape: Shape::Unknown(BytesMut::new()),
            outcome: Outcome::default(),
            said_end: false,
        }
    }

    /// Is shown a chunk that goes by.
    pub fn feed(&mut self, chunk: &Bytes) {
        match &mut self.shape {
            Shape::Unknown(begun) => {
                let chunk = if begun.is_empty() {
                    chunk.clone()
                } else {
                    begun.extend_from_slice(chunk);
                    begun.split().freeze()
                };
                let text = chunk.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&chunk);
                match text.trim_ascii_start().first() {
                    // Nothing told yet, or a mark of the byte order that is cut.
                    None | Some(0xef) => begun.extend_from_slice(&chunk),
                    Some(b'{' | b'[') => self.shape = Shape::Body(chunk),
                    Some(_) => {
                        self.shape = Shape::Events(Box::default());
                        self.events(&chunk);
                    }
                }
            }
            Shape::Events(_) => self.events(chunk),
            Shape::Body(body) => {
                let mut gathered = BytesMut::with_capacity(body.len() + chunk.len());
                gathered.extend_from_slice(body);
                gathered.extend_from_slice(chunk);
                self.shape = Shape::Gathered(gathered);
            }
            Shape::Gathered(body) if body.len() + chunk.len() > BODY_LIMIT => {
                self.shape = Shape::Lost;
            }
            Shape::Gathered(body) => body.extend_from_slice(chunk),
            Shape::Lost => {}
        }
    }

    /// What is known so far: for an answer whose caller has left.
    pub fn so_far(&self) -> &Outcome {
        &self.outcome
    }

    /// The answer is at its end. A stream that never said why it stopped has a failure in its outcome.
    pub fn finish(mut self) -> Outcome {
        match std::mem::replace(&mut self.shape, Shape::Lost) {
            Shape::Body(body) => self.body(&body),
            Shape::Gathered(body) => self.body(&body),
            Shape::Events(mut splitter) => {
                while let Ok(Some(event)) = splitter.finish() {
                    self.event(&event);
                }
            }
            Shape::Unknown(_) | Shape::Lost => {}
        }
        let outcome = &mut self.outcome;
        if outcome.stop.is_none() && outcome.failure.is_none() && !self.said_end {
            outcome.failure = Some(Failure::new(FailureKind::Api, CUT));
        }
        self.outcome
    }

    fn body(&mut self, body: &[u8]) {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        if let Ok(head) = serde_json::from_slice::<Head<'_>>(body) {
            self.head(&head);
            self.responses_end(&head);
        }
    }

    fn events(&mut self, chunk: &Bytes) {
        let Shape::Events(splitter) = &mut self.shape else {
            return;
        };
        let mut splitter = std::mem::take(splitter);
        splitter.push(chunk.clone());
        loop {
            match splitter.next_event() {
                Ok(Some(event)) => self.event(&event),
                Ok(None) => break,
                Err(_) => {
                    self.shape = Shape::Lost;
                    return;
                }
            }
        }
        self.shape = Shape::Events(splitter);
    }

    fn event(&mut self, event: &Event) {
        if event.data.starts_with(b"[DONE]") {
            self.said_end = true;
            return;
        }
        if self.is_last(event) {
            self.said_end = true;
        }
        if !self.concerns(event) {
            return;
        }
        let Ok(head) = serde_json::from_slice::<Head<'_>>(&event.data) else {
            return;
        };
        match self.format {
            Format::Chat => self.head(&head),
            Format::Messages => {
                self.inner(head.message);
                // The stop reason stands in the delta, the usage beside it.
                self.inner(head.delta);
                let beside = Head {
                    usage: head.usage,
                    error: head.error,
                    ..Head::default()
                };
                self.head(&beside);
            }
            Format::Responses => self.responses_event(&head, &event.data),
        }
    }

    /// Whether an event says by its kind that the answer is whole.
    fn is_last(&self, event: &Event) -> bool {
        let kinds: &[&str] = match self.format {
            Format::Messages => &["message_stop"],
            Format::Responses => &["response.completed", "response.incomplete"],
            Format::Chat => &[],
        };
        let is_of = |kind: &&str| match event.name.is_empty() {
            // A text has a backslash before its quotes.
            true => memmem::find(&event.data, format!("\"{kind}\"").as_bytes()).is_some(),
            false => &event.name[..] == kind.as_bytes(),
        };
        kinds.iter().any(is_of)
    }

    /// Whether an event can hold anything that is metered.
    fn concerns(&self, event: &Event) -> bool {
        match (self.format, &event.name[..]) {
            (Format::Chat, _) => {
                (self.outcome.model.is_empty() && self.outcome.message_id.is_empty())
                    || holds(&event.data, b"\"usage\"")
                    || holds(&event.data, b"\"finish_reason\"")
                    || holds(&event.data, b"\"error\"")
            }
            (Format::Messages, b"message_start" | b"message_delta" | b"error") => true,
            (Format::Messages, b"") => {
                holds(&event.data, b"\"usage\"") || holds(&event.data, b"\"error\"")
            }
            (
                Format::Responses,
                b"response.created"
                | b"response.completed"
                | b"response.incomplete"
                | b"response.failed"
                | b"response.done"
                | b"error",
            ) => true,
            (Format::Responses, b"") => {
                holds(&event.data, b"\"response\"") || holds(&event.data, b"\"error\"")
            }
            _ => false,
        }
    }

    fn responses_event(&mut self, head: &Head<'_>, data: &[u8]) {
        if head.kind.as_deref() == Some("error") {
            let value = match head.error {
                Some(error) => serde_json::from_str(error.get()).unwrap_or_default(),
                None => {
                    let mut value: Value = serde_json::from_slice(data).unwrap_or_default();
                    if let Some(members) = value.as_object_mut() {
                        members.remove("type");
                    }
                    value
                }
            };
            self.outcome.failure = Some(Failure::from_value(None, &value));
            return;
        }
        let inner = head.response.map(RawValue::get).unwrap_or_default();
        if let Ok(response) = serde_json::from_str::<Head<'_>>(inner) {
            self.head(&response);
            let over = head.kind.as_deref().is_some_and(|kind| {
                !matches!(
                    kind,
                    "response.created" | "response.in_progress" | "response.queued"
                )
            });
            if over {
                self.responses_end(&response);
            }
            let failed = head.kind.as_deref() == Some("response.failed");
            if failed && self.outcome.failure.is_none() {
                let message = "The upstream said that the answer failed, and not why.";
                self.outcome.failure = Some(Failure::new(FailureKind::Api, message));
            }
        }
    }

    fn responses_end(&mut self, head: &Head<'_>) {
        if self.format != Format::Responses || self.outcome.failure.is_some() {
            return;
        }
        let Some(status) = present(head.status) else {
            return;
        };
        let reason = head
            .incomplete_details
            .as_ref()
            .and_then(|details| details.reason.as_deref());
        match responses_stop(
            Some(status.get().trim_matches('"')),
            reason.unwrap_or_default(),
        ) {
            Ok(stop) => self.outcome.stop = Some(stop),
            Err(failure) => self.outcome.failure = Some(failure),
        }
    }

    fn inner(&mut self, raw: Option<&RawValue>) {
        if let Some(raw) = present(raw)
            && let Ok(head) = serde_json::from_str::<Head<'_>>(raw.get())
        {
            self.head(&head);
        }
    }

    fn head(&mut self, head: &Head<'_>) {
        let outcome = &mut self.outcome;
        if let Some(id) = head.id.as_deref().filter(|_| outcome.message_id.is_empty()) {
            id.clone_into(&mut outcome.message_id);
        }
        if let Some(model) = head.model.as_deref().filter(|_| outcome.model.is_empty()) {
            model.clone_into(&mut outcome.model);
        }
        if let Some(error) = present(head.error) {
            let value: Value = serde_json::from_str(error.get()).unwrap_or_default();
            outcome.failure = Some(Failure::from_value(None, &value));
        }
        if let Some(reason) = head
            .stop_reason
            .as_deref()
            .filter(|reason| !reason.is_empty())
        {
            outcome.stop = Some(messages_stop(reason, head.stop_sequence.as_deref()));
        }
        let groq = head.x_groq.as_ref().and_then(|groq| groq.usage);
        let mut usage = present(head.usage).or_else(|| present(groq));
        for choice in head.choices.iter().flatten() {
            usage = usage.or_else(|| present(choice.usage));
            let reason = choice.finish_reason.as_deref();
            if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
                match chat_stop(reason) {
                    Ok(stop) => _ = outcome.stop.get_or_insert(stop),
                    Err(failure) => outcome.failure = Some(failure),
                }
            }
        }
        let Some(usage) = usage.map(RawValue::get) else {
            return;
        };
        match self.format {
            Format::Messages => {
                if let Ok(told) = serde_json::from_str::<MessagesUsage>(usage) {
                    told.merge(&mut outcome.usage);
                }
            }
            Format::Chat => {
                if let Ok(told) = serde_json::from_str::<ChatUsage>(usage) {
                    outcome.usage = told.read();
                }
            }
            Format::Responses => {
                if let Ok(told) = serde_json::from_str::<ResponsesUsage>(usage) {
                    outcome.usage = told.read();
                }
            }
        }
    }
}

/// Whether a member of this name stands here with a value that is not `null`. A name in a text has a
/// backslash before its second quote and is not found.
fn holds(data: &[u8], name: &[u8]) -> bool {
    memmem::find_iter(data, name).any(|at| {
        let rest = data[at + name.len()..].trim_ascii_start();
        rest.strip_prefix(b":")
            .is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
    })
}

#[cfg(test)]
mod tests;
