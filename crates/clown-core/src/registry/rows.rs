//! What the database knows of the registry.

use super::index::{Channel, Commit, Hash};
use super::storage::IndexName;
use clown_events::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Which registry is in use, and how its syncs went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The address that the rest belongs to; empty for the built-in set.
    pub source: String,
    /// The channel of `config.toml` when the rest was written.
    pub configured: String,
    pub channel: String,
    /// The index in use; None for the built-in set.
    pub active: Option<Hash>,
    /// What stays in use.
    pub pin: Option<Commit>,
    /// The channel of a sync that has begun and not ended.
    pub syncing: Option<String>,
    /// When the last sync began.
    pub tried_at: Option<Timestamp>,
    /// When the last sync ended well.
    pub synced_at: Option<Timestamp>,
    /// The last sync's failure; None if it ended well.
    pub failure: Option<(Timestamp, String)>,
}

/// An index that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptIndex {
    /// The SHA-256 of its file.
    pub digest: Hash,
    /// Whose it is.
    pub(super) source: String,
    /// Its channel.
    pub channel: String,
    /// Its commit.
    pub commit: Commit,
    /// Its number.
    pub serial: u64,
    /// When it was built.
    pub created_at: Timestamp,
    /// When it was fetched last.
    pub fetched_at: Timestamp,
    /// What tells its content from others, as the server says.
    pub(super) etag: Option<String>,
}

impl KeptIndex {
    pub(super) fn name(&self) -> IndexName {
        IndexName::of(&self.commit, &self.digest)
    }
}

/// The greatest number of a channel's indices, whatever is kept of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newest {
    pub serial: u64,
    pub digest: Hash,
}

pub(super) fn state(connection: &Connection) -> rusqlite::Result<State> {
    connection
        .prepare_cached(
            "SELECT source, configured, channel, active, pin, syncing, tried_at, synced_at, failed_at, failure
             FROM registry",
        )?
        .query_row([], |row| {
            let failed_at = time(row, 8)?;
            let failure: Option<String> = row.get(9)?;
            Ok(State {
                source: row.get(0)?,
                configured: row.get(1)?,
                channel: row.get(2)?,
                active: row.get::<_, Option<String>>(3)?.as_deref().and_then(Hash::parse),
                pin: row.get::<_, Option<String>>(4)?.as_deref().and_then(Commit::parse),
                syncing: row.get(5)?,
                tried_at: time(row, 6)?,
                synced_at: time(row, 7)?,
                failure: failed_at.zip(failure),
            })
        })
}

pub(super) fn set_state(connection: &Connection, state: &State) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE registry SET source = ?1, configured = ?2, channel = ?3, active = ?4, pin = ?5,
             syncing = ?6, tried_at = ?7, synced_at = ?8, failed_at = ?9, failure = ?10",
        )?
        .execute(params![
            state.source,
            state.configured,
            state.channel,
            state.active.as_ref().map(Hash::as_str),
            state.pin.as_ref().map(Commit::as_str),
            state.syncing,
            state.tried_at.map(Timestamp::unix_millis),
            state.synced_at.map(Timestamp::unix_millis),
            state.failure.as_ref().map(|(at, _)| at.unix_millis()),
            state.failure.as_ref().map(|(_, text)| text),
        ])
        .map(drop)
}

/// All that are kept, those fetched last first.
pub(super) fn kept(connection: &Connection) -> rusqlite::Result<Vec<KeptIndex>> {
    connection
        .prepare_cached(
            "SELECT digest, source, channel, commit_id, serial, created_at, fetched_at, etag
             FROM registry_indices ORDER BY fetched_at DESC, serial DESC, digest",
        )?
        .query_map([], |row| {
            let commit: String = row.get(3)?;
            let digest: String = row.get(0)?;
            // Only checked ones are written; another one is as if it were not there.
            let Some((digest, commit)) = Hash::parse(&digest).zip(Commit::parse(&commit)) else {
                return Ok(None);
            };
            Ok(Some(KeptIndex {
                digest,
                source: row.get(1)?,
                channel: row.get(2)?,
                commit,
                serial: number(row.get(4)?),
                created_at: moment(row.get(5)?),
                fetched_at: moment(row.get(6)?),
                etag: row.get(7)?,
            }))
        })?
        .filter_map(Result::transpose)
        .collect()
}

pub(super) fn put(connection: &Connection, index: &KeptIndex) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO registry_indices
             (digest, source, channel, commit_id, serial, created_at, fetched_at, etag)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (digest) DO UPDATE SET source = excluded.source,
             fetched_at = max(excluded.fetched_at, fetched_at), etag = excluded.etag",
        )?
        .execute(params![
            index.digest.as_str(),
            index.source,
            index.channel,
            index.commit.as_str(),
            index.serial as i64,
            index.created_at.unix_millis(),
            index.fetched_at.unix_millis(),
            index.etag,
        ])
        .map(drop)
}

pub(super) fn remove(connection: &Connection, digest: &Hash) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM registry_indices WHERE digest = ?1")?
        .execute([digest.as_str()])
        .map(drop)
}

pub(super) fn newest(
    connection: &Connection,
    source: &str,
    channel: &Channel,
) -> rusqlite::Result<Option<Newest>> {
    let found = connection
        .prepare_cached(
            "SELECT serial, digest FROM registry_newest WHERE source = ?1 AND channel = ?2",
        )?
        .query_row([source, channel.as_str()], |row| {
            Ok((number(row.get(0)?), row.get::<_, String>(1)?))
        })
        .optional()?;
    Ok(found.and_then(|(serial, digest)| {
        Some(Newest {
            serial,
            digest: Hash::parse(&digest)?,
        })
    }))
}

/// A lower one is written only where it was forced.
pub(super) fn set_newest(connection: &Connection, index: &KeptIndex) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO registry_newest (source, channel, serial, digest) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (source, channel) DO UPDATE SET serial = excluded.serial, digest = excluded.digest",
        )?
        .execute(params![
            index.source,
            index.channel,
            index.serial as i64,
            index.digest.as_str()
        ])
        .map(drop)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(moment))
}

fn moment(millis: i64) -> Timestamp {
    // Written from times, so it is one.
    Timestamp::from_unix_millis(millis).unwrap_or_else(|_| Timestamp::now())
}

fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
