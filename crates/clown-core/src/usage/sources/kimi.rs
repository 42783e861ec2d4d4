//! Kimi Code: JSON lines, one file an agent of a session, in `sessions/<workspace>/<session>/agents/`;
//! and the program of the same name before it, in `sessions/<hash>/<session>/`.
//!
//! - `usage.record` is written for each answer. `usageScope` says for what it was asked: within a
//!   `turn`, or else for the `session`, as to make it shorter. Neither is a sum.
//! - The end of the step repeats the counts and has the provider's id: a record of a turn waits for it.
//!   Records have no id of their own; forks copy them with their times.
//! - A record names the model as the person's settings do; the request before it says which one that is.
//! - The older program writes a `StatusUpdate` for each answer, and those of sub-agents again in the
//!   file of their parent. It says nothing of models.

use super::{Context, Memory, Read, UNKNOWN_MODEL, key_of_answer, text_of_file};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key};

/// No marker: lines of several kinds matter.
pub(super) const READ: Read = Read::Lines { marker: None, line };

/// Of [`Memory::sums`] and, with its time, [`Memory::marks`]: the record that waits for its id.
const WAITING: &str = "waiting";

#[derive(Default)]
struct Line<'a> {
    kind: Text<'a>,
    at: u64,
    model: Text<'a>,
    alias: Text<'a>,
    of_session: bool,
    usage: Option<Counts>,
    event: Step<'a>,
    /// Of the older program: seconds.
    seconds: u64,
    message: Option<Json<'a>>,
}

#[derive(Default)]
struct Step<'a> {
    kind: Text<'a>,
    usage: Option<Counts>,
    message: Text<'a>,
}

fn line(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let line = read(text)?;
    place(context)?;
    match line.kind.raw() {
        b"llm.request" => {
            let names = &mut context.memory.names;
            names.insert(
                line.alias.read()?.into_owned(),
                line.model.read()?.into_owned(),
            );
        }
        b"usage.record" => record(&line, context)?,
        b"context.append_loop_event" if line.event.kind.raw() == b"step.end" => {
            let known = context.memory.sums.get(WAITING);
            let same = line.event.usage.as_ref() == known;
            let key = key_of_answer(line.event.message).filter(|_| same);
            end_wait(key, context)?;
        }
        b"turn.ended" => end_wait(None, context)?,
        b"" => older(line.message?, line.seconds, true, context)?,
        _ => {}
    }
    Some(())
}

/// Where the file is says whose it is.
fn place(context: &mut Context<'_>) -> Option<()> {
    if !context.memory.session.is_empty() {
        return Some(());
    }
    let of_an_agent = context
        .path
        .ancestors()
        .nth(2)
        .and_then(|folder| folder.file_name())
        .is_some_and(|name| name == "agents" || name == "subagents");
    let folder = context
        .path
        .ancestors()
        .nth(if of_an_agent { 3 } else { 1 })?;
    context.memory.session = folder.file_name()?.to_string_lossy().into_owned();
    let mut project = None;
    if let Some(state) = text_of_file(&folder.join("state.json")) {
        let mut json = Json::new(state.as_bytes());
        json.object(|key, value| {
            match key {
                b"cwd" => project = value.text_or_empty()?.read(),
                _ => value.skip()?,
            }
            Some(())
        });
        context.memory.project = project.unwrap_or_default().into_owned();
    }
    Some(())
}

fn record(line: &Line<'_>, context: &mut Context<'_>) -> Option<()> {
    let usage = line.usage?;
    let at = i64::try_from(line.at).ok().filter(|at| *at > 0)?;
    let alias = line.model.read()?;
    let model = match context.memory.names.get(&*alias) {
        Some(model) if !model.is_empty() => model.clone(),
        _ => alias.into_owned(),
    };
    if line.of_session {
        let key = key_of_record(usage, at, context);
        context.found_here(key, at, None, &model, usage);
        return Some(());
    }
    end_wait(None, context);
    let Memory { sums, marks, .. } = &mut *context.memory;
    sums.insert(WAITING.to_owned(), usage);
    marks.insert(WAITING.to_owned(), at);
    context.memory.model = model;
    Some(())
}

/// Counts the record that waits, under `key` if that is known.
fn end_wait(key: Option<Key>, context: &mut Context<'_>) -> Option<()> {
    let usage = context.memory.sums.remove(WAITING)?;
    let at = context.memory.marks.remove(WAITING)?;
    let key = key.unwrap_or_else(|| key_of_record(usage, at, context));
    let model = context.memory.model.clone();
    context.found_here(key, at, None, &model, usage);
    Some(())
}

fn key_of_record(usage: Counts, at: i64, context: &Context<'_>) -> Key {
    let agent = context.path.parent().and_then(|folder| folder.file_name());
    let agent = agent.map_or(&b""[..], |name| name.as_encoded_bytes());
    let usage = usage.bytes();
    Key::of(&[b"kimi-record", agent, &at.to_le_bytes(), &usage])
}

/// A message of the older program. What it repeats of sub-agents counts only where the provider's id
/// says that it is the same.
fn older(mut message: Json<'_>, seconds: u64, own: bool, context: &mut Context<'_>) -> Option<()> {
    let mut kind = Text::default();
    let (mut usage, mut id, mut event) = (None, Text::default(), None);
    message.object(|key, value| {
        match key {
            b"type" => kind = value.text_or_empty()?,
            b"payload" => value.object_or_skip(|key, value| {
                match key {
                    b"token_usage" if value.is_object() => usage = Some(counts(value)?),
                    b"message_id" => id = value.text_or_empty()?,
                    b"event" => {
                        event = Some(value.clone());
                        value.skip()?;
                    }
                    _ => value.skip()?,
                }
                Some(())
            })?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    match kind.raw() {
        b"SubagentEvent" => older(event?, seconds, false, context),
        b"StatusUpdate" => {
            let usage = usage?;
            let at = i64::try_from(seconds).ok().filter(|at| *at > 0)?;
            let at = at.checked_mul(1000)?;
            let key = match key_of_answer(id) {
                Some(key) => key,
                None if own => {
                    let session = context.memory.session.as_bytes();
                    let usage = usage.bytes();
                    Key::of(&[b"kimi-status", session, id.raw(), &at.to_le_bytes(), &usage])
                }
                None => return None,
            };
            context.found_here(key, at, None, UNKNOWN_MODEL, usage);
            Some(())
        }
        _ => None,
    }
}

/// `None` for what is no whole line.
fn read(text: &[u8]) -> Option<Line<'_>> {
    let mut line = Line::default();
    Json::whole(text, |key, value| {
        match key {
            b"type" => line.kind = value.text_or_empty()?,
            b"time" => line.at = value.count()?,
            b"timestamp" => line.seconds = value.count()?,
            b"model" => line.model = value.text_or_empty()?,
            b"modelAlias" => line.alias = value.text_or_empty()?,
            b"usageScope" => {
                line.of_session = value.text()?.is_some_and(|text| text.raw() == b"session");
            }
            b"usage" if value.is_object() => line.usage = Some(counts(value)?),
            b"event" => value.object_or_skip(|key, value| {
                match key {
                    b"type" => line.event.kind = value.text_or_empty()?,
                    b"messageId" => line.event.message = value.text_or_empty()?,
                    b"usage" if value.is_object() => line.event.usage = Some(counts(value)?),
                    _ => value.skip()?,
                }
                Some(())
            })?,
            b"message" if value.is_object() => {
                line.message = Some(value.clone());
                value.skip()?;
            }
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(line)
}

/// As either program writes them.
fn counts(value: &mut Json<'_>) -> Option<Counts> {
    let mut counts = Counts::default();
    value.object(|key, value| {
        match key {
            b"inputOther" | b"input_other" => counts.input = value.count()?,
            b"output" => counts.output = value.count()?,
            b"inputCacheRead" | b"input_cache_read" => counts.cache_read = value.count()?,
            b"inputCacheCreation" | b"input_cache_creation" => {
                counts.cache_write = value.count()?;
            }
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(counts)
}

#[cfg(test)]
mod tests;
