//! Tokens by kind, and how each format counts them.
//!
//! Messages counts what came from a cache beside its input; Chat and Responses count it inside. Here
//! `input` is always what came from no cache and went into none.

use serde::Deserialize;

use crate::format::Format;
use crate::json::{Count, Json};

/// The tokens of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input that came from no cache and was written to none.
    pub input: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written to a cache for five minutes, or for as long as the provider does by default.
    pub cache_write_5m: u64,
    /// Input written to a cache for an hour.
    pub cache_write_1h: u64,
    /// Output, with what is thought and not shown.
    pub output: u64,
    /// The part of the output that is thinking, where the provider tells it.
    pub reasoning: u64,
}

impl Usage {
    /// Everything that was sent to the model.
    pub const fn whole_input(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write_5m)
            .saturating_add(self.cache_write_1h)
    }

    const fn cache_write(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }

    /// Written as a value of the format's `usage` member.
    pub(crate) fn write(&self, format: Format, json: &mut Json<'_>) {
        match format {
            Format::Messages => json.object(|json| {
                json.number_field("input_tokens", self.input);
                json.number_field("cache_creation_input_tokens", self.cache_write());
                json.number_field("cache_read_input_tokens", self.cache_read);
                if self.cache_write() > 0 {
                    json.key("cache_creation").object(|json| {
                        json.number_field("ephemeral_5m_input_tokens", self.cache_write_5m);
                        json.number_field("ephemeral_1h_input_tokens", self.cache_write_1h);
                    });
                }
                json.number_field("output_tokens", self.output);
                if self.reasoning > 0 {
                    json.key("output_tokens_details")
                        .object(|json| json.number_field("thinking_tokens", self.reasoning));
                }
            }),
            Format::Chat => self.write_openai(
                json,
                "prompt_tokens",
                "prompt_tokens_details",
                "completion_tokens",
                "completion_tokens_details",
            ),
            Format::Responses => self.write_openai(
                json,
                "input_tokens",
                "input_tokens_details",
                "output_tokens",
                "output_tokens_details",
            ),
        }
    }

    fn write_openai(
        &self,
        json: &mut Json<'_>,
        input: &'static str,
        input_details: &'static str,
        output: &'static str,
        output_details: &'static str,
    ) {
        json.object(|json| {
            json.number_field(input, self.whole_input());
            json.key(input_details).object(|json| {
                json.number_field("cached_tokens", self.cache_read);
                json.number_field("cache_write_tokens", self.cache_write());
            });
            json.number_field(output, self.output);
            json.key(output_details)
                .object(|json| json.number_field("reasoning_tokens", self.reasoning));
            json.number_field(
                "total_tokens",
                self.whole_input().saturating_add(self.output),
            );
        });
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MessagesUsage {
    input_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    cache_read_input_tokens: Option<Count>,
    cache_creation: Option<CacheCreation>,
    output_tokens: Option<Count>,
    output_tokens_details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Option<Count>,
    ephemeral_1h_input_tokens: Option<Count>,
}

/// The details of both directions: what a provider leaves out is not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
    reasoning_tokens: Option<Count>,
    thinking_tokens: Option<Count>,
}

fn tokens(count: Option<Count>) -> u64 {
    count.unwrap_or_default().0
}

impl MessagesUsage {
    /// Later counts of one message replace earlier ones. A zero replaces nothing: providers that
    /// only imitate the format repeat the members they do not know as zero.
    pub(crate) fn merge(&self, usage: &mut Usage) {
        let replace = |place: &mut u64, count: Option<Count>| {
            if tokens(count) > 0 {
                *place = tokens(count);
            }
        };
        replace(&mut usage.input, self.input_tokens);
        replace(&mut usage.cache_read, self.cache_read_input_tokens);
        let hour = self
            .cache_creation
            .as_ref()
            .map_or(0, |kinds| tokens(kinds.ephemeral_1h_input_tokens));
        let minutes = self
            .cache_creation
            .as_ref()
            .map_or(0, |kinds| tokens(kinds.ephemeral_5m_input_tokens));
        let written = tokens(self.cache_creation_input_tokens).max(hour.saturating_add(minutes));
        if hour > 0 {
            usage.cache_write_1h = hour;
        }
        if written > 0 {
            usage.cache_write_5m = written.saturating_sub(usage.cache_write_1h);
        }
        replace(&mut usage.output, self.output_tokens);
        if let Some(details) = &self.output_tokens_details {
            replace(&mut usage.reasoning, details.thinking_tokens);
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChatUsage {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    total_tokens: Option<Count>,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
    // DeepSeek.
    prompt_cache_hit_tokens: Option<Count>,
    // Moonshot.
    cached_tokens: Option<Count>,
}

impl ChatUsage {
    pub(crate) fn read(&self) -> Usage {
        let input = self.prompt_tokens_details.as_ref();
        let mut read = input.map_or(0, |details| tokens(details.cached_tokens));
        if read == 0 {
            read = tokens(self.prompt_cache_hit_tokens).max(tokens(self.cached_tokens));
        }
        let written = input.map_or(0, |details| tokens(details.cache_write_tokens));
        let reasoning = self
            .completion_tokens_details
            .as_ref()
            .map_or(0, |details| tokens(details.reasoning_tokens));
        let prompt = tokens(self.prompt_tokens);
        let mut output = tokens(self.completion_tokens);
        // xAI counts thinking beside the completion; the total gives it away.
        let beside = prompt.saturating_add(output).saturating_add(reasoning);
        if reasoning > 0 && tokens(self.total_tokens) == beside {
            output = output.saturating_add(reasoning);
        }
        inside(prompt, read, written, output, reasoning)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ResponsesUsage {
    input_tokens: Option<Count>,
    input_tokens_details: Option<Details>,
    output_tokens: Option<Count>,
    output_tokens_details: Option<Details>,
}

impl ResponsesUsage {
    pub(crate) fn read(&self) -> Usage {
        let input = self.input_tokens_details.as_ref();
        inside(
            tokens(self.input_tokens),
            input.map_or(0, |details| tokens(details.cached_tokens)),
            input.map_or(0, |details| tokens(details.cache_write_tokens)),
            tokens(self.output_tokens),
            self.output_tokens_details
                .as_ref()
                .map_or(0, |details| tokens(details.reasoning_tokens)),
        )
    }
}

/// Where the cache is counted inside the input. A provider that reports more cache than input is
/// believed about the input.
fn inside(whole: u64, read: u64, written: u64, output: u64, reasoning: u64) -> Usage {
    let cache_read = read.min(whole);
    let cache_write_5m = written.min(whole - cache_read);
    Usage {
        input: whole - cache_read - cache_write_5m,
        cache_read,
        cache_write_5m,
        cache_write_1h: 0,
        output,
        reasoning,
    }
}
