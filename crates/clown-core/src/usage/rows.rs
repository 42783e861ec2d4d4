//! The `usage_totals` table. Nothing else knows its SQL.

use super::Total;
use crate::Alias;
use crate::store::StoreError;
use clown_events::{Cost, Tokens, Usd};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

const COLUMNS: &str = "profile, input_tokens, output_tokens, cache_creation_input_tokens, \
                       cache_read_input_tokens, cost_nanos, unpriced";

/// The sums of all profiles that have used anything, by profile.
pub fn list_in(connection: &Connection) -> Result<Vec<Total>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM usage_totals ORDER BY profile");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds to the sums of `profile`. A sum that the database cannot hold stays at the largest.
pub(super) fn add(
    connection: &Connection,
    profile: &Alias,
    tokens: Tokens,
    cost: Cost,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM usage_totals WHERE profile = ?1");
    let before = connection
        .prepare_cached(&sql)?
        .query_row([profile.as_str()], read)
        .optional()?;
    let (had, cost_had) = before.map_or_else(Default::default, |total| (total.tokens, total.cost));
    let sum = |had: u64, more: u64| i64::try_from(had.saturating_add(more)).unwrap_or(i64::MAX);
    let sql = format!(
        "INSERT OR REPLACE INTO usage_totals ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    );
    connection.prepare_cached(&sql)?.execute(params![
        profile.as_str(),
        sum(had.input_tokens, tokens.input_tokens),
        sum(had.output_tokens, tokens.output_tokens),
        sum(
            had.cache_creation_input_tokens,
            tokens.cache_creation_input_tokens
        ),
        sum(had.cache_read_input_tokens, tokens.cache_read_input_tokens),
        cost_had.total_cost.saturating_add(cost.total_cost).nanos(),
        cost_had.unpriced || cost.unpriced,
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Total> {
    let profile: String = row.get(0)?;
    let profile = profile.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
    })?;
    // Sums are never negative, and are kept at what the database holds.
    let sum = |index| -> rusqlite::Result<u64> {
        let sum: i64 = row.get(index)?;
        Ok(sum.unsigned_abs())
    };
    Ok(Total {
        profile,
        tokens: Tokens::new(sum(1)?, sum(2)?)
            .with_cache_creation_input_tokens(sum(3)?)
            .with_cache_read_input_tokens(sum(4)?),
        cost: Cost::new(Usd::from_nanos(row.get(5)?)).with_unpriced(row.get(6)?),
    })
}
