//! A commit that is used and stays.

use super::built_in;
use super::error::RegistryError;
use super::index::{Channel, Commit};
use super::rows::{self, State};
use super::service::{Asked, Loaded, Outcome, Registry, Synced};
use crate::store::StoreError;
use std::collections::BTreeSet;

impl Registry {
    pub(super) fn pin_now(&self, commit: &str) -> Result<Synced, RegistryError> {
        let state = self.state()?;
        let mut kept = self
            .store
            .read(|connection| Ok::<_, StoreError>(rows::kept(connection)?))?;
        kept.retain(|row| row.source == state.source && row.commit.as_str().starts_with(commit));
        let commits: BTreeSet<&Commit> = kept.iter().map(|row| &row.commit).collect();
        if commits.len() > 1 {
            return Err(RegistryError::AmbiguousCommit {
                commit: commit.to_owned(),
            });
        }
        let asked = Asked {
            channel: self.channel_of(&state),
            force: false,
            offline: false,
        };
        let in_use = kept
            .iter()
            .find(|row| state.active.as_ref() == Some(&row.digest));
        if let Some(row) = in_use.cloned() {
            let commit = row.commit;
            self.set_pin(Some(commit.clone()))?;
            return Ok(Synced {
                channel: asked.channel,
                commit,
                previous: None,
                from_cache: true,
                artifacts_downloaded: 0,
                note: None,
            });
        }
        let loaded = kept.into_iter().find_map(|row| self.load(row).ok());
        self.run(&asked, |_| {
            let (loaded, downloaded, from_cache) = match loaded {
                Some(loaded) => (loaded, 0, true),
                None => {
                    let (loaded, downloaded) = self.fetch_pin(&asked.channel, commit)?;
                    (loaded, downloaded, false)
                }
            };
            Ok(Outcome {
                pinned: Some(loaded),
                downloaded,
                from_cache,
                ..Outcome::default()
            })
        })
    }

    fn fetch_pin(&self, channel: &Channel, commit: &str) -> Result<(Loaded, u64), RegistryError> {
        let address = self
            .settings
            .address
            .as_ref()
            .ok_or(RegistryError::NoRegistry)?;
        let Some(commit) = Commit::parse(commit) else {
            return Err(RegistryError::NoSuchCommit {
                commit: commit.to_owned(),
                channel: channel.clone(),
                asked: String::new(),
                advice: "one that is not kept is asked for by all 40 digits",
            });
        };
        if self.settings.key.is_none() && !address.is_authentic() {
            return Err(RegistryError::NotAuthentic {
                address: address.to_string(),
            });
        }
        self.commit(&self.source(address), channel, &commit)
    }

    pub(super) fn unpin_now(&self) -> Result<Synced, RegistryError> {
        let state = self.state()?;
        let channel = self.channel_of(&state);
        let newest = self.newest_kept(&state, &channel)?;
        let changes = match &newest {
            Some(loaded) => state.active.as_ref() != Some(&loaded.row.digest),
            None => state.active.is_some(),
        };
        self.set_pin(None)?;
        let asked = Asked {
            channel,
            force: false,
            offline: true,
        };
        if changes {
            return self.run(&asked, |state| self.kept_only(&asked, state));
        }
        let commit = newest.map_or_else(built_in::commit, |loaded| loaded.row.commit);
        Ok(Synced {
            channel: asked.channel,
            commit,
            previous: None,
            from_cache: true,
            artifacts_downloaded: 0,
            note: None,
        })
    }

    fn set_pin(&self, pin: Option<Commit>) -> Result<(), RegistryError> {
        self.store.commit(move |tx| {
            let state = State {
                pin,
                ..rows::state(tx)?
            };
            Ok(rows::set_state(tx, &state)?)
        })
    }
}
