//! What is kept on this disk.

use super::address::Address;
use super::error::RegistryError;
use super::fetching;
use super::index::{Channel, Hash, Index};
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
        if state.pin.is_some() && state.active.is_some() {
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
