//! goose: a database of SQLite, `sessions.db`.
//!
//! - `usage_ledger` has a row for each request. What went to caches and came from them is in the
//!   prompt. Compactions are requests as others.
//! - Earlier versions only summed up a session (`accumulated_…`): what that has grown by counts. The
//!   ledger's versions sum on, so the sum says something of sessions without rows alone.
//! - When such a session goes on, goose brings its sum forward as a row of the ledger, which is the
//!   same sum and no request.
//! - `input_tokens` and the like of a session are those of its last request.
//! - Sessions are numbered by the day and rows from one on, in every database.

use super::value::{object, text};
use super::{Context, Read, bytes_at, columns, last_read, model_or_unknown};
use crate::usage::record::{Counts, Key, Record};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

pub(super) const READ: Read = Read::Database(database);

const LEDGER: &str = "usage_ledger";

fn database(connection: &Connection, context: &mut Context<'_>) -> rusqlite::Result<()> {
    let sessions = columns(connection, "sessions")?;
    // The file is there before its tables are.
    if sessions.is_empty() {
        return Ok(());
    }
    let of_session = |name: &str| {
        if sessions.contains(name) {
            format!("session.{name}")
        } else {
            "NULL".to_owned()
        }
    };
    let ledger = columns(connection, LEDGER)?;
    if ledger.is_empty() {
        let nothing = "SELECT NULL AS session_id, NULL AS input_tokens, NULL AS output_tokens,
                NULL AS cache_read_tokens, NULL AS cache_write_tokens WHERE 0";
        return sums(connection, of_session, nothing, context);
    }
    let forward = if ledger.contains("cost_source") {
        "coalesce(cost_source, '') = 'carried_forward'"
    } else {
        "0"
    };
    requests(connection, forward, context)?;
    let sum = |name: &str| format!("sum(CASE WHEN {forward} THEN {name} END) AS {name}");
    let forwarded = format!(
        "SELECT session_id, {}, {}, {}, {} FROM usage_ledger GROUP BY session_id",
        sum("input_tokens"),
        sum("output_tokens"),
        sum("cache_read_tokens"),
        sum("cache_write_tokens")
    );
    sums(connection, of_session, &forwarded, context)
}

fn requests(
    connection: &Connection,
    forward: &str,
    context: &mut Context<'_>,
) -> rusqlite::Result<()> {
    let what = "id || ' ' || session_id || ' ' || created_timestamp";
    let known = last_read(connection, context.memory, LEDGER, "id", what)?;
    let mut statement = connection.prepare(&format!(
        "SELECT ledger.id, ledger.session_id, ledger.created_timestamp, ledger.model,
                session.working_dir, ledger.input_tokens, ledger.output_tokens,
                ledger.cache_read_tokens, ledger.cache_write_tokens
         FROM usage_ledger AS ledger LEFT JOIN sessions AS session ON session.id = ledger.session_id
         WHERE ledger.id > ?1 AND NOT {forward}"
    ))?;
    let mut rows = statement.query([known.unwrap_or_default()])?;
    while let Some(row) = rows.next()? {
        let (id, created) = (number(row, 0)?, number(row, 2)?);
        let session = String::from_utf8_lossy(bytes_at(row, 1)?);
        let model = String::from_utf8_lossy(bytes_at(row, 3)?);
        context.memory.project = String::from_utf8_lossy(bytes_at(row, 4)?).into_owned();
        let counts = counts(row, 5)?;
        let parts: [&[u8]; 6] = [
            b"goose",
            session.as_bytes(),
            &id.to_le_bytes(),
            &created.to_le_bytes(),
            model.as_bytes(),
            &counts.bytes(),
        ];
        context.found(&Record {
            key: Key::of(&parts),
            at: millis(created),
            session: &session,
            model: model_or_unknown(&model),
            fast: Some(false),
            counts,
        });
    }
    Ok(())
}

/// `ledger` selects what the ledger says of each session that it has rows of: the sums of before it.
fn sums(
    connection: &Connection,
    of_session: impl Fn(&str) -> String,
    ledger: &str,
    context: &mut Context<'_>,
) -> rusqlite::Result<()> {
    let [created, updated, model] =
        ["created_at", "updated_at", "model_config_json"].map(&of_session);
    let [input, output, cache_read, cache_write] = [
        "accumulated_input_tokens",
        "accumulated_output_tokens",
        "accumulated_cache_read_tokens",
        "accumulated_cache_write_tokens",
    ]
    .map(&of_session);
    let mut statement = connection.prepare(&format!(
        "SELECT session.id, {created}, session.working_dir, {model},
                unixepoch({created}), unixepoch({updated}),
                {input}, {output}, {cache_read}, {cache_write},
                ledger.session_id, ledger.input_tokens, ledger.output_tokens,
                ledger.cache_read_tokens, ledger.cache_write_tokens
         FROM sessions AS session LEFT JOIN ({ledger}) AS ledger ON ledger.session_id = session.id
         WHERE {input} > 0 OR {output} > 0"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (session, made) = (bytes_at(row, 0)?, bytes_at(row, 1)?);
        let (created, updated) = (number(row, 4)?, number(row, 5)?);
        let has_rows = !matches!(row.get_ref(10)?, ValueRef::Null);
        let (counts, at) = if has_rows {
            (counts(row, 11)?, created)
        } else {
            (counts(row, 6)?, updated)
        };
        context.memory.project = String::from_utf8_lossy(bytes_at(row, 2)?).into_owned();
        let config = object(bytes_at(row, 3)?).unwrap_or_default();
        context.found_sum(&Record {
            key: Key::of(&[b"goose-sum", session, made]),
            at: millis(at),
            session: &String::from_utf8_lossy(session),
            model: model_or_unknown(text(&config["model_name"])),
            fast: Some(false),
            counts,
        });
    }
    Ok(())
}

/// Input, output, read from caches and written to them, from column `first` on.
fn counts(row: &Row<'_>, first: usize) -> rusqlite::Result<Counts> {
    let counts = Counts {
        input: number(row, first)?,
        output: number(row, first + 1)?,
        cache_read: number(row, first + 2)?,
        cache_write: number(row, first + 3)?,
        ..Counts::default()
    };
    Ok(counts.without_caches_in_input())
}

/// 0 for what is none.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => number.max(0).unsigned_abs(),
        ValueRef::Real(number) => number.max(0.0) as u64,
        _ => 0,
    })
}

/// Of seconds.
fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
