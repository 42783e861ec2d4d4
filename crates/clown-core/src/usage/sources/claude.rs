//! Claude Code: JSON lines, one a block of an answer, in `projects/<folder>/<session>.jsonl` and, of
//! sub-agents, in folders below.
//!
//! - An answer stands on several lines with one `message.id` while it grows: the largest counts.
//! - Sessions that are resumed or forked copy lines to other files, and side chains replay them under
//!   other request ids and at other times: the provider's id of the message says what is the same.
//! - Gateways invent ids, and some give one id to everything. Those say nothing alone, but the lines of
//!   one answer follow each other, and each names the one before it.
//! - Lines of other types may hold whole answers (`progress`, `toolUseResult`): those stand on lines
//!   of their own, too.
//! - The models that advised stand in `iterations`; no other line tells of them.

use super::{Context, Memory, Read, key_of_answer};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key, Record};
use clown_events::Timestamp;
use memchr::{memchr, memmem};
use serde::{Deserialize, Serialize};

pub(super) const READ: Read = Read::Lines {
    marker: Some(b"\"usage\""),
    line,
};

#[derive(Default)]
struct Line<'a> {
    is_answer: bool,
    uuid: Text<'a>,
    /// The line that this one stands behind.
    parent: Text<'a>,
    at: Text<'a>,
    session: Text<'a>,
    request: Text<'a>,
    cwd: Text<'a>,
    /// The line that this one is a copy of.
    copied_from: Text<'a>,
    /// Its session.
    copied_session: Text<'a>,
    message: Message<'a>,
}

#[derive(Default)]
struct Message<'a> {
    id: Text<'a>,
    model: Text<'a>,
    usage: Option<Usage<'a>>,
}

/// What one answer has used.
#[derive(Default)]
pub(super) struct Usage<'a> {
    pub(super) counts: Counts,
    pub(super) fast: bool,
    advisors: Vec<(Text<'a>, Counts)>,
}

fn line(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let mut json = Json::new(text);
    match read(&mut json) {
        Some(line) if json.ends() => found(text, &line, context),
        _ => records(text, context),
    }
}

/// So often, the end of half a record is looked for.
const MOST_HALVES: usize = 64;

/// Of a line that is not one record: half of one, because Claude Code ended while it wrote it, and
/// what was written behind it later.
fn records(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let mut rest = text;
    for _ in 0..MOST_HALVES {
        let mut json = Json::new(rest);
        let record = read(&mut json);
        let behind = json.rest();
        rest = match record {
            // Within another one, a comma or a bracket follows.
            Some(record) if matches!(behind, [] | [b'{', ..]) => {
                found(&rest[..rest.len() - behind.len()], &record, context);
                behind
            }
            _ => behind_half(rest)?,
        };
    }
    None
}

/// Where another record begins: as this one does. Half of a beginning has another within.
fn behind_half(text: &[u8]) -> Option<&[u8]> {
    let begin = &text[..=memchr(b':', text)?];
    let next = match memmem::find(begin.get(1..)?, b"{\"") {
        Some(next) => next,
        None => memmem::find(&text[1..], begin)?,
    };
    Some(&text[1 + next..])
}

fn found(text: &[u8], line: &Line<'_>, context: &mut Context<'_>) -> Option<()> {
    let usage = line.message.usage.as_ref().filter(|_| line.is_answer)?;
    // What Claude Code writes itself, such as "interrupted", is no answer of a model.
    if line.message.model.raw() == b"<synthetic>" {
        return None;
    }
    let at: Timestamp = std::str::from_utf8(line.at.raw()).ok()?.parse().ok()?;
    let key = key(text, line, at.unix_millis(), context.memory);
    if context.memory.project.is_empty() {
        context.memory.project = line.cwd.read()?.into_owned();
    }
    let session = line.session.read()?;
    let record = Record {
        key,
        at: at.unix_millis(),
        session: &session,
        model: &line.message.model.read()?,
        fast: Some(usage.fast),
        counts: usage.counts,
    };
    context.found(&record);
    for (index, (model, counts)) in usage.advisors.iter().enumerate() {
        context.found(&Record {
            key: Key::of(&[b"advisor", &key.0, &index.to_le_bytes()]),
            model: &model.read()?,
            fast: Some(false),
            counts: *counts,
            ..record
        });
    }
    Some(())
}

fn key(text: &[u8], line: &Line<'_>, at: i64, memory: &mut Memory) -> Key {
    if let Some(key) = key_of_answer(line.message.id) {
        return key;
    }
    let id = line.message.id.raw();
    if !id.is_empty() {
        if !line.request.is_empty() {
            return Key::of(&[b"claude-request", id, line.request.raw()]);
        }
        return Answer::of(line, at, memory).key;
    }
    let uuid = line.original().raw();
    if uuid.is_empty() {
        Key::of(&[b"claude-text", text])
    } else {
        Key::of(&[b"claude-line", uuid])
    }
}

/// An answer whose id says nothing, as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    key: Key,
    id: String,
    session: String,
    /// Its last line.
    line: String,
    /// When that was written, in milliseconds.
    at: i64,
    prompt: u64,
    output: u64,
}

/// Between two lines of one answer.
const PAUSE_MILLIS: u64 = 10_000;

impl Answer {
    /// The one that `line` is of: the last one, or a new one.
    fn of<'m>(line: &Line<'_>, at: i64, memory: &'m mut Memory) -> &'m Self {
        let text = |text: Text<'_>| String::from_utf8_lossy(text.raw()).into_owned();
        let counts = line.message.usage.as_ref().map(|usage| usage.counts);
        let counts = counts.unwrap_or_default();
        let mut answer = Self {
            key: Key::of(&[]),
            id: text(line.message.id),
            session: text(line.original_session()),
            line: text(line.uuid),
            at,
            prompt: counts.prompt(),
            output: counts.output,
        };
        answer.key = match &memory.answer {
            Some(last) if last.goes_on(&answer, line.parent) => last.key,
            _ => answer.first_key(line.original()),
        };
        memory.answer.insert(answer)
    }

    fn goes_on(&self, next: &Self, parent: Text<'_>) -> bool {
        if self.id != next.id || self.session != next.session {
            return false;
        }
        let follows = !self.line.is_empty()
            && (self.line.as_bytes() == parent.raw() || self.line == next.line)
            && (self.prompt == next.prompt || self.prompt == 0 || next.prompt == 0);
        // A tool's result may stand between two lines of one answer; the prompt of the next answer
        // is longer by it. What the prompt was may be told late.
        let grows = next.prompt > 0
            && (self.prompt == next.prompt || self.prompt == 0)
            && self.output <= next.output
            && self.at.abs_diff(next.at) <= PAUSE_MILLIS;
        follows || grows
    }

    /// Of what the first line says of itself: copies of it say the same.
    fn first_key(&self, line: Text<'_>) -> Key {
        let at = self.at.to_le_bytes();
        let line = if line.is_empty() { &at } else { line.raw() };
        let (id, session) = (self.id.as_bytes(), self.session.as_bytes());
        let prompt = self.prompt.to_le_bytes();
        Key::of(&[b"claude-answer", id, session, line, &prompt])
    }
}

impl<'a> Line<'a> {
    /// This line, or what it is a copy of.
    fn original(&self) -> Text<'a> {
        if self.copied_from.is_empty() {
            self.uuid
        } else {
            self.copied_from
        }
    }

    fn original_session(&self) -> Text<'a> {
        if self.copied_session.is_empty() {
            self.session
        } else {
            self.copied_session
        }
    }
}

/// `None` for what is no whole object.
fn read<'a>(json: &mut Json<'a>) -> Option<Line<'a>> {
    let mut line = Line::default();
    json.object(|key, value| {
        match key {
            b"type" => {
                line.is_answer = value.text()?.is_some_and(|text| text.raw() == b"assistant");
            }
            b"uuid" => line.uuid = value.text_or_empty()?,
            b"parentUuid" => line.parent = value.text_or_empty()?,
            b"timestamp" => line.at = value.text_or_empty()?,
            b"sessionId" => line.session = value.text_or_empty()?,
            b"requestId" => line.request = value.text_or_empty()?,
            b"cwd" => line.cwd = value.text_or_empty()?,
            b"forkedFrom" => value.object_or_skip(|key, value| {
                match key {
                    b"messageUuid" => line.copied_from = value.text_or_empty()?,
                    b"sessionId" => line.copied_session = value.text_or_empty()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            b"message" => line.message = message(value)?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(line)
}

fn message<'a>(value: &mut Json<'a>) -> Option<Message<'a>> {
    let mut message = Message::default();
    value.object_or_skip(|key, value| {
        match key {
            b"id" => message.id = value.text_or_empty()?,
            b"model" => message.model = value.text_or_empty()?,
            b"usage" if value.is_object() => message.usage = Some(usage(value)?),
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(message)
}

/// Of an object in the form of Anthropic's `usage`.
pub(super) fn usage<'a>(value: &mut Json<'a>) -> Option<Usage<'a>> {
    let mut usage = Usage::default();
    let mut writes = Writes::default();
    value.object(|key, value| {
        match key {
            b"iterations" if value.is_array() => value.array(|value| {
                usage.advisors.extend(advisor(value)?);
                Some(())
            })?,
            b"speed" => usage.fast = value.text()?.is_some_and(|text| text.raw() == b"fast"),
            _ => count(key, value, &mut usage.counts, &mut writes)?,
        }
        Some(())
    })?;
    split_writes(&mut usage.counts, writes);
    Some(usage)
}

/// What went to caches: the sum, and what of it is kept for 5 minutes.
#[derive(Default)]
struct Writes {
    sum: Option<u64>,
    short: u64,
}

fn count(key: &[u8], value: &mut Json<'_>, counts: &mut Counts, writes: &mut Writes) -> Option<()> {
    match key {
        b"input_tokens" => counts.input = value.count()?,
        b"output_tokens" => counts.output = value.count()?,
        b"cache_read_input_tokens" => counts.cache_read = value.count()?,
        b"cache_creation_input_tokens" => writes.sum = value.count_or_none()?,
        b"cache_creation" => value.object_or_skip(|key, value| {
            match key {
                b"ephemeral_5m_input_tokens" => writes.short = value.count()?,
                b"ephemeral_1h_input_tokens" => counts.cache_write_hour = value.count()?,
                _ => value.skip()?,
            }
            Some(())
        })?,
        _ => value.skip()?,
    }
    Some(())
}

/// The sum is what Claude Code goes by; what is not kept for an hour is kept for 5 minutes.
fn split_writes(counts: &mut Counts, writes: Writes) {
    let hour = counts.cache_write_hour;
    let sum = writes.sum.unwrap_or(writes.short.saturating_add(hour));
    counts.cache_write_hour = hour.min(sum);
    counts.cache_write = sum - counts.cache_write_hour;
}

/// Other iterations are parts of what the whole says.
fn advisor<'a>(value: &mut Json<'a>) -> Option<Option<(Text<'a>, Counts)>> {
    let mut counts = Counts::default();
    let (mut writes, mut advises, mut model) = (Writes::default(), false, Text::default());
    value.object_or_skip(|key, value| {
        match key {
            b"type" => {
                advises = value
                    .text()?
                    .is_some_and(|text| text.raw() == b"advisor_message");
            }
            b"model" => model = value.text_or_empty()?,
            _ => count(key, value, &mut counts, &mut writes)?,
        }
        Some(())
    })?;
    split_writes(&mut counts, writes);
    Some(advises.then_some((model, counts)))
}
