//! What is kept on this disk.

use super::address::Address;
use super::error::RegistryError;
use super::fetching;
use super::index::{Channel, Commit, Hash, Index};
use super::layer::Layer;
use super::rows::{self, KeptIndex, State};
use super::service::{Asked, Loaded, Outcome, Registry};
use super::switch;
use crate::store::StoreError;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Registry {
    /// What is kept of the channel, or else the built-in set.
    pub(super) fn kept_only(&self, asked: &Asked, state: &State) -> Result<Outcome, RegistryError> {
        let mut outcome = Outcome {
            from_cache: true,
            ..Outcome::default()
        };
        if let Some(pin) = &state.pin {
            if !self.is_active(state, pin)? {
                match self.kept_commit(state, pin)? {
                    Ok(loaded) => outcome.pinned = Some(loaded),
                    Err(why) => outcome.note = Some(without_pin(pin, &why)),
                }
            }
            return Ok(outcome);
        }
        match self.newest_kept(state, &asked.channel)? {
            Some(loaded) => {
                outcome.newest = Some(loaded.row);
                outcome.layer = Some(loaded.layer);
            }
            None => {
                outcome.layer = Some(Arc::default());
                outcome.note = Some(format!(
                    "nothing is kept of channel {}: the built-in set is in use",
                    asked.channel
                ));
            }
        }
        Ok(outcome)
    }

    /// The commit as it is kept, or why it cannot be used.
    pub(super) fn kept_commit(
        &self,
        state: &State,
        commit: &Commit,
    ) -> Result<Result<Loaded, RegistryError>, RegistryError> {
        let mut loaded = Err(RegistryError::NotWhole {
            commit: commit.clone(),
        });
        for row in self.rows_of(state, commit)? {
            loaded = self.load(row);
            if loaded.is_ok() {
                break;
            }
        }
        Ok(loaded)
    }

    /// What the database knows of a commit of this registry, whether it is whole or not.
    pub(super) fn rows_of(
        &self,
        state: &State,
        commit: &Commit,
    ) -> Result<Vec<KeptIndex>, RegistryError> {
        let mut kept = self
            .store
            .read(|connection| Ok::<_, StoreError>(rows::kept(connection)?))?;
        kept.retain(|row| row.source == state.source && row.commit == *commit);
        Ok(kept)
    }

    pub(super) fn newest_kept(
        &self,
        state: &State,
        channel: &Channel,
    ) -> Result<Option<Loaded>, RegistryError> {
        let mut kept = self
            .store
            .read(|connection| Ok::<_, StoreError>(rows::kept(connection)?))?;
        kept.retain(|row| row.source == state.source && row.channel == channel.as_str());
        kept.sort_by_key(|row| std::cmp::Reverse(row.serial));
        Ok(kept.into_iter().find_map(|row| self.load(row).ok()))
    }

    /// Reads an index that is kept and what it names, and checks it all again.
    pub(super) fn load(&self, row: KeptIndex) -> Result<Loaded, RegistryError> {
        let signed = self.storage.index(&row.name())?;
        let not_whole = || RegistryError::NotWhole {
            commit: row.commit.clone(),
        };
        if Hash::of(&signed.bytes) != row.digest {
            return Err(not_whole());
        }
        let url = format!("the index of commit {}", row.commit.short());
        let index = fetching::check(&signed, self.settings.key.as_ref(), &url)?;
        let mut is_whole = true;
        let layer = Layer::of(&index, |artifact| {
            let content = self.storage.artifact(artifact);
            is_whole &= content.is_some();
            content
        });
        if !is_whole {
            return Err(not_whole());
        }
        Ok(Loaded {
            row,
            layer: Arc::new(layer),
        })
    }

    /// Fits the state to the settings, and reads what is in use.
    pub(super) fn take_up(&self) -> Result<(), RegistryError> {
        let settings = &self.settings;
        let source = settings
            .address
            .as_ref()
            .map(Address::as_text)
            .unwrap_or_default();
        let configured = settings.channel.as_str().to_owned();
        let state = self.store.commit(move |tx| {
            let state = switch::fitted(rows::state(tx)?, &rows::kept(tx)?, &source, &configured);
            rows::set_state(tx, &state)?;
            Ok::<_, RegistryError>(state)
        })?;
        let row = self
            .store
            .read(|connection| Ok::<_, StoreError>(switch::active(connection, &state)?))?;
        if state.active.is_none() {
            return Ok(());
        }
        let loaded = match row {
            Some(row) => self.load(row),
            None => Err(RegistryError::Broken),
        };
        match loaded {
            Ok(loaded) => drop(self.active.switch(loaded.layer)),
            Err(error) => {
                let problem = format!("{}; the built-in set is in use", error.in_full());
                tracing::warn!("the registry cannot be used: {problem}");
                *self.lock_problem() = Some(problem);
                self.store.commit(|tx| {
                    let state = State {
                        active: None,
                        ..rows::state(tx)?
                    };
                    Ok::<_, RegistryError>(rows::set_state(tx, &state)?)
                })?;
            }
        }
        Ok(())
    }

    /// Removes files that nothing needs any more.
    pub(super) fn sweep(&self, kept: &[KeptIndex]) {
        let mut artifacts = BTreeSet::new();
        for row in kept {
            let index = self
                .storage
                .index(&row.name())
                .ok()
                .and_then(|signed| Index::parse(&signed.bytes).ok());
            let named = index.into_iter().flat_map(|index| index.artifacts);
            artifacts.extend(named.map(|artifact| artifact.sha256));
        }
        let names = kept.iter().map(KeptIndex::name).collect();
        self.storage.keep_only(&names, &artifacts);
    }
}

/// For people: a pin that is not in use, and what they can do.
fn without_pin(pin: &Commit, why: &RegistryError) -> String {
    let why = match why {
        RegistryError::NotWhole { .. } => "is no longer whole on this disk".to_owned(),
        why => format!("cannot be used ({})", why.in_full()),
    };
    format!(
        "commit {} is pinned and {why}: the built-in set is in use. Get it again with `clown registry sync`, which needs the network, or give it up with `clown registry unpin`",
        pin.short()
    )
}
