//! Droid: `<session>.settings.json` holds one sum of the session, written anew as it grows; what it has
//! grown by counts, at the time of the file. Sums with those of sub-agents in them are left alone:
//! sub-agents have files of their own. Thoughts are in the answer's tokens already.

use super::value::{count, object, text};
use super::{Context, Read, model_or_unknown};
use crate::usage::record::{Counts, Key, Record};
use std::fs;
use std::time::UNIX_EPOCH;

pub(super) const READ: Read = Read::Whole(file);

fn file(content: &[u8], context: &mut Context<'_>) -> Option<()> {
    let settings = object(content)?;
    let tokens = &settings["tokenUsage"];
    let name = context.path.file_name()?.to_str()?;
    let session = name.strip_suffix(".settings.json")?.to_owned();
    if context.memory.project.is_empty() {
        context.memory.project = project(context, &session).unwrap_or_default();
    }
    let modified = fs::metadata(context.path).ok()?.modified().ok()?;
    let at = modified.duration_since(UNIX_EPOCH).ok()?.as_millis();
    let model = text(&settings["model"]);
    let model = model.strip_prefix("custom:").unwrap_or(model);
    context.found_sum(&Record {
        key: Key::of(&[b"droid", session.as_bytes()]),
        at: i64::try_from(at).ok()?,
        session: &session,
        model: model_or_unknown(model),
        fast: false,
        counts: Counts {
            input: count(&tokens["inputTokens"]),
            output: count(&tokens["outputTokens"]),
            cache_write: count(&tokens["cacheCreationTokens"]),
            cache_read: count(&tokens["cacheReadTokens"]),
            ..Counts::default()
        },
    });
    Some(())
}

/// The folder stands on the first line of the session itself.
fn project(context: &Context<'_>, session: &str) -> Option<String> {
    use std::io::Read as _;
    let path = context.path.with_file_name(format!("{session}.jsonl"));
    let metadata = fs::metadata(&path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let mut first = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(64 << 10)
        .read_to_end(&mut first)
        .ok()?;
    let line = first.split(|byte| *byte == b'\n').next()?;
    Some(text(&object(line)?["cwd"]).to_owned())
}

#[cfg(test)]
mod tests;
