//! Grok Build: `sessions/<folder>/<session>/usage.json`, written anew at the end of each turn; beside it
//! `summary.json`, which says what kind of session it is.
//!
//! - A fork begins with the turns of its parent, and its sum has them in it: a turn is known by the time
//!   of its end, to the nanosecond.
//! - What sub-agents used is in the turn that started them, and once more in files of their own: those
//!   do not count.
//! - `inputTokens` has both kinds of caches in it, in whatever format the provider was asked;
//!   `outputTokens` has the thoughts.
//! - What it asks beside the turns, such as titles, is in no file.

use super::value::{count, object, text};
use super::{Context, Read, model_or_unknown, moment, text_of_file};
use crate::usage::json::Text;
use crate::usage::record::{Counts, Key, Record};
use serde_json::Value;

pub(super) const READ: Read = Read::Whole(file);

fn file(content: &[u8], context: &mut Context<'_>) -> Option<()> {
    let usage = object(content)?;
    let summary = text_of_file(&context.path.with_file_name("summary.json"));
    let summary = summary.and_then(|summary| object(summary.as_bytes()));
    let summary = summary.unwrap_or_default();
    if summary["session_kind"] == "subagent" {
        return None;
    }
    let folder = text(&summary["info"]["cwd"]);
    context.memory.project.replace_range(.., folder);
    for turn in usage["turns"].as_array()? {
        answer(turn, text(&usage["sessionId"]), context);
    }
    Some(())
}

fn answer(turn: &Value, session: &str, context: &mut Context<'_>) -> Option<()> {
    let ended = text(&turn["endedAt"]);
    let at = moment(Text::of_key(ended.as_bytes()))?;
    let models = turn["modelUsage"].as_object();
    let models = models.filter(|models| !models.is_empty());
    let whole = [(text(&turn["primaryModelId"]), turn)];
    let parts: Vec<(&str, &Value)> = match models {
        Some(models) => models
            .iter()
            .map(|(name, used)| (name.as_str(), used))
            .collect(),
        None => whole.to_vec(),
    };
    for (model, used) in parts {
        context.found(&Record {
            key: Key::of(&[b"grok-turn", ended.as_bytes(), model.as_bytes()]),
            at,
            session,
            model: model_or_unknown(model),
            fast: Some(false),
            counts: counts(used).without_caches_in_input(),
        });
    }
    Some(())
}

fn counts(used: &Value) -> Counts {
    Counts {
        input: count(&used["inputTokens"]),
        output: count(&used["outputTokens"]),
        cache_write: count(&used["cacheCreationTokens"]),
        cache_read: count(&used["cachedReadTokens"]),
        ..Counts::default()
    }
}

#[cfg(test)]
mod tests;
