//! Goose: table `usage_ledger` of `sessions.db`, one row a request. Databases of earlier versions hold a
//! sum for each session, and what it has grown by counts. What came from the cache is in the prompt.

use super::{Context, Read, model_or_unknown};
use crate::usage::record::{Counts, Key, Record};
use rusqlite::{Connection, OptionalExtension as _};

pub(super) const READ: Read = Read::Database(database);

fn database(connection: &Connection, context: &mut Context<'_>) -> rusqlite::Result<()> {
    let ledger: Option<i64> = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'usage_ledger'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if ledger.is_some() {
        rows(connection, context)
    } else {
        sums(connection, context)
    }
}

fn rows(connection: &Connection, context: &mut Context<'_>) -> rusqlite::Result<()> {
    // All of them each time: a database that was made anew counts its rows from one again.
    let mut statement = connection.prepare(
        "SELECT ledger.id, ledger.session_id, ledger.created_timestamp, ledger.model,
                coalesce(ledger.input_tokens, 0), coalesce(ledger.output_tokens, 0),
                coalesce(ledger.cache_read_tokens, 0), coalesce(ledger.cache_write_tokens, 0),
                coalesce(session.working_dir, '')
         FROM usage_ledger AS ledger LEFT JOIN sessions AS session ON session.id = ledger.session_id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, created): (i64, i64) = (row.get(0)?, row.get(2)?);
        let (session, model): (String, Option<String>) = (row.get(1)?, row.get(3)?);
        context.memory.project = row.get(8)?;
        let count =
            |place| Ok::<_, rusqlite::Error>(row.get::<_, i64>(place)?.max(0).unsigned_abs());
        let parts: [&[u8]; 4] = [
            b"goose",
            session.as_bytes(),
            &id.to_le_bytes(),
            &created.to_le_bytes(),
        ];
        context.found(&Record {
            key: Key::of(&parts),
            at: created.saturating_mul(1000),
            session: &session,
            model: model_or_unknown(model.as_deref().unwrap_or_default()),
            fast: false,
            counts: Counts {
                input: count(4)?,
                output: count(5)?,
                cache_read: count(6)?,
                cache_write: count(7)?,
                ..Counts::default()
            }
            .without_caches_in_input(),
        });
    }
    Ok(())
}

fn sums(connection: &Connection, context: &mut Context<'_>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT id, coalesce(working_dir, ''), coalesce(accumulated_input_tokens, 0),
                coalesce(accumulated_output_tokens, 0),
                coalesce(json_extract(model_config_json, '$.model_name'), ''),
                coalesce(unixepoch(updated_at), 0)
         FROM sessions",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (session, model): (String, String) = (row.get(0)?, row.get(4)?);
        context.memory.project = row.get(1)?;
        let count =
            |place| Ok::<_, rusqlite::Error>(row.get::<_, i64>(place)?.max(0).unsigned_abs());
        context.found_sum(&Record {
            key: Key::of(&[b"goose-sum", session.as_bytes()]),
            at: row.get::<_, i64>(5)?.saturating_mul(1000),
            session: &session,
            model: model_or_unknown(&model),
            fast: false,
            counts: Counts {
                input: count(2)?,
                output: count(3)?,
                ..Counts::default()
            },
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
