//! Copilot CLI: `session.usage_record` lines of `events.jsonl`, one an answer, with the provider's own
//! id. What caches took and gave is in the prompt. Sessions of versions without such lines have sums at
//! their end only, and are not counted.

use super::value::{count, moment, object, text};
use super::{Context, Read, model_or_unknown};
use crate::usage::record::{Counts, Key, Record};

pub(super) const READ: Read = Read::Lines { marker: None, line };

fn line(text_of_line: &[u8], context: &mut Context<'_>) -> Option<()> {
    let value = object(text_of_line)?;
    let data = &value["data"];
    let cwd = text(&data["context"]["cwd"]);
    if !cwd.is_empty() {
        context.memory.project.replace_range(.., cwd);
    }
    if value["type"] != "session.usage_record" {
        return None;
    }
    let usage = &data["usage"];
    let of = |name: &str| count(&usage[name]);
    let accounting = &usage["accounting"];
    let session = text(&accounting["sourceSessionId"]);
    let sequence = count(&accounting["sequence"]).to_le_bytes();
    let id = text(&usage["apiCallId"]);
    let key = super::key_of_id(id.as_bytes())
        .unwrap_or_else(|| Key::of(&[b"copilot", session.as_bytes(), &sequence, id.as_bytes()]));
    context.found(&Record {
        key,
        at: moment(&value["timestamp"])?,
        session,
        model: model_or_unknown(text(&usage["model"])),
        fast: false,
        counts: Counts {
            input: of("inputTokens"),
            output: of("outputTokens"),
            cache_write: of("cacheWriteTokens"),
            cache_read: of("cacheReadTokens"),
            ..Counts::default()
        }
        .without_caches_in_input(),
    });
    Some(())
}

#[cfg(test)]
mod tests;
