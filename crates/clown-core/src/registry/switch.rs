//! What is in use, as the database knows it: functions of a transaction.

use super::error::RegistryError;
use super::index::{Channel, Commit, Hash};
use super::rows::{self, KeptIndex, State};
use crate::store::Tx;
use clown_events::RegistrySyncCompleted;
use rusqlite::Connection;

/// How many of the indices that were fetched last are kept, beside those that are needed.
const KEEP: usize = 3;

/// A sync that has done its work.
#[derive(Debug)]
pub(super) struct Ending {
    pub channel: Channel,
    /// The channel's newest index; None for the built-in set, or where it was not asked for.
    pub newest: Option<KeptIndex>,
    /// An index that is to stay in use.
    pub pinned: Option<KeptIndex>,
    pub from_cache: bool,
    pub downloaded: u64,
    pub built_in: Commit,
}

/// What is true after a sync.
#[derive(Debug)]
pub(super) struct Ended {
    pub commit: Commit,
    /// What was in use before, if it was another one.
    pub previous: Option<Commit>,
    /// What is still kept.
    pub kept: Vec<KeptIndex>,
    /// Whether something is no longer kept that was.
    pub has_removed: bool,
    pub note: Option<String>,
}

/// Records and tells that a sync ended well.
pub(super) fn end(tx: &mut Tx<'_>, ending: &Ending) -> Result<Ended, RegistryError> {
    let mut state = rows::state(tx)?;
    let before = active(tx, &state)?;
    // Whoever stops the daemon has told of its end already.
    if state.syncing.take().is_none() {
        return Err(RegistryError::Stopped);
    }
    if let Some(newest) = &ending.newest {
        rows::put(tx, newest)?;
        rows::set_newest(tx, newest)?;
    }
    if let Some(pinned) = &ending.pinned {
        rows::put(tx, pinned)?;
        state.pin = Some(pinned.commit.clone());
        state.active = Some(pinned.digest.clone());
    } else if state.pin.is_none() {
        state.active = ending.newest.as_ref().map(|newest| newest.digest.clone());
    }
    state.channel = ending.channel.as_str().to_owned();
    state.synced_at = Some(tx.now());
    state.failure = None;
    rows::set_state(tx, &state)?;
    let (kept, has_removed) = trim(tx, &state)?;
    let commit_of = |row: Option<&KeptIndex>| {
        row.map_or_else(|| ending.built_in.clone(), |row| row.commit.clone())
    };
    let is_active = |row: &&KeptIndex| Some(&row.digest) == state.active.as_ref();
    let commit = commit_of(kept.iter().find(is_active));
    let previous = commit_of(before.as_ref());
    tx.publish(RegistrySyncCompleted::new(
        ending.channel.as_str(),
        commit.as_str(),
        ending.from_cache,
        ending.downloaded,
    ));
    let newest = ending
        .newest
        .as_ref()
        .filter(|newest| newest.commit != commit);
    let note = newest.filter(|_| state.pin.is_some()).map(|newest| {
        format!(
            "commit {} is newest and kept; {} stays in use, because it is pinned",
            newest.commit.short(),
            commit.short()
        )
    });
    Ok(Ended {
        previous: (previous != commit).then_some(previous),
        commit,
        kept,
        has_removed,
        note,
    })
}

/// The index in use; None for the built-in set.
pub(super) fn active(
    connection: &Connection,
    state: &State,
) -> rusqlite::Result<Option<KeptIndex>> {
    let Some(active) = &state.active else {
        return Ok(None);
    };
    let kept = rows::kept(connection)?;
    Ok(kept.into_iter().find(|row| row.digest == *active))
}

/// The state under settings that may have changed since it was written.
pub(super) fn fitted(state: State, kept: &[KeptIndex], source: &str, configured: &str) -> State {
    let moved = state.source != source;
    let changed = state.configured != configured;
    if !moved && !changed {
        return state;
    }
    let mut state = State {
        source: source.to_owned(),
        configured: configured.to_owned(),
        channel: configured.to_owned(),
        ..state
    };
    if moved {
        state.pin = None;
        state.tried_at = None;
        state.synced_at = None;
        state.failure = None;
    }
    if state.pin.is_none() {
        state.active = newest_of(kept, source, configured);
    }
    state
}

fn newest_of(kept: &[KeptIndex], source: &str, channel: &str) -> Option<Hash> {
    let of_channel = kept
        .iter()
        .filter(|row| !source.is_empty() && row.source == source && row.channel == channel);
    let newest = of_channel.max_by_key(|row| row.serial)?;
    Some(newest.digest.clone())
}

/// Forgets what is neither needed nor among the last of this registry, or of all others: what is
/// kept, and whether that is less.
fn trim(tx: &Tx<'_>, state: &State) -> Result<(Vec<KeptIndex>, bool), RegistryError> {
    let mut kept = Vec::new();
    let mut has_removed = false;
    let (mut own, mut others) = (0, 0);
    for row in rows::kept(tx)? {
        let place = match row.source == state.source {
            true => &mut own,
            false => &mut others,
        };
        *place += 1;
        let is_needed =
            state.active.as_ref() == Some(&row.digest) || state.pin.as_ref() == Some(&row.commit);
        if is_needed || *place <= KEEP {
            kept.push(row);
        } else {
            rows::remove(tx, &row.digest)?;
            has_removed = true;
        }
    }
    Ok((kept, has_removed))
}
