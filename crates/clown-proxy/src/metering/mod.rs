//! What an answer has used, read from its bytes as they pass.
//!
//! [`Meter`] is the seam: it is fed what the agent gets, and asked at the end, however that came.

mod gemini;

use crate::config::Format;
use crate::translate::Outcome;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Reads along. It must not hold anything up: what it cannot read, it passes over.
pub trait Meter: Send {
    /// The next bytes of the answer, cut anywhere.
    fn feed(&mut self, bytes: &Bytes);

    /// What was learnt. Called once, when no more bytes come.
    fn finish(&mut self) -> Reading;
}

/// What an answer said of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The model that answered.
    pub model: Option<String>,
    /// The provider's id of the answer.
    pub message_id: Option<String>,
    /// What was used; None where nothing was said of it.
    pub tokens: Option<Tokens>,
    /// How the answer ended.
    pub end: End,
}

impl Reading {
    /// What a translation has learnt.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let usage = &outcome.usage;
        let tokens = Tokens {
            input: usage.input,
            output: usage.output,
            cache_write: usage.cache_write_5m,
            cache_write_hour: usage.cache_write_1h,
            cache_read: usage.cache_read,
        };
        Self {
            model: given(&outcome.model),
            message_id: given(&outcome.message_id),
            tokens: (tokens != Tokens::default()).then_some(tokens),
            end: match (&outcome.failure, &outcome.stop) {
                (Some(_), _) => End::Failed,
                (None, Some(_)) => End::Complete,
                (None, None) => End::Missing,
            },
        }
    }
}

/// How an answer ended, as far as its bytes tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    /// In the middle.
    #[default]
    Missing,
    /// As its format has it.
    Complete,
    /// With an error of the provider's.
    Failed,
}

/// Tokens by what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Of the prompt, without those that went to or came from a cache.
    pub input: u64,
    /// Of the answer, with what the model thought.
    pub output: u64,
    /// Put into the cache for the provider's usual time.
    pub cache_write: u64,
    /// Put into the cache for an hour.
    pub cache_write_hour: u64,
    /// Taken from the cache.
    pub cache_read: u64,
}

/// A meter for answers of `format`: a stream of events, or one document.
pub fn meter(format: Format, is_stream: bool) -> Box<dyn Meter> {
    match format.translatable() {
        Some(format) => Box::new(Watch {
            meter: Some(crate::meter::Meter::new(format)),
            is_stream,
        }),
        None => Box::new(gemini::GeminiMeter::new(is_stream)),
    }
}

struct Watch {
    /// None once it is finished.
    meter: Option<crate::meter::Meter>,
    is_stream: bool,
}

impl Meter for Watch {
    fn feed(&mut self, bytes: &Bytes) {
        if let Some(meter) = &mut self.meter {
            meter.feed(bytes);
        }
    }

    fn finish(&mut self) -> Reading {
        let Some(meter) = self.meter.take() else {
            return Reading::default();
        };
        let outcome = meter.finish();
        let mut reading = Reading::of(&outcome);
        let says_anything = reading.message_id.is_some() || reading.model.is_some();
        reading.end = match &outcome.failure {
            None => End::Complete,
            Some(failure) if !crate::meter::is_cut(failure) => End::Failed,
            // A document that can be read is whole, whatever stands in it.
            Some(_) if says_anything && !self.is_stream => End::Complete,
            Some(_) => End::Missing,
        };
        reading
    }
}

#[cfg(test)]
mod tests;
