//! Fetching what is newest, or what is pinned, and keeping it.

use super::error::RegistryError;
use super::fetching::{self, Fetched, Known};
use super::index::{Channel, Commit};
use super::rows::{self, KeptIndex, State};
use super::service::{Asked, Loaded, Outcome, Registry};
use super::source::Source;
use crate::store::StoreError;
use clown_events::Timestamp;
use std::sync::Arc;

impl Registry {
    pub(super) fn fetch(&self, asked: &Asked, state: &State) -> Result<Outcome, RegistryError> {
        let Some(address) = &self.settings.address else {
            return Ok(Outcome {
                from_cache: true,
                layer: Some(Arc::default()),
                ..Outcome::default()
            });
        };
        if asked.offline {
            return self.kept_only(asked, state);
        }
        if self.settings.key.is_none() && !address.is_authentic() {
            return Err(RegistryError::NotAuthentic {
                address: address.to_string(),
            });
        }
        let source = self.source(address);
        let pinned = match &state.pin {
            Some(pin) if !self.is_active(state, pin)? => {
                Some(self.pinned(&source, asked, state, pin)?)
            }
            _ => None,
        };
        let mut outcome = self.newest(&source, asked, state)?;
        if let Some((loaded, downloaded)) = pinned {
            outcome.downloaded += downloaded;
            outcome.from_cache &= downloaded == 0;
            outcome.pinned = Some(loaded);
        }
        // A pin stays in use, whatever is newest.
        if state.pin.is_some() {
            outcome.layer = None;
        }
        Ok(outcome)
    }

    /// The commit of the pin: as it is kept, or else fetched again.
    fn pinned(
        &self,
        source: &Source<'_>,
        asked: &Asked,
        state: &State,
        pin: &Commit,
    ) -> Result<(Loaded, u64), RegistryError> {
        if let Ok(loaded) = self.kept_commit(state, pin)? {
            return Ok((loaded, 0));
        }
        // It may be of a channel that was followed before.
        let rows = self.rows_of(state, pin)?;
        let channel = rows.first().and_then(|row| row.channel.parse().ok());
        let channel = channel.as_ref().unwrap_or(&asked.channel);
        self.commit(source, channel, pin)
            .map_err(|error| match error {
                RegistryError::NoSuchCommit {
                    commit,
                    channel,
                    asked,
                    ..
                } => RegistryError::NoSuchCommit {
                    commit,
                    channel,
                    asked,
                    advice: "it is pinned: give it up with `clown registry unpin`, or pin another one",
                },
                error => error,
            })
    }

    /// The newest index of the channel, with all that it names.
    fn newest(
        &self,
        source: &Source<'_>,
        asked: &Asked,
        state: &State,
    ) -> Result<Outcome, RegistryError> {
        let (kept, newest) = self.store.read(|connection| {
            let kept = rows::kept(connection)?;
            let newest = rows::newest(connection, &state.source, &asked.channel)?;
            Ok::<_, StoreError>((kept, newest))
        })?;
        let known = newest.as_ref().and_then(|newest| {
            kept.into_iter()
                .find(|row| row.digest == newest.digest && row.source == state.source)
        });
        // What is in use is whole; what else is kept may have lost a part.
        let known = match known {
            Some(row) if state.active.as_ref() == Some(&row.digest) => Some((row, None)),
            Some(row) => self
                .load(row)
                .ok()
                .map(|loaded| (loaded.row, Some(loaded.layer))),
            None => None,
        };
        let tags = known
            .as_ref()
            .filter(|_| !asked.force)
            .map(|(row, _)| Known {
                digest: &row.digest,
                etag: row.etag.as_deref(),
            });
        let key = self.settings.key.as_ref();
        let fetched = fetching::index(source, key, &asked.channel, None, tags.as_ref())?;
        let new = match (fetched, known) {
            (Fetched::New(new), _) => new,
            (Fetched::Unchanged, Some((row, layer))) => {
                return Ok(Outcome {
                    newest: Some(KeptIndex {
                        fetched_at: Timestamp::now(),
                        ..row
                    }),
                    layer,
                    from_cache: true,
                    ..Outcome::default()
                });
            }
            (Fetched::Missing | Fetched::Unchanged, _) => {
                let path = format!("{}/registry.json", asked.channel);
                return Err(RegistryError::Missing {
                    url: source.url(&path),
                });
            }
        };
        if !asked.force
            && let Some(newest) = &newest
        {
            let url = || source.url(&format!("{}/registry.json", asked.channel));
            if new.index.serial < newest.serial {
                return Err(RegistryError::Older {
                    url: url(),
                    found: new.index.serial,
                    known: newest.serial,
                });
            }
            if new.index.serial == newest.serial && new.digest != newest.digest {
                return Err(RegistryError::SameSerial {
                    url: url(),
                    serial: newest.serial,
                });
            }
        }
        let (loaded, downloaded) = self.keep(source, state, *new, asked.force)?;
        Ok(Outcome {
            newest: Some(loaded.row),
            layer: Some(loaded.layer),
            downloaded,
            ..Outcome::default()
        })
    }

    /// Fetches one commit, whatever its age.
    pub(super) fn commit(
        &self,
        source: &Source<'_>,
        channel: &Channel,
        commit: &Commit,
    ) -> Result<(Loaded, u64), RegistryError> {
        let state = self.state()?;
        let key = self.settings.key.as_ref();
        match fetching::index(source, key, channel, Some(commit), None)? {
            Fetched::New(new) => self.keep(source, &state, *new, false),
            Fetched::Missing | Fetched::Unchanged => Err(RegistryError::NoSuchCommit {
                commit: commit.to_string(),
                channel: channel.clone(),
                asked: format!(", and {} does not have it", source.address.host()),
                advice: "`clown registry status` lists what is kept",
            }),
        }
    }

    /// Fetches what a new index names, and keeps both.
    fn keep(
        &self,
        source: &Source<'_>,
        state: &State,
        new: fetching::NewIndex,
        all: bool,
    ) -> Result<(Loaded, u64), RegistryError> {
        let parallel = self.settings.parallel;
        let downloaded = fetching::artifacts(source, &self.storage, &new.index, all, parallel)?;
        let row = KeptIndex {
            digest: new.digest,
            source: state.source.clone(),
            channel: new.index.channel.as_str().to_owned(),
            commit: new.index.commit,
            serial: new.index.serial,
            created_at: new.index.created_at,
            fetched_at: Timestamp::now(),
            etag: new.etag,
        };
        self.storage.put_index(&row.name(), &new.signed)?;
        Ok((self.load(row)?, downloaded))
    }
}
