//! Qwen Code: JSON lines, one file a chat, in `projects/<folder>/chats/`. Of an answer it notes an
//! event there, with the provider's id.
//!
//! - `usageMetadata` of `assistant` lines repeats what the event of the answer says, and leaves out
//!   answers to requests beside the chat.
//! - `usage/token-usage-<month>.jsonl` has the same answers under ids of its own, and
//!   `usage_record.jsonl` their sums: to read them too would count all of it again.
//! - Chats that are forked or resumed copy lines to other files. The ids stay.
//! - `input_token_count` has what came from a cache inside of it. What was thought is inside of
//!   `output_token_count` or beside it, by the kind of provider: the sum tells.

use super::{Context, Read, key_of_answer, model_or_unknown, moment};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key, Record};

pub(super) const READ: Read = Read::Lines {
    marker: Some(b"qwen-code.api_response"),
    line,
};

#[derive(Default)]
struct Line<'a> {
    uuid: Text<'a>,
    at: Text<'a>,
    session: Text<'a>,
    cwd: Text<'a>,
    event: Event<'a>,
}

#[derive(Default)]
struct Event<'a> {
    name: Text<'a>,
    response: Text<'a>,
    model: Text<'a>,
    provider: Text<'a>,
    input: u64,
    output: u64,
    cached: u64,
    thoughts: u64,
    total: u64,
}

fn line(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let line = read(text)?;
    let event = &line.event;
    if event.name.raw() != b"qwen-code.api_response" {
        return None;
    }
    let at = moment(line.at)?;
    let session = line.session.read()?;
    let counts = counts(event);
    let key = match key_of_answer(event.response) {
        Some(key) => key,
        None if line.uuid.is_empty() => {
            let counts = counts.bytes();
            Key::of(&[b"qwen-answer", session.as_bytes(), line.at.raw(), &counts])
        }
        None => Key::of(&[b"qwen-line", line.uuid.raw()]),
    };
    if context.memory.project.is_empty() {
        context.memory.project = line.cwd.read()?.into_owned();
    }
    context.found(&Record {
        key,
        at,
        session: &session,
        model: model_or_unknown(&event.model.read()?),
        fast: Some(false),
        counts,
    });
    Some(())
}

fn counts(event: &Event<'_>) -> Counts {
    // Some servers count nothing but what came from the cache.
    let input = if event.input == 0 {
        event.cached
    } else {
        event.input
    };
    let with_thoughts = event.output.saturating_add(event.thoughts);
    let thoughts_beside = if event.total == input.saturating_add(with_thoughts) {
        true
    } else if event.total == input.saturating_add(event.output) {
        false
    } else {
        matches!(event.provider.raw(), b"gemini" | b"vertex-ai")
    };
    Counts {
        input,
        output: if thoughts_beside {
            with_thoughts
        } else {
            event.output
        },
        cache_read: event.cached,
        ..Counts::default()
    }
    .without_caches_in_input()
}

/// `None` for what is no whole line.
fn read(text: &[u8]) -> Option<Line<'_>> {
    let mut line = Line::default();
    Json::whole(text, |key, value| {
        match key {
            b"uuid" => line.uuid = value.text_or_empty()?,
            b"timestamp" => line.at = value.text_or_empty()?,
            b"sessionId" => line.session = value.text_or_empty()?,
            b"cwd" => line.cwd = value.text_or_empty()?,
            b"systemPayload" => value.object_or_skip(|key, value| match key {
                b"uiEvent" => {
                    value.object_or_skip(|key, value| member(key, value, &mut line.event))
                }
                _ => value.skip(),
            })?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(line)
}

fn member<'a>(key: &[u8], value: &mut Json<'a>, event: &mut Event<'a>) -> Option<()> {
    match key {
        b"event.name" => event.name = value.text_or_empty()?,
        b"response_id" => event.response = value.text_or_empty()?,
        b"model" => event.model = value.text_or_empty()?,
        b"auth_type" => event.provider = value.text_or_empty()?,
        b"input_token_count" => event.input = value.count()?,
        b"output_token_count" => event.output = value.count()?,
        b"cached_content_token_count" => event.cached = value.count()?,
        b"thoughts_token_count" => event.thoughts = value.count()?,
        b"total_token_count" => event.total = value.count()?,
        _ => value.skip()?,
    }
    Some(())
}

#[cfg(test)]
mod tests;
