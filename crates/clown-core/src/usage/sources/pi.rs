//! pi: JSON lines, one file a session, in `sessions/--<folder>--/`.
//!
//! - A file is a tree: what was asked on a branch that was left is paid all the same.
//! - A session that is forked or cloned begins with a copy of its parent's entries, under their ids
//!   and times. The provider's id of an answer is with it, in newer versions.
//! - Caches stand beside `input`; what was thought is inside of `output`.

use super::{Context, Read, key_of_answer, moment};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key};

/// No marker: the first line has the session's id and folder.
pub(super) const READ: Read = Read::Lines { marker: None, line };

#[derive(Default)]
struct Line<'a> {
    kind: Text<'a>,
    id: Text<'a>,
    at: Text<'a>,
    cwd: Text<'a>,
    message: Message<'a>,
}

#[derive(Default)]
struct Message<'a> {
    is_answer: bool,
    model: Text<'a>,
    response: Text<'a>,
    counts: Option<Counts>,
}

fn line(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let line = read(text)?;
    match line.kind.raw() {
        b"session" if context.memory.session.is_empty() => {
            context.memory.session = line.id.read()?.into_owned();
            context.memory.project = line.cwd.read()?.into_owned();
            Some(())
        }
        b"message" if line.message.is_answer => answer(&line, context),
        _ => None,
    }
}

fn answer(line: &Line<'_>, context: &mut Context<'_>) -> Option<()> {
    let message = &line.message;
    let counts = message.counts?;
    let key = key_of_answer(message.response).unwrap_or_else(|| {
        let (at, model) = (line.at.raw(), message.model.raw());
        let counts = counts.bytes();
        Key::of(&[b"pi-answer", at, model, &counts])
    });
    let (at, model) = (moment(line.at)?, message.model.read()?);
    context.found_here(key, at, context.path.file_stem(), &model, counts);
    Some(())
}

/// `None` for what is no whole line.
fn read(text: &[u8]) -> Option<Line<'_>> {
    let mut line = Line::default();
    Json::whole(text, |key, value| {
        match key {
            b"type" => line.kind = value.text_or_empty()?,
            b"id" => line.id = value.text_or_empty()?,
            b"timestamp" => line.at = value.text_or_empty()?,
            b"cwd" => line.cwd = value.text_or_empty()?,
            b"message" => {
                value.object_or_skip(|key, value| member(key, value, &mut line.message))?;
            }
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(line)
}

fn member<'a>(key: &[u8], value: &mut Json<'a>, message: &mut Message<'a>) -> Option<()> {
    match key {
        b"role" => message.is_answer = value.text()?.is_some_and(|text| text.raw() == b"assistant"),
        b"model" => message.model = value.text_or_empty()?,
        b"responseId" => message.response = value.text_or_empty()?,
        b"usage" if value.is_object() => message.counts = Some(usage(value)?),
        _ => value.skip()?,
    }
    Some(())
}

fn usage(value: &mut Json<'_>) -> Option<Counts> {
    let mut counts = Counts::default();
    value.object(|key, value| {
        match key {
            b"input" => counts.input = value.count()?,
            b"output" => counts.output = value.count()?,
            b"cacheRead" => counts.cache_read = value.count()?,
            b"cacheWrite" => counts.cache_write = value.count()?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(counts)
}

#[cfg(test)]
mod tests;
