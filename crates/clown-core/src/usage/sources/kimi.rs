//! Kimi Code: `usage.record` lines of `wire.jsonl`, one a request, of both scopes: `session` says that
//! a request belongs to no turn, not that it is a sum. Other lines repeat the same counts. A session
//! that is copied keeps times and counts.

use super::value::{count, object, text};
use super::{Context, Read, model_or_unknown};
use crate::usage::record::{Counts, Key, Record};

pub(super) const READ: Read = Read::Lines {
    marker: Some(b"usage.record"),
    line,
};

fn line(text_of_line: &[u8], context: &mut Context<'_>) -> Option<()> {
    let value = object(text_of_line)?;
    if value["type"] != "usage.record" {
        return None;
    }
    let usage = &value["usage"];
    let at = value["time"].as_i64()?;
    let counts = Counts {
        input: count(&usage["inputOther"]),
        output: count(&usage["output"]),
        cache_write: count(&usage["inputCacheCreation"]),
        cache_read: count(&usage["inputCacheRead"]),
        ..Counts::default()
    };
    let (agent, model) = (text(&value["agentId"]), text(&value["model"]));
    // sessions/<workspace>/<session>/agents/<agent>/wire.jsonl
    let session = context
        .path
        .ancestors()
        .nth(3)?
        .file_name()?
        .to_str()?
        .to_owned();
    context.found(&Record {
        key: Key::of(&[
            b"kimi",
            agent.as_bytes(),
            model.as_bytes(),
            &at.to_le_bytes(),
            &counts.kinds().map(u64::to_le_bytes).concat(),
        ]),
        at,
        session: &session,
        model: model_or_unknown(model),
        fast: false,
        counts,
    });
    Some(())
}

#[cfg(test)]
mod tests;
