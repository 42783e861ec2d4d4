//! GitHub Copilot CLI: JSON lines, one file a session, `session-state/<session>/events.jsonl`.
//!
//! - Newer versions write a `session.usage_record` for each answer, with the provider's id of it.
//!   A session that is resumed or forked may repeat one: session and number say whose it is.
//! - Older ones write only what each model has used so far, when they end. Where both stand, the
//!   records tell all of it.
//! - Caches are inside of `inputTokens`, what was thought inside of `outputTokens`.
//! - `cost` counts premium requests, which are no money.

use super::{Context, Read, key_of_answer, moment};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key};

pub(super) const READ: Read = Read::Lines {
    marker: Some(b"\"session."),
    line,
};

/// Of [`super::Memory::marks`]: there are records of answers.
const RECORDS: &str = "records";

#[derive(Default)]
struct Line<'a> {
    kind: Text<'a>,
    id: Text<'a>,
    at: Text<'a>,
    data: Data<'a>,
}

#[derive(Default)]
struct Data<'a> {
    session: Text<'a>,
    cwd: Text<'a>,
    usage: Option<Usage<'a>>,
    models: Vec<(Text<'a>, Counts)>,
}

#[derive(Default)]
struct Usage<'a> {
    model: Text<'a>,
    call: Text<'a>,
    /// The session that asked, and which of its answers it is.
    session: Text<'a>,
    sequence: u64,
    counts: Counts,
}

fn line(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let line = read(text)?;
    let data = &line.data;
    match line.kind.raw() {
        b"session.start" | b"session.resume" => {
            if context.memory.session.is_empty() {
                context.memory.session = data.session.read()?.into_owned();
            }
            if context.memory.project.is_empty() {
                context.memory.project = data.cwd.read()?.into_owned();
            }
        }
        b"session.usage_record" => {
            let usage = data.usage.as_ref()?;
            context.memory.marks.insert(RECORDS.to_owned(), 1);
            let key = key_of_answer(usage.call).unwrap_or_else(|| {
                let (session, sequence) = (usage.session.raw(), usage.sequence);
                if session.is_empty() {
                    Key::of(&[b"copilot-event", line.id.raw(), line.at.raw()])
                } else {
                    Key::of(&[b"copilot-answer", session, &sequence.to_le_bytes()])
                }
            });
            found(key, usage.model, usage.counts, line.at, context)?;
        }
        b"session.shutdown" => shutdown(&line, context)?,
        _ => {}
    }
    Some(())
}

/// Counts what each model has used since the last time that the session ended.
fn shutdown(line: &Line<'_>, context: &mut Context<'_>) -> Option<()> {
    if context.memory.marks.contains_key(RECORDS) {
        return None;
    }
    for (model, total) in &line.data.models {
        let sums = &mut context.memory.sums;
        let known = sums.insert(model.read()?.into_owned(), *total);
        let known = known.unwrap_or_default();
        // What is less than before was counted anew.
        let grows = total.prompt() >= known.prompt() && total.output >= known.output;
        let step = if grows { total.beyond(known) } else { *total };
        let key = Key::of(&[b"copilot-end", line.id.raw(), line.at.raw(), model.raw()]);
        found(key, *model, step, line.at, context)?;
    }
    Some(())
}

fn found(
    key: Key,
    model: Text<'_>,
    counts: Counts,
    at: Text<'_>,
    context: &mut Context<'_>,
) -> Option<()> {
    let folder = context.path.parent()?.file_name();
    let model = model.read()?;
    context.found_here(key, moment(at)?, folder, without_context(&model), counts);
    Some(())
}

/// Of two sizes of context that it offers of one model, it marks the larger in the name.
fn without_context(model: &str) -> &str {
    let model = model.strip_suffix("-internal").unwrap_or(model);
    model.strip_suffix("-1m").unwrap_or(model)
}

/// `None` for what is no whole line.
fn read(text: &[u8]) -> Option<Line<'_>> {
    let mut line = Line::default();
    Json::whole(text, |key, value| {
        match key {
            b"type" => line.kind = value.text_or_empty()?,
            b"id" => line.id = value.text_or_empty()?,
            b"timestamp" => line.at = value.text_or_empty()?,
            b"data" => {
                value.object_or_skip(|key, value| data(key, value, &mut line.data))?;
            }
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(line)
}

fn data<'a>(key: &[u8], value: &mut Json<'a>, data: &mut Data<'a>) -> Option<()> {
    match key {
        b"sessionId" => data.session = value.text_or_empty()?,
        b"context" => value.object_or_skip(|key, value| {
            match key {
                b"cwd" => data.cwd = value.text_or_empty()?,
                _ => value.skip()?,
            }
            Some(())
        })?,
        b"usage" if value.is_object() => data.usage = Some(usage(value)?),
        b"modelMetrics" => value.object_or_skip(|model, value| {
            value.object_or_skip(|key, value| match key {
                b"usage" if value.is_object() => {
                    let counts = usage(value)?.counts;
                    data.models.push((Text::of_key(model), counts));
                    Some(())
                }
                _ => value.skip(),
            })
        })?,
        _ => value.skip()?,
    }
    Some(())
}

fn usage<'a>(value: &mut Json<'a>) -> Option<Usage<'a>> {
    let mut usage = Usage::default();
    value.object(|key, value| {
        match key {
            b"model" => usage.model = value.text_or_empty()?,
            b"apiCallId" => usage.call = value.text_or_empty()?,
            b"inputTokens" => usage.counts.input = value.count()?,
            b"outputTokens" => usage.counts.output = value.count()?,
            b"cacheReadTokens" => usage.counts.cache_read = value.count()?,
            b"cacheWriteTokens" => usage.counts.cache_write = value.count()?,
            b"accounting" => value.object_or_skip(|key, value| {
                match key {
                    b"sourceSessionId" => usage.session = value.text_or_empty()?,
                    b"sequence" => usage.sequence = value.count()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    usage.counts = usage.counts.without_caches_in_input();
    Some(usage)
}

#[cfg(test)]
mod tests;
