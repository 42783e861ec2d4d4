//! Gemini CLI: JSON lines, one file a session, in `tmp/<project>/chats/`; those of sub-agents lie in a
//! folder of their parent's id. Older versions write one JSON, anew each time.
//!
//! - A message is appended again when its tokens or the results of its tools are there. The program
//!   never changes tokens once they stand: the largest of a message's lines is its last.
//! - `$set` writes down the whole history again, and a session that is resumed has copies of another's
//!   messages. The ids stay, and so do tokens, so all of them may be read.
//! - What is rewound is gone from the chat and not from the bill.
//! - `input` has `cached` inside of it, and not `tool`, which is part of the prompt. `thoughts` stand
//!   beside `output`. The sum tells where a log has `cached` beside `input`.

use super::{Context, Read, model_or_unknown, moment, text_of_file};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key, Record};
use std::path::Path;

/// No marker: the first line has the session's id, and chats are short.
pub(super) const LINES: Read = Read::Lines { marker: None, line };

pub(super) const WHOLE: Read = Read::Whole(line);

/// A message, or what holds messages.
#[derive(Default)]
struct Entry<'a> {
    session: Text<'a>,
    messages: Vec<Message<'a>>,
}

#[derive(Default)]
struct Message<'a> {
    id: Text<'a>,
    at: Text<'a>,
    is_answer: bool,
    model: Text<'a>,
    counts: Option<Counts>,
}

fn line(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let entry = read(text)?;
    if context.memory.session.is_empty() {
        context.memory.session = if entry.session.is_empty() {
            context.path.file_stem()?.to_string_lossy().into_owned()
        } else {
            entry.session.read()?.into_owned()
        };
        context.memory.project = project(context.path).unwrap_or_default();
    }
    let session = context.memory.session.clone();
    for message in &entry.messages {
        found(message, &session, context);
    }
    Some(())
}

fn found(message: &Message<'_>, session: &str, context: &mut Context<'_>) -> Option<()> {
    let counts = message.counts.filter(|_| message.is_answer)?;
    let id = message.id.raw();
    let key = if id.is_empty() {
        let counts = counts.bytes();
        Key::of(&[
            b"gemini-answer",
            session.as_bytes(),
            message.at.raw(),
            &counts,
        ])
    } else {
        Key::of(&[b"gemini-message", id])
    };
    context.found(&Record {
        key,
        at: moment(message.at)?,
        session,
        model: model_or_unknown(&message.model.read()?),
        fast: Some(false),
        counts,
    });
    Some(())
}

/// The folder that is worked in, as a file beside the chats says.
fn project(path: &Path) -> Option<String> {
    let chats = path
        .ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "chats"))?;
    let project = text_of_file(&chats.parent()?.join(".project_root"))?;
    Some(project.trim().to_owned())
}

/// `None` for what is not whole.
fn read(text: &[u8]) -> Option<Entry<'_>> {
    let mut entry = Entry::default();
    let mut own = Message::default();
    let Entry { session, messages } = &mut entry;
    Json::whole(text, |key, value| match key {
        b"sessionId" => value.text().map(|text| *session = text.unwrap_or_default()),
        b"messages" => history(value, messages),
        b"$set" => value.object_or_skip(|key, value| match key {
            b"messages" => history(value, messages),
            _ => value.skip(),
        }),
        _ => member(key, value, &mut own),
    })?;
    entry.messages.push(own);
    Some(entry)
}

fn history<'a>(value: &mut Json<'a>, messages: &mut Vec<Message<'a>>) -> Option<()> {
    if !value.is_array() {
        return value.skip();
    }
    value.array(|value| {
        let mut message = Message::default();
        value.object_or_skip(|key, value| member(key, value, &mut message))?;
        messages.push(message);
        Some(())
    })
}

fn member<'a>(key: &[u8], value: &mut Json<'a>, message: &mut Message<'a>) -> Option<()> {
    match key {
        b"id" => message.id = value.text_or_empty()?,
        b"timestamp" => message.at = value.text_or_empty()?,
        b"type" => message.is_answer = value.text()?.is_some_and(|text| text.raw() == b"gemini"),
        b"model" => message.model = value.text_or_empty()?,
        b"tokens" if value.is_object() => message.counts = Some(tokens(value)?),
        _ => value.skip()?,
    }
    Some(())
}

fn tokens(value: &mut Json<'_>) -> Option<Counts> {
    let [
        mut input,
        mut output,
        mut cached,
        mut thoughts,
        mut tool,
        mut total,
    ] = [0_u64; 6];
    value.object(|key, value| {
        match key {
            b"input" => input = value.count()?,
            b"output" => output = value.count()?,
            b"cached" => cached = value.count()?,
            b"thoughts" => thoughts = value.count()?,
            b"tool" => tool = value.count()?,
            b"total" => total = value.count()?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    let beside = [input, output, thoughts, tool, cached]
        .iter()
        .fold(0, |sum: u64, count| sum.saturating_add(*count));
    let prompt = if total == beside {
        input.saturating_add(cached)
    } else {
        input
    };
    let counts = Counts {
        input: prompt,
        output: output.saturating_add(thoughts),
        cache_read: cached,
        ..Counts::default()
    };
    let counts = counts.without_caches_in_input();
    Some(Counts {
        input: counts.input.saturating_add(tool),
        ..counts
    })
}

#[cfg(test)]
mod tests;
