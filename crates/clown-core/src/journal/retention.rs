use crate::Seq;
use crate::store::{Store, StoreError};
use clown_events::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use std::time::Duration;

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The latest events that are kept whatever their age.
    pub keep_events: u64,
    /// The age below which events are kept whatever their number.
    pub keep_for: Duration,
    /// The size beyond which the oldest go, whatever their age and number.
    pub max_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            keep_events: 100_000,
            keep_for: Duration::from_secs(7 * 24 * 60 * 60),
            max_bytes: 1 << 30,
        }
    }
}

/// What one call of [`trim`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimmed {
    /// How many events are gone.
    pub events: usize,
    /// Whether there is more to trim: call again, so that others get their turn in between.
    pub more: bool,
}

/// How many events one transaction trims, so that no commit waits long.
const STEP: i64 = 5_000;

/// Trims one step of what is no longer kept.
pub fn trim(store: &Store, retention: &Retention, now: Timestamp) -> Result<Trimmed, StoreError> {
    let Some(last) = store.read(|connection| last_to_trim(connection, retention, now))? else {
        return Ok(Trimmed {
            events: 0,
            more: false,
        });
    };
    store.commit(move |tx| {
        let step: Option<i64> = tx.query_row(
            "SELECT max(seq) FROM (SELECT seq FROM journal WHERE seq <= ?1 ORDER BY seq LIMIT ?2)",
            [last.to_sql(), STEP],
            |row| row.get(0),
        )?;
        let Some(step) = step else {
            return Ok(Trimmed {
                events: 0,
                more: false,
            });
        };
        let bytes: i64 = tx.query_row(
            "SELECT ifnull(sum(length(body)), 0) FROM journal WHERE seq <= ?1",
            [step],
            |row| row.get(0),
        )?;
        let events = tx.execute("DELETE FROM journal WHERE seq <= ?1", [step])?;
        tx.execute(
            "UPDATE meta SET value = ?1 WHERE key = 'trimmed_to'",
            [step],
        )?;
        tx.execute(
            "UPDATE meta SET value = value - ?1 WHERE key = 'journal_bytes'",
            [bytes],
        )?;
        Ok(Trimmed {
            events,
            more: step < last.to_sql(),
        })
    })
}

/// The last event that is not kept any more. The latest event always is.
fn last_to_trim(
    connection: &Connection,
    retention: &Retention,
    now: Timestamp,
) -> Result<Option<Seq>, StoreError> {
    let aged = last_of_age_and_number(connection, retention, now)?;
    let oversize = last_of_size(connection, retention.max_bytes)?;
    Ok(aged.max(oversize))
}

fn last_of_age_and_number(
    connection: &Connection,
    retention: &Retention,
    now: Timestamp,
) -> Result<Option<Seq>, StoreError> {
    let kept = i64::try_from(retention.keep_events.max(1)).unwrap_or(i64::MAX);
    let beyond_number: Option<i64> = connection
        .query_row(
            "SELECT seq FROM journal ORDER BY seq DESC LIMIT 1 OFFSET ?1",
            [kept],
            |row| row.get(0),
        )
        .optional()?;
    let age = i64::try_from(retention.keep_for.as_millis()).unwrap_or(i64::MAX);
    let first_young = super::first_from(connection, now.unix_millis().saturating_sub(age))?;
    let beyond_age: Option<i64> = connection.query_row(
        "SELECT max(seq) FROM journal WHERE seq < ?1",
        [first_young.unwrap_or(i64::MAX)],
        |row| row.get(0),
    )?;
    Ok(beyond_number
        .zip(beyond_age)
        .map(|(number, age)| Seq::from_sql(number.min(age))))
}

fn last_of_size(connection: &Connection, max_bytes: u64) -> Result<Option<Seq>, StoreError> {
    let held: i64 = connection.query_row(
        "SELECT value FROM meta WHERE key = 'journal_bytes'",
        [],
        |row| row.get(0),
    )?;
    let mut excess = held.saturating_sub(i64::try_from(max_bytes).unwrap_or(i64::MAX));
    let mut last = None;
    let latest = super::head_in(connection)?;
    let mut statement =
        connection.prepare_cached("SELECT seq, length(body) FROM journal ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while excess > 0
        && let Some(row) = rows.next()?
    {
        let seq = Seq::from_sql(row.get(0)?);
        if seq == latest {
            break;
        }
        excess -= row.get::<_, i64>(1)?;
        last = Some(seq);
    }
    Ok(last)
}
