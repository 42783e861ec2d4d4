//! Droid: `<session>.settings.json` holds one sum of the session, written anew as it grows; what it has
//! grown by counts. Beside it, `<session>.jsonl` has the folder and the times.
//!
//! - Sums with those of sub-agents in them are left alone: sub-agents have files of their own.
//! - Thoughts are in the answer's tokens already; caches are not in those of the prompt.
//! - A model of one's own goes by an id, and the program's settings say which it is.

use super::value::{count, object, text};
use super::{Context, Read, model_or_unknown, moment, text_of_file};
use crate::usage::json::Text;
use crate::usage::record::{Counts, Key, Record};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

pub(super) const READ: Read = Read::Whole(file);

/// So much of a session's beginning, and of its end, is looked at.
const PART: u64 = 64 << 10;

fn file(content: &[u8], context: &mut Context<'_>) -> Option<()> {
    let settings = object(content)?;
    let tokens = &settings["tokenUsage"];
    let name = context.path.file_name()?.to_str()?;
    let session = name.strip_suffix(".settings.json")?.to_owned();
    let log = context.path.with_file_name(format!("{session}.jsonl"));
    if context.memory.project.is_empty() {
        context.memory.project = project(&log).unwrap_or_default();
    }
    let modified = fs::metadata(context.path).ok()?.modified().ok()?;
    let modified = modified.duration_since(UNIX_EPOCH).ok()?.as_millis();
    let modified = i64::try_from(modified).ok()?;
    // A copy is younger than what it tells of.
    let at = last_moment(&log).map_or(modified, |last| last.min(modified));
    let model = model(text(&settings["model"]), context.path);
    context.found_sum(&Record {
        key: Key::of(&[b"droid", session.as_bytes()]),
        at,
        session: &session,
        model: model_or_unknown(&model),
        fast: Some(false),
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
fn project(log: &Path) -> Option<String> {
    let first = part(log, SeekFrom::Start(0))?;
    let line = first.split(|byte| *byte == b'\n').next()?;
    Some(text(&object(line)?["cwd"]).to_owned())
}

/// The time of the last line that has one.
fn last_moment(log: &Path) -> Option<i64> {
    let end = part(log, SeekFrom::End(-(PART as i64)))?;
    end.rsplit(|byte| *byte == b'\n').find_map(|line| {
        let line = object(line)?;
        moment(Text::of_key(text(&line["timestamp"]).as_bytes()))
    })
}

/// What a session says from `place` on; all of it, if it is shorter than that.
fn part(log: &Path, place: SeekFrom) -> Option<Vec<u8>> {
    if !fs::metadata(log).ok()?.is_file() {
        return None;
    }
    let mut file = File::open(log).ok()?;
    let reached = file.seek(place).or_else(|_| file.rewind().map(|()| 0));
    let mut bytes = Vec::new();
    let read = |_| -> io::Result<usize> { file.take(PART).read_to_end(&mut bytes) };
    reached.and_then(read).ok()?;
    Some(bytes)
}

/// What a model is called by who answers. `custom:` stands before the id of one's own, whose maker may
/// follow in brackets.
fn model(model: &str, path: &Path) -> String {
    let Some(own) = model.strip_prefix("custom:") else {
        return model.to_owned();
    };
    named_in_settings(model, path).unwrap_or_else(|| {
        let own = own.split('[').next().unwrap_or_default();
        own.trim_end_matches(['-', ' ']).to_owned()
    })
}

fn named_in_settings(id: &str, path: &Path) -> Option<String> {
    let mut folders = path.ancestors();
    let sessions = folders.find(|folder| folder.ends_with("sessions"))?;
    let settings = text_of_file(&sessions.with_file_name("settings.json"))?;
    let settings: serde_json::Value =
        jsonc_parser::parse_to_serde_value(&settings, &jsonc_parser::ParseOptions::default())
            .ok()?;
    let mut models = settings["customModels"].as_array()?.iter();
    let model = models.find(|model| model["id"] == id)?;
    Some(model["model"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests;
