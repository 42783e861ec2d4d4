//! Reading what was published, page by page; and forgetting what is too old.

mod retention;

pub use retention::{Retention, Trimmed, trim};

use crate::Seq;
use crate::bus::{Committed, Segment};
use crate::store::{Store, StoreError};
use clown_events::{EventKind, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::str::FromStr as _;

/// What the journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The number of the oldest event that is held; that of the latest when none is.
    pub oldest: Seq,
    /// The number of the latest event.
    pub latest: Seq,
}

/// Some of what follows a number.
#[derive(Debug)]
pub struct Page {
    /// The events; `None` when nothing follows.
    pub segment: Option<Segment>,
    /// Everything up to this number was trimmed before the page was read.
    pub trimmed_to: Seq,
}

/// Where a resuming client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Right behind this number.
    After(Seq),
    /// The number asked for is neither held nor the last one that was trimmed: tell the client,
    /// then everything that is held.
    Gap(Extent),
}

/// The most events that a page holds.
pub const PAGE_EVENTS: usize = 4_096;

/// What the journal holds now.
pub fn extent(store: &Store) -> Result<Extent, StoreError> {
    store.read(extent_in)
}

fn extent_in(connection: &Connection) -> Result<Extent, StoreError> {
    let (oldest, latest): (Option<i64>, Option<i64>) = connection.query_row(
        "SELECT (SELECT min(seq) FROM journal), (SELECT max(seq) FROM journal)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let trimmed = trimmed_to(connection)?;
    let latest = latest.map_or(trimmed, Seq::from_sql);
    Ok(Extent {
        oldest: oldest.map_or(latest, Seq::from_sql),
        latest,
    })
}

/// The number of the last event in `connection`'s view of the database.
pub fn head_in(connection: &Connection) -> Result<Seq, StoreError> {
    Ok(extent_in(connection)?.latest)
}

/// Where a client begins that has everything up to `since`. Zero is before everything.
pub fn resume(store: &Store, since: Seq) -> Result<Start, StoreError> {
    if since == Seq::START {
        return Ok(Start::After(since));
    }
    store.read(|connection| {
        let held = connection
            .query_row(
                "SELECT 1 FROM journal WHERE seq = ?1",
                [since.to_sql()],
                |_| Ok(()),
            )
            .optional()?
            .is_some();
        if held || trimmed_to(connection)? == since {
            return Ok(Start::After(since));
        }
        Ok(Start::Gap(extent_in(connection)?))
    })
}

/// The number right before the first event at or after `time`.
pub fn before_time(store: &Store, time: Timestamp) -> Result<Seq, StoreError> {
    store.read(|connection| {
        let Some(first) = first_from(connection, time.unix_millis())? else {
            return head_in(connection);
        };
        let before: Option<i64> = connection.query_row(
            "SELECT max(seq) FROM journal WHERE seq < ?1",
            [first],
            |row| row.get(0),
        )?;
        match before {
            Some(seq) => Ok(Seq::from_sql(seq)),
            None => trimmed_to(connection),
        }
    })
}

/// The first event at or after a time. `at` never falls with rising numbers, so the place is found
/// by halving.
fn first_from(connection: &Connection, at: i64) -> Result<Option<i64>, StoreError> {
    let Extent { oldest, latest } = extent_in(connection)?;
    let (mut low, mut high) = (oldest.to_sql(), latest.to_sql());
    let mut statement = connection
        .prepare_cached("SELECT seq, at FROM journal WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
    let mut first = None;
    while low <= high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, i64)> = statement
            .query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            Some((seq, its)) if its < at => low = seq + 1,
            Some((seq, _)) => {
                first = Some(seq);
                high = middle - 1;
            }
            // The journal is empty.
            None => break,
        }
    }
    Ok(first)
}

/// What follows `after`, up to `max_events` and about `max_bytes`, read in one transaction.
pub fn page(
    store: &Store,
    after: Seq,
    max_events: usize,
    max_bytes: usize,
) -> Result<Page, StoreError> {
    store.read(|connection| {
        let trimmed_to = trimmed_to(connection)?;
        let mut statement = connection.prepare_cached(
            "SELECT seq, type, profile, body FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let limit = i64::try_from(max_events).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![after.to_sql(), limit])?;
        let mut events = Vec::new();
        let mut bytes = 0;
        while bytes < max_bytes
            && let Some(row) = rows.next()?
        {
            let name: Box<str> = row.get(1)?;
            let json: Vec<u8> = row.get(3)?;
            bytes += json.len();
            events.push(Committed {
                seq: Seq::from_sql(row.get(0)?),
                kind: EventKind::from_str(&name).ok(),
                name,
                profile: row.get(2)?,
                json,
            });
        }
        Ok(Page {
            segment: Segment::new(events),
            trimmed_to,
        })
    })
}

fn trimmed_to(connection: &Connection) -> Result<Seq, StoreError> {
    let value: Option<i64> = connection
        .query_row(
            "SELECT value FROM meta WHERE key = 'trimmed_to'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(Seq::from_sql(value.unwrap_or(0)))
}

#[cfg(test)]
mod tests;
