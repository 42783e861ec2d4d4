//! The manifests that come with Clown, as a registry of their own.

use super::index::{Commit, Hash, Kind};
use crate::{agents, providers, templates};

/// The commit of the built-in set, which follows from what it holds.
pub fn commit() -> Commit {
    let rows: Vec<(Kind, &str, Hash, u64)> = [Kind::Agent, Kind::Provider, Kind::Template]
        .into_iter()
        .flat_map(|kind| {
            files(kind).iter().map(move |(name, content)| {
                let id = name.strip_suffix(".toml").unwrap_or(name);
                (kind, id, Hash::of(content.as_bytes()), content.len() as u64)
            })
        })
        .collect();
    Commit::of(
        rows.iter()
            .map(|(kind, id, hash, size)| (kind.as_str(), *id, hash.as_str(), *size)),
    )
}

/// How many there are of a kind.
pub(super) fn count(kind: Kind) -> usize {
    files(kind).len()
}

/// Whether there is one of that id.
pub(super) fn has(kind: Kind, id: &str) -> bool {
    let is_it = |name: &str| name.strip_suffix(".toml") == Some(id);
    files(kind).iter().any(|(name, _)| is_it(name))
}

fn files(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Agent => agents::built_in(),
        Kind::Provider => providers::built_in(),
        Kind::Template => templates::built_in(),
        Kind::Prices => &[],
    }
}
