//! Where counts come from. Each source is a file of its own: how its logs are read, and by what one
//! of its records is known again.

mod amp;
mod claude;
mod codex;
mod copilot;
mod droid;
mod gemini;
mod goose;
mod grok;
mod kimi;
mod opencode;
mod pi;
mod proxy;
mod qwen;
mod value;

use super::batch::{Batch, Scope};
use super::json::Text;
use super::proxied::Proxied;
use super::record::{Counts, Key, Record};
use crate::agents::UsageForm;
use clown_events::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

/// How a source's files are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read {
    /// Line by line, each once. `marker` is in all lines that count, `line` takes one of them.
    Lines {
        marker: Option<&'static [u8]>,
        line: fn(&[u8], &mut Context<'_>) -> Option<()>,
    },
    /// As the lines of what it holds, compressed by zstd: all of them whenever it has changed.
    Compressed(fn(&[u8], &mut Context<'_>) -> Option<()>),
    /// Whole, whenever it has changed.
    Whole(fn(&[u8], &mut Context<'_>) -> Option<()>),
    /// As a database of SQLite, from the marks in [`Memory::marks`] on.
    Database(fn(&Connection, &mut Context<'_>) -> rusqlite::Result<()>),
}

/// How the file at `path` is read, of logs of `form`.
pub(super) fn of(form: UsageForm, path: &Path) -> Read {
    let ends = |end: &str| path.extension().is_some_and(|extension| extension == end);
    let is_json = ends("json");
    match form {
        UsageForm::Claude => claude::READ,
        UsageForm::Codex if ends("zst") => codex::COMPRESSED,
        UsageForm::Codex => codex::READ,
        UsageForm::Opencode if is_json => opencode::FILE,
        UsageForm::Opencode => opencode::DATABASE,
        UsageForm::Gemini if is_json => gemini::WHOLE,
        UsageForm::Gemini => gemini::LINES,
        UsageForm::Droid => droid::READ,
        UsageForm::Qwen => qwen::READ,
        UsageForm::Kimi => kimi::READ,
        UsageForm::Copilot => copilot::READ,
        UsageForm::Goose => goose::READ,
        UsageForm::Pi => pi::READ,
        UsageForm::Grok => grok::READ,
        UsageForm::Amp => amp::READ,
        UsageForm::Proxy => proxy::READ,
    }
}

/// What is remembered of a file from one reading to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// The folder that is worked in; empty while it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) project: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) session: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) model: String,
    /// What is called by another name, by that name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) names: BTreeMap<String, String>,
    /// Sums that grow, by what they are of.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) sums: BTreeMap<String, Counts>,
    /// How far tables are read, by what they are of.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) marks: BTreeMap<String, i64>,
    /// Of Claude Code's logs: the last answer whose id says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<claude::Answer>,
}

/// What a source has while it reads a file.
#[derive(Debug)]
pub(super) struct Context<'b> {
    pub(super) path: &'b Path,
    pub(super) memory: &'b mut Memory,
    pub(super) batch: &'b mut Batch,
    /// Whose file it is.
    pub(super) scope: &'b Scope,
    /// When a proxy has counted instead; None where that is what is read.
    pub(super) proxied: Option<&'b Proxied>,
}

impl Context<'_> {
    /// An answer.
    pub(super) fn found(&mut self, record: &Record<'_>) {
        // By the provider's id it is known again wherever else it is counted.
        if !record.key.is_providers() && self.is_proxied(record.at) {
            return;
        }
        self.batch.add(record, &self.memory.project);
    }

    /// An answer of the session that the file is of, by a usual service. As long as no line has said
    /// which session that is, it is `named` so.
    fn found_here(
        &mut self,
        key: Key,
        at: i64,
        named: Option<&OsStr>,
        model: &str,
        counts: Counts,
    ) {
        if !key.is_providers() && self.is_proxied(at) {
            return;
        }
        let Memory {
            session, project, ..
        } = &*self.memory;
        let session = match named {
            Some(named) if session.is_empty() => named.to_string_lossy(),
            _ => session.into(),
        };
        let record = Record {
            key,
            at,
            session: &session,
            model: model_or_unknown(model),
            fast: Some(false),
            counts,
        };
        self.batch.add(&record, project);
    }

    /// A sum that grows, of which nobody wrote down the parts: what it has grown by counts, each
    /// time. Its key is the sum's own, wherever it is written down.
    pub(super) fn found_sum(&mut self, record: &Record<'_>) {
        let is_counted = !self.is_proxied(record.at);
        self.batch.add_sum(record, &self.memory.project, is_counted);
    }

    fn is_proxied(&self, at: i64) -> bool {
        let profile = self.scope.profile.as_ref();
        let proxied = self.proxied.zip(profile);
        proxied.is_some_and(|(proxied, profile)| proxied.holds(profile, at))
    }
}

/// What a model is called of which a log says nothing.
const UNKNOWN_MODEL: &str = "unknown";

fn model_or_unknown(model: &str) -> &str {
    if model.is_empty() {
        UNKNOWN_MODEL
    } else {
        model
    }
}

/// The key of an answer by the provider's own id of it. Gateways count from one, or give one id to
/// everything: an id that is short enough for that says nothing.
fn key_of_answer(id: Text<'_>) -> Option<Key> {
    let id = id.raw();
    let known = [&b"msg_"[..], b"resp_"]
        .iter()
        .any(|prefix| id.starts_with(prefix));
    let least = if known { 14 } else { 20 };
    (id.len() >= least).then(|| Key::of_message(id))
}

/// Milliseconds since 1970.
fn moment(text: Text<'_>) -> Option<i64> {
    let moment: Timestamp = std::str::from_utf8(text.raw()).ok()?.parse().ok()?;
    Some(moment.unix_millis())
}

/// The columns of a table; none where there is no such table.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<BTreeSet<String>> {
    connection
        .prepare("SELECT name FROM pragma_table_info(?1)")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// The last row of `table` that was read, by `number`; none where it is not the table that it was: one
/// that was made anew counts from one again. What there is now counts as read from now on.
///
/// It is known by `what` of its first row. Where that was deleted, all is read again, which counts
/// nothing.
fn last_read(
    connection: &Connection,
    memory: &mut Memory,
    table: &str,
    number: &str,
    what: &str,
) -> rusqlite::Result<Option<i64>> {
    let mut first = connection.prepare(&format!(
        "SELECT quote({what}), (SELECT max({number}) FROM {table}) FROM {table}
         ORDER BY {number} LIMIT 1"
    ))?;
    let mut rows = first.query([])?;
    let (first, last) = match rows.next()? {
        Some(row) => {
            let first = String::from_utf8_lossy(bytes_at(row, 0)?).into_owned();
            (first, row.get::<_, Option<i64>>(1)?.unwrap_or_default())
        }
        None => Default::default(),
    };
    let place = format!("{table}.{number}");
    let same = memory.names.insert(table.to_owned(), first.clone()) == Some(first);
    let known = memory.marks.insert(place, last);
    Ok(known.filter(|known| same && *known <= last))
}

/// A text or blob of a row; empty for anything else, for a table may hold anything.
fn bytes_at<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    })
}

/// So much of a small file beside a log.
const MAX_BESIDE: u64 = 1 << 20;

/// What a file beside a log says, where there is one.
fn text_of_file(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BESIDE {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests;
