//! What one document or event says, of each format. Members that nobody asks for are hopped over.

use super::{End, Meter, Reading, Tokens};
use crate::config::Format;
use serde::{Deserialize, Deserializer};

/// A document beyond this is passed on all the same, and not read.
const MAX_DOCUMENT: usize = 64 << 20;

/// An answer that comes as one document.
pub(super) struct DocumentMeter {
    format: Format,
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl DocumentMeter {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            bytes: Vec::new(),
            is_too_long: false,
        }
    }
}

impl Meter for DocumentMeter {
    fn feed(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.bytes.len() + bytes.len() > MAX_DOCUMENT;
        if self.is_too_long {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self) -> Reading {
        let mut seen = Seen::default();
        let is_whole = read(self.format, &self.bytes, &mut seen);
        let mut reading = seen.reading(self.format);
        // A document that can be read is whole, whatever stands in it.
        if is_whole && reading.end == End::Missing {
            reading.end = End::Complete;
        }
        reading
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    model: Option<String>,
    id: Option<String>,
    usage: Option<Usage>,
    is_done: bool,
    has_failed: bool,
}

impl Seen {
    pub(super) fn done(&mut self) {
        self.is_done = true;
    }

    pub(super) fn reading(&self, format: Format) -> Reading {
        Reading {
            model: self.model.clone(),
            message_id: self.id.clone(),
            tokens: self.usage.as_ref().map(|usage| usage.tokens(format)),
            end: match (self.has_failed, self.is_done) {
                (true, _) => End::Failed,
                (false, true) => End::Complete,
                // Its last event has no mark of its own.
                (false, false) if format == Format::Gemini && self.usage.is_some() => End::Complete,
                (false, false) => End::Missing,
            },
        }
    }
}

/// The members of all formats; each has names of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "type", deserialize_with = "text")]
    kind: Option<String>,
    #[serde(deserialize_with = "text")]
    id: Option<String>,
    #[serde(deserialize_with = "text")]
    model: Option<String>,
    #[serde(deserialize_with = "usage")]
    usage: Option<Usage>,
    /// Anthropic's `message_start`.
    message: Option<Inner>,
    /// Events of OpenAI's Responses.
    response: Option<Inner>,
    choices: Option<Vec<Choice>>,
    error: Option<serde_json::Value>,
    #[serde(rename = "responseId", deserialize_with = "text")]
    response_id: Option<String>,
    #[serde(rename = "modelVersion", deserialize_with = "text")]
    model_version: Option<String>,
    #[serde(rename = "usageMetadata", deserialize_with = "usage")]
    usage_metadata: Option<Usage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inner {
    #[serde(deserialize_with = "text")]
    id: Option<String>,
    #[serde(deserialize_with = "text")]
    model: Option<String>,
    #[serde(deserialize_with = "usage")]
    usage: Option<Usage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    #[serde(deserialize_with = "text")]
    finish_reason: Option<String>,
}

/// Counts by all the names that they have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    #[serde(alias = "input_tokens_details")]
    prompt_tokens_details: Option<Details>,
    #[serde(rename = "promptTokenCount")]
    prompt_token_count: Option<u64>,
    #[serde(rename = "toolUsePromptTokenCount")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(rename = "candidatesTokenCount")]
    candidates_token_count: Option<u64>,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts_token_count: Option<u64>,
    #[serde(rename = "cachedContentTokenCount")]
    cached_content_token_count: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Usage {
    /// Later reports of one answer say all that earlier ones said, or only what has grown.
    fn over(self, earlier: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.or(earlier.input_tokens),
            output_tokens: self.output_tokens.or(earlier.output_tokens),
            cache_creation_input_tokens: self
                .cache_creation_input_tokens
                .or(earlier.cache_creation_input_tokens),
            cache_read_input_tokens: self
                .cache_read_input_tokens
                .or(earlier.cache_read_input_tokens),
            cache_creation: self.cache_creation.or(earlier.cache_creation),
            ..self
        }
    }

    fn tokens(&self, format: Format) -> Tokens {
        let count = Option::unwrap_or_default;
        match format {
            Format::AnthropicMessages => {
                let writes = count(self.cache_creation_input_tokens);
                let kept = self.cache_creation.as_ref();
                let hour = kept.and_then(|kept| kept.ephemeral_1h_input_tokens);
                let hour = count(hour).min(writes);
                Tokens {
                    input: count(self.input_tokens),
                    output: count(self.output_tokens),
                    cache_write: writes - hour,
                    cache_write_hour: hour,
                    cache_read: count(self.cache_read_input_tokens),
                }
            }
            Format::OpenaiChat | Format::OpenaiResponses => {
                let prompt = count(self.prompt_tokens.or(self.input_tokens));
                let details = self.prompt_tokens_details.as_ref();
                let cached = count(details.and_then(|it| it.cached_tokens)).min(prompt);
                Tokens {
                    input: prompt - cached,
                    output: count(self.completion_tokens.or(self.output_tokens)),
                    cache_read: cached,
                    ..Tokens::default()
                }
            }
            Format::Gemini => {
                let prompt = count(self.prompt_token_count)
                    .saturating_add(count(self.tool_use_prompt_token_count));
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
    }
}

/// Adds what `bytes` say. False if they are no document.
pub(super) fn read(format: Format, bytes: &[u8], seen: &mut Seen) -> bool {
    let Ok(document) = serde_json::from_slice::<Document>(bytes) else {
        return false;
    };
    let kind = document.kind.as_deref().unwrap_or_default();
    let inner = match format {
        Format::AnthropicMessages => document.message,
        Format::OpenaiResponses => document.response,
        Format::OpenaiChat | Format::Gemini => None,
    };
    seen.is_done |= match format {
        Format::AnthropicMessages => kind == "message_stop",
        Format::OpenaiResponses => matches!(kind, "response.completed" | "response.incomplete"),
        Format::OpenaiChat => document
            .choices
            .iter()
            .flatten()
            .any(|choice| choice.finish_reason.is_some()),
        Format::Gemini => false,
    };
    seen.has_failed |= matches!(kind, "error" | "response.failed")
        || document.error.is_some_and(|error| !error.is_null());
    // Events of Responses carry ids of their parts; the answer's own stands in `response`.
    let is_part = kind.starts_with("response.");
    let outer = Inner {
        id: document.id.or(document.response_id).filter(|_| !is_part),
        model: document.model.or(document.model_version),
        usage: document.usage.or(document.usage_metadata),
    };
    for said in inner.into_iter().chain([outer]) {
        keep_first(&mut seen.id, said.id);
        keep_first(&mut seen.model, said.model);
        if let Some(usage) = said.usage {
            seen.usage = Some(match seen.usage.take() {
                Some(earlier) => usage.over(earlier),
                None => usage,
            });
        }
    }
    true
}

fn keep_first(kept: &mut Option<String>, said: Option<String>) {
    if kept.is_none() {
        *kept = said.filter(|text| !text.is_empty());
    }
}

/// A text; anything else says nothing.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}

/// Counts; what is none says nothing, and hides nothing else.
fn usage<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Usage>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}
