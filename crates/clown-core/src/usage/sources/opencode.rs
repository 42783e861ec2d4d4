//! OpenCode: rows of a SQLite database, and JSON files of earlier versions, which stay beside it.
//!
//! - A fork copies answers under new ids: provider, model and times are what stays, of a row and of the
//!   file that it was made from.
//! - A row grows until it has a time of completion, and counts from then on.
//! - Thoughts come on top of the answer's tokens, and cost as much.

use super::value::{count, object, text};
use super::{Context, Read, model_or_unknown};
use crate::usage::record::{Counts, Key, Record};
use rusqlite::Connection;
use serde_json::Value;

pub(super) const DATABASE: Read = Read::Database(database);
pub(super) const FILE: Read = Read::Whole(file);

fn database(connection: &Connection, context: &mut Context<'_>) -> rusqlite::Result<()> {
    let since = context.memory.marks.get("message").copied().unwrap_or(0);
    // Rows of the mark's own moment come again: there may be more of them now.
    let mut statement = connection.prepare(
        "SELECT message.time_updated, message.session_id, message.data, session.directory
         FROM message LEFT JOIN session ON session.id = message.session_id
         WHERE message.time_updated >= ?1 ORDER BY message.time_updated",
    )?;
    let mut rows = statement.query([since])?;
    while let Some(row) = rows.next()? {
        let (updated, session): (i64, String) = (row.get(0)?, row.get(1)?);
        let (data, folder): (String, Option<String>) = (row.get(2)?, row.get(3)?);
        if let Some(message) = object(data.as_bytes()) {
            answer(&message, &session, folder.as_deref(), context);
        }
        context.memory.marks.insert("message".to_owned(), updated);
    }
    Ok(())
}

fn file(content: &[u8], context: &mut Context<'_>) -> Option<()> {
    let message = object(content)?;
    answer(&message, text(&message["sessionID"]), None, context)
}

fn answer(
    message: &Value,
    session: &str,
    folder: Option<&str>,
    context: &mut Context<'_>,
) -> Option<()> {
    if message["role"] != "assistant" {
        return None;
    }
    let time = &message["time"];
    let (created, completed) = (time["created"].as_i64()?, time["completed"].as_i64()?);
    let tokens = &message["tokens"];
    let (provider, model) = (text(&message["providerID"]), text(&message["modelID"]));
    let cwd = text(&message["path"]["cwd"]);
    let folder = folder.unwrap_or_default();
    let project = if cwd.is_empty() { folder } else { cwd };
    context.memory.project.replace_range(.., project);
    let parts: [&[u8]; 5] = [
        b"opencode",
        provider.as_bytes(),
        model.as_bytes(),
        &created.to_le_bytes(),
        &completed.to_le_bytes(),
    ];
    context.found(&Record {
        key: Key::of(&parts),
        at: created,
        session,
        model: model_or_unknown(model),
        fast: false,
        counts: Counts {
            input: count(&tokens["input"]),
            output: count(&tokens["output"]).saturating_add(count(&tokens["reasoning"])),
            cache_write: count(&tokens["cache"]["write"]),
            cache_read: count(&tokens["cache"]["read"]),
            ..Counts::default()
        },
    });
    Some(())
}

#[cfg(test)]
mod tests;
