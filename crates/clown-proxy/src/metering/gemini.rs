//! What an answer of Gemini has used. Every event of its streams says all of it so far.

use super::{End, Meter, Reading, Tokens};
use crate::sse::Splitter;
use bytes::{Bytes, BytesMut};
use serde::Deserialize;

/// A document beyond this is passed on all the same, and not read.
const MAX_DOCUMENT: usize = 32 << 20;

/// Watches one answer, a stream of events or one document.
pub(super) struct GeminiMeter {
    /// None for a document.
    events: Option<Splitter>,
    document: BytesMut,
    is_too_long: bool,
    seen: Reading,
}

impl GeminiMeter {
    pub(super) fn new(is_stream: bool) -> Self {
        Self {
            events: is_stream.then(Splitter::default),
            document: BytesMut::new(),
            is_too_long: false,
            seen: Reading::default(),
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        let Ok(said) = serde_json::from_slice::<Said>(bytes) else {
            return;
        };
        let seen = &mut self.seen;
        seen.message_id = seen.message_id.take().or(said.response_id);
        seen.model = seen.model.take().or(said.model_version);
        if let Some(usage) = said.usage_metadata {
            seen.tokens = Some(usage.tokens());
        }
        let is_over = said.candidates.iter().any(|it| it.finish_reason.is_some());
        if said.error.is_some_and(|error| !error.is_null()) {
            seen.end = End::Failed;
        } else if is_over && seen.end == End::Missing {
            seen.end = End::Complete;
        }
    }
}

impl Meter for GeminiMeter {
    fn feed(&mut self, bytes: &Bytes) {
        let Some(mut events) = self.events.take() else {
            self.is_too_long |= self.document.len() + bytes.len() > MAX_DOCUMENT;
            if self.is_too_long {
                self.document = BytesMut::new();
            } else {
                self.document.extend_from_slice(bytes);
            }
            return;
        };
        events.push(bytes.clone());
        while let Ok(Some(event)) = events.next_event() {
            self.read(&event.data);
        }
        self.events = Some(events);
    }

    fn finish(&mut self) -> Reading {
        match self.events.take() {
            Some(mut events) => {
                while let Ok(Some(event)) = events.finish() {
                    self.read(&event.data);
                }
            }
            None => {
                let document = self.document.split();
                self.read(&document);
                // A document that can be read is whole, whatever stands in it.
                if self.seen.end == End::Missing
                    && serde_json::from_slice::<serde::de::IgnoredAny>(&document).is_ok()
                {
                    self.seen.end = End::Complete;
                }
            }
        }
        std::mem::take(&mut self.seen)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Said {
    response_id: Option<String>,
    model_version: Option<String>,
    usage_metadata: Option<Usage>,
    candidates: Vec<Candidate>,
    error: Option<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate {
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Usage {
    prompt_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
}

impl Usage {
    fn tokens(&self) -> Tokens {
        let count = Option::unwrap_or_default;
        let prompt =
            count(self.prompt_token_count).saturating_add(count(self.tool_use_prompt_token_count));
        let cached = count(self.cached_content_token_count).min(prompt);
        let thoughts = count(self.thoughts_token_count);
        Tokens {
            input: prompt - cached,
            output: count(self.candidates_token_count).saturating_add(thoughts),
            cache_read: cached,
            ..Tokens::default()
        }
    }
}
