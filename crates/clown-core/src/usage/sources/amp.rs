//! Amp: `threads/T-….json` of versions that kept their threads on the machine; its service keeps them
//! today, and nothing is written here.
//!
//! - Where a thread has a `usageLedger`, its events are the requests, and the messages repeat them; only
//!   what went to caches and came from them stands at the message that an event led to.
//! - Else each message of the assistant has its `usage`. Caches are not in `inputTokens`.

use super::{Context, Read, model_or_unknown, moment};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key, Record};
use std::collections::BTreeMap;

pub(super) const READ: Read = Read::Whole(file);

#[derive(Default)]
struct Thread<'a> {
    id: Text<'a>,
    /// In milliseconds since 1970.
    created: u64,
    folder: Text<'a>,
    /// Messages of the assistant that tell of their usage, by their numbers.
    answers: BTreeMap<u64, Used<'a>>,
    events: Vec<Event<'a>>,
}

#[derive(Default)]
struct Used<'a> {
    at: Text<'a>,
    model: Text<'a>,
    counts: Counts,
}

#[derive(Default)]
struct Event<'a> {
    id: Text<'a>,
    /// The number of the message that it led to.
    to: Option<u64>,
    used: Used<'a>,
}

fn file(content: &[u8], context: &mut Context<'_>) -> Option<()> {
    let mut thread = read(content)?;
    if context.memory.project.is_empty() {
        context.memory.project = path_of(thread.folder).unwrap_or_default();
    }
    let mut answers = std::mem::take(&mut thread.answers);
    let events = std::mem::take(&mut thread.events);
    if events.is_empty() {
        for (number, answer) in &answers {
            let parts: [&[u8]; 3] = [b"amp-message", thread.id.raw(), &number.to_le_bytes()];
            found(Key::of(&parts), answer, &thread, context);
        }
    }
    for mut event in events {
        // The first event that led to it is the request; others may tell of the same message.
        if let Some(answer) = event.to.and_then(|to| answers.remove(&to)) {
            event.used.counts.cache_write = answer.counts.cache_write;
            event.used.counts.cache_read = answer.counts.cache_read;
        }
        let used = &event.used;
        let kinds = used.counts.bytes();
        let parts: [&[u8]; 4] = [b"amp-event", thread.id.raw(), event.id.raw(), &[]];
        let nameless: [&[u8]; 4] = [b"amp-event-at", thread.id.raw(), used.at.raw(), &kinds];
        let key = Key::of(if event.id.is_empty() {
            &nameless
        } else {
            &parts
        });
        found(key, used, &thread, context);
    }
    Some(())
}

fn found(key: Key, used: &Used<'_>, thread: &Thread<'_>, context: &mut Context<'_>) -> Option<()> {
    let created = i64::try_from(thread.created).ok();
    let at = moment(used.at).or(created.filter(|created| *created > 0))?;
    context.found(&Record {
        key,
        at,
        session: &thread.id.read()?,
        model: model_or_unknown(&used.model.read()?),
        fast: Some(false),
        counts: used.counts,
    });
    Some(())
}

/// `None` for what is no whole thread.
fn read(text: &[u8]) -> Option<Thread<'_>> {
    let mut thread = Thread::default();
    Json::whole(text, |key, value| {
        match key {
            b"id" => thread.id = value.text_or_empty()?,
            b"created" => thread.created = value.count()?,
            b"env" => thread.folder = read_folder(value)?,
            b"messages" if value.is_array() => {
                let mut place = 0;
                value.array(|value| {
                    thread.answers.extend(read_message(value, place)?);
                    place += 1;
                    Some(())
                })?;
            }
            b"usageLedger" => value.object_or_skip(|key, value| match key {
                b"events" if value.is_array() => value.array(|value| {
                    thread.events.push(read_event(value)?);
                    Some(())
                }),
                _ => value.skip(),
            })?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    (!thread.id.is_empty()).then_some(thread)
}

/// A message without a number goes by its place, which is what numbers are.
fn read_message<'a>(value: &mut Json<'a>, place: u64) -> Option<Option<(u64, Used<'a>)>> {
    let (mut number, mut is_answer, mut used) = (None, false, None);
    value.object_or_skip(|key, value| {
        match key {
            b"messageId" => number = Some(value.count()?),
            b"role" => is_answer = value.text()?.is_some_and(|role| role.raw() == b"assistant"),
            b"usage" if value.is_object() => used = Some(read_usage(value)?),
            _ => value.skip()?,
        }
        Some(())
    })?;
    let used = used.filter(|_| is_answer);
    Some(used.map(|used| (number.unwrap_or(place), used)))
}

fn read_usage<'a>(value: &mut Json<'a>) -> Option<Used<'a>> {
    let mut used = Used::default();
    value.object(|key, value| {
        match key {
            b"timestamp" => used.at = value.text_or_empty()?,
            b"model" => used.model = value.text_or_empty()?,
            b"inputTokens" => used.counts.input = value.count()?,
            b"outputTokens" => used.counts.output = value.count()?,
            b"cacheCreationInputTokens" => used.counts.cache_write = value.count()?,
            b"cacheReadInputTokens" => used.counts.cache_read = value.count()?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(used)
}

fn read_event<'a>(value: &mut Json<'a>) -> Option<Event<'a>> {
    let mut event = Event::default();
    value.object_or_skip(|key, value| {
        match key {
            b"id" => event.id = value.text_or_empty()?,
            b"timestamp" => event.used.at = value.text_or_empty()?,
            b"model" => event.used.model = value.text_or_empty()?,
            b"toMessageId" => event.to = Some(value.count()?),
            b"tokens" => value.object_or_skip(|key, value| {
                match key {
                    b"input" => event.used.counts.input = value.count()?,
                    b"output" => event.used.counts.output = value.count()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(event)
}

/// The first of the folders that a thread began in.
fn read_folder<'a>(value: &mut Json<'a>) -> Option<Text<'a>> {
    let mut folder = Text::default();
    value.object_or_skip(|key, value| match key {
        b"initial" => value.object_or_skip(|key, value| match key {
            b"trees" if value.is_array() => value.array(|value| {
                value.object_or_skip(|key, value| {
                    match key {
                        b"uri" if folder.is_empty() => folder = value.text_or_empty()?,
                        _ => value.skip()?,
                    }
                    Some(())
                })
            }),
            _ => value.skip(),
        }),
        _ => value.skip(),
    })?;
    Some(folder)
}

/// Of the address of a folder.
fn path_of(address: Text<'_>) -> Option<String> {
    let address = address.read()?;
    let mut rest = address.strip_prefix("file://")?.as_bytes();
    let mut path = Vec::with_capacity(rest.len());
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            path.push(byte);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        path.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(path).ok()
}

#[cfg(test)]
mod tests;
