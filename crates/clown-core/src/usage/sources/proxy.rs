//! Clown's own proxy: JSON lines, one a request, in `spool.jsonl` of its profile's folder of proxies;
//! what has grown is put aside as `spool-<time>.jsonl`.
//!
//! - A request of which the provider told no usage has no `tokens`.
//! - The provider's id of the answer is the one that the agent writes down. Where it says nothing, the
//!   request's own id does, and what the agent writes down of that time is not counted.

use super::{Context, Read, key_of_answer, model_or_unknown, moment};
use crate::usage::batch::Scope;
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key, Record};

pub(super) const READ: Read = Read::Lines {
    marker: Some(b"\"tokens\""),
    line,
};

#[derive(Default)]
struct Line<'a> {
    id: Text<'a>,
    at: Text<'a>,
    agent: Text<'a>,
    session: Text<'a>,
    asked: Text<'a>,
    used: Text<'a>,
    message: Text<'a>,
    counts: Counts,
}

fn line(text: &[u8], context: &mut Context<'_>) -> Option<()> {
    let line = read(text)?;
    let at = moment(line.at)?;
    let key = key_of_answer(line.message).unwrap_or_else(|| Key::of(&[b"proxy", line.id.raw()]));
    let model = if line.used.is_empty() {
        line.asked.read()?
    } else {
        line.used.read()?
    };
    context.batch.set_scope(&Scope {
        agent: line.agent.read()?.into_owned(),
        ..context.scope.clone()
    });
    context.found(&Record {
        key,
        at,
        session: &line.session.read()?,
        model: model_or_unknown(&model),
        fast: None,
        counts: line.counts,
    });
    Some(())
}

/// `None` for what is no whole line.
fn read(text: &[u8]) -> Option<Line<'_>> {
    let mut line = Line::default();
    let mut json = Json::new(text);
    json.object(|key, value| {
        match key {
            b"id" => line.id = value.text()?.unwrap_or_default(),
            b"at" => line.at = value.text()?.unwrap_or_default(),
            b"agent" => line.agent = value.text()?.unwrap_or_default(),
            b"session" => line.session = value.text()?.unwrap_or_default(),
            b"model" => line.asked = value.text()?.unwrap_or_default(),
            b"model_used" => line.used = value.text()?.unwrap_or_default(),
            b"message_id" => line.message = value.text()?.unwrap_or_default(),
            b"tokens" => value.object_or_skip(|key, value| {
                let counts = &mut line.counts;
                match key {
                    b"input" => counts.input = value.count()?,
                    b"output" => counts.output = value.count()?,
                    b"cache_write" => counts.cache_write = value.count()?,
                    b"cache_write_hour" => counts.cache_write_hour = value.count()?,
                    b"cache_read" => counts.cache_read = value.count()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    json.ends().then_some(line)
}

#[cfg(test)]
mod tests;
