//! OpenCode: a database of SQLite; before that, one JSON file a message, which stays where it is when
//! the database takes it in.
//!
//! - A row grows in place until it has a time of completion, and counts from then on.
//! - A fork copies answers under new ids into another session: provider, model, times and tokens are
//!   what stays, of a row and of the file that it was made from.
//! - Rows come in any order: two processes write, and sessions are taken over from elsewhere.
//! - Thoughts come on top of the answer's tokens, and cost as much. Caches are not in `input`.
//! - Parts, sessions and events repeat the sums of messages. A newer table, `session_message`, may
//!   repeat a session that the older one has: then it does not count.

use super::{Context, Read, bytes_at, columns, last_read, model_or_unknown};
use crate::usage::json::{Json, Text};
use crate::usage::record::{Counts, Key, Record};
use rusqlite::Connection;
use std::borrow::Cow;

pub(super) const DATABASE: Read = Read::Database(database);
pub(super) const FILE: Read = Read::Whole(file);

/// Providers whose models go by their own names alone. Others answer under names that are also
/// somebody else's, at other prices or at none.
const MAKERS: [&str; 4] = ["anthropic", "openai", "google", "clown"];

/// Nobody waits longer for another to have written.
const WAIT_MILLIS: i64 = 60_000;

#[derive(Default)]
struct Message<'a> {
    role: Text<'a>,
    session: Text<'a>,
    provider: Text<'a>,
    model: Text<'a>,
    cwd: Text<'a>,
    created: u64,
    /// 0 while the answer grows.
    completed: u64,
    counts: Counts,
}

fn database(connection: &Connection, context: &mut Context<'_>) -> rusqlite::Result<()> {
    // The file is there before its tables are.
    if columns(connection, "message")?.is_empty() {
        return Ok(());
    }
    rows(connection, context, "message", "1")?;
    if !columns(connection, "session_message")?.is_empty() {
        let alone = "message.type = 'assistant' AND NOT EXISTS
            (SELECT 1 FROM message AS older WHERE older.session_id = message.session_id)";
        rows(connection, context, "session_message", alone)?;
    }
    Ok(())
}

fn rows(
    connection: &Connection,
    context: &mut Context<'_>,
    table: &str,
    condition: &str,
) -> rusqlite::Result<()> {
    let known = last_read(
        connection,
        context.memory,
        table,
        "rowid",
        "id || ' ' || time_created",
    )?;
    let (since, known) = match (context.memory.marks.get(table), known) {
        (Some(since), Some(known)) => (*since, known),
        _ => (0, i64::MIN),
    };
    // Who waits to write writes the time at which it began to wait. A row of a time to come must not
    // hide those that are written until then.
    let mut statement = connection.prepare(&format!(
        "SELECT min(message.time_updated, CAST(unixepoch('subsec') * 1000 AS INTEGER)),
                message.session_id, message.data, session.directory
         FROM {table} AS message LEFT JOIN session ON session.id = message.session_id
         WHERE (message.time_updated >= ?1 OR message.rowid > ?2) AND {condition}"
    ))?;
    let mut rows = statement.query([since.saturating_sub(WAIT_MILLIS), known])?;
    let mut mark = since;
    while let Some(row) = rows.next()? {
        mark = mark.max(row.get(0).unwrap_or_default());
        let session = String::from_utf8_lossy(bytes_at(row, 1)?);
        let folder = String::from_utf8_lossy(bytes_at(row, 3)?);
        if let Some(message) = read(bytes_at(row, 2)?)
            && (table != "message" || message.role.raw() == b"assistant")
        {
            found(&message, &session, &folder, context);
        }
    }
    context.memory.marks.insert(table.to_owned(), mark);
    Ok(())
}

fn file(content: &[u8], context: &mut Context<'_>) -> Option<()> {
    let message = read(content)?;
    if message.role.raw() != b"assistant" {
        return None;
    }
    let session = message.session.read()?;
    found(&message, &session, "", context)
}

fn found(
    message: &Message<'_>,
    session: &str,
    folder: &str,
    context: &mut Context<'_>,
) -> Option<()> {
    if message.created == 0 || message.completed == 0 {
        return None;
    }
    let cwd = message.cwd.read()?;
    let project = if cwd.is_empty() { folder } else { &cwd };
    context.memory.project.replace_range(.., project);
    let (provider, model) = (message.provider.read()?, message.model.read()?);
    let parts: [&[u8]; 6] = [
        b"opencode",
        provider.as_bytes(),
        model.as_bytes(),
        &message.created.to_le_bytes(),
        &message.completed.to_le_bytes(),
        &message.counts.kinds().map(u64::to_le_bytes).concat(),
    ];
    context.found(&Record {
        key: Key::of(&parts),
        at: i64::try_from(message.created).ok()?,
        session,
        model: &name(&provider, &model),
        fast: Some(false),
        counts: message.counts,
    });
    Some(())
}

fn name<'m>(provider: &str, model: &'m str) -> Cow<'m, str> {
    if model.is_empty() || provider.is_empty() || MAKERS.contains(&provider) {
        Cow::Borrowed(model_or_unknown(model))
    } else {
        Cow::Owned(format!("{provider}/{model}"))
    }
}

/// `None` for what is no whole message.
fn read(text: &[u8]) -> Option<Message<'_>> {
    let mut message = Message::default();
    Json::whole(text, |key, value| {
        match key {
            b"role" => message.role = value.text_or_empty()?,
            b"sessionID" => message.session = value.text_or_empty()?,
            b"providerID" => message.provider = value.text_or_empty()?,
            b"modelID" => message.model = value.text_or_empty()?,
            b"model" => value.object_or_skip(|key, value| {
                match key {
                    b"id" => message.model = value.text_or_empty()?,
                    b"providerID" => message.provider = value.text_or_empty()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            b"path" => value.object_or_skip(|key, value| {
                match key {
                    b"cwd" => message.cwd = value.text_or_empty()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            b"time" => value.object_or_skip(|key, value| {
                match key {
                    b"created" => message.created = value.count()?,
                    b"completed" => message.completed = value.count()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            b"tokens" => message.counts = counts(value)?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    Some(message)
}

fn counts(value: &mut Json<'_>) -> Option<Counts> {
    let (mut counts, mut thought) = (Counts::default(), 0);
    value.object_or_skip(|key, value| {
        match key {
            b"input" => counts.input = value.count()?,
            b"output" => counts.output = value.count()?,
            b"reasoning" => thought = value.count()?,
            b"cache" => value.object_or_skip(|key, value| {
                match key {
                    b"write" => counts.cache_write = value.count()?,
                    b"read" => counts.cache_read = value.count()?,
                    _ => value.skip()?,
                }
                Some(())
            })?,
            _ => value.skip()?,
        }
        Some(())
    })?;
    counts.output = counts.output.saturating_add(thought);
    Some(counts)
}

#[cfg(test)]
mod tests;
