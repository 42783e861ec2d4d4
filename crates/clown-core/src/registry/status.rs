use super::built_in;
use super::ending::Unrecorded;
use super::index::{Commit, Kind};
use super::layer::Layer;
use super::rows::{self, KeptIndex};
use super::service::RegistrySettings;
use crate::store::StoreError;
use clown_events::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Which registry is in use, and how its syncs went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryStatus {
    /// The address of `config.toml`; None for the built-in set.
    pub address: Option<String>,
    /// The channel that is followed.
    pub channel: String,
    /// The commit in use.
    pub commit: Commit,
    /// The index in use; None for the built-in set.
    pub active: Option<KeptIndex>,
    /// Who vouches for what is in use.
    pub signature: SignatureStatus,
    /// The commit that stays in use.
    pub pin: Option<Commit>,
    /// How many artifacts there are of each kind.
    pub counts: BTreeMap<Kind, usize>,
    /// What is kept of this registry, the last first.
    pub kept: Vec<KeptIndex>,
    /// Whether a sync is under way.
    pub is_syncing: bool,
    /// When the last sync ended well.
    pub synced_at: Option<Timestamp>,
    /// When and why the last sync failed; None if it did not.
    pub failure: Option<(Timestamp, String)>,
    /// Why what was in use cannot be used.
    pub problem: Option<String>,
}

/// Who vouches for what is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureStatus {
    /// It came with Clown.
    BuiltIn,
    /// Whoever has the secret key of `registry.public_key`.
    Verified,
    /// Nobody but the place that it came from.
    NotSigned,
}

/// The registry as one transaction sees it.
pub(super) fn read(
    connection: &Connection,
    settings: &RegistrySettings,
    layer: &Layer,
    problem: Option<String>,
    unrecorded: Option<&Unrecorded>,
) -> Result<RegistryStatus, StoreError> {
    let state = rows::state(connection)?;
    let mut kept = rows::kept(connection)?;
    let active = kept
        .iter()
        .find(|row| Some(&row.digest) == state.active.as_ref())
        .cloned();
    kept.retain(|row| row.source == state.source);
    let unrecorded = match unrecorded {
        Some(end) => end.in_place_of(connection, &state)?,
        None => None,
    };
    let counts = Kind::ALL.map(|kind| {
        let count = match &active {
            Some(_) => layer.files(kind).count(),
            None => built_in::count(kind),
        };
        (kind, count)
    });
    Ok(RegistryStatus {
        address: settings.address.as_ref().map(ToString::to_string),
        channel: state.channel,
        commit: active
            .as_ref()
            .map_or_else(built_in::commit, |row| row.commit.clone()),
        signature: match (&active, &settings.key) {
            (None, _) => SignatureStatus::BuiltIn,
            (Some(_), Some(_)) => SignatureStatus::Verified,
            (Some(_), None) => SignatureStatus::NotSigned,
        },
        active,
        pin: state.pin,
        counts: counts.into_iter().collect(),
        kept,
        is_syncing: state.syncing.is_some() && unrecorded.is_none(),
        synced_at: state.synced_at,
        failure: unrecorded.or(state.failure),
        problem,
    })
}
