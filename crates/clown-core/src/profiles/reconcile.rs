//! Comparing the files with what was last published, and committing the difference.

use super::Profiles;
use super::definition::Definition;
use super::document::{self, Malformed};
use super::error::{Fault, ProfileError};
use super::folder::{Fingerprint, Folder, Observation};
use super::rows::{self, Published};
use crate::Alias;
use crate::store::{StoreError, Tx};
use clown_events::{ProfileCreated, ProfileDeleted, ProfileUpdated};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;

/// How long a file must be still before a change of it counts: an editor that truncates and
/// writes, or renames away and creates, has made one change.
const STILL: Duration = Duration::from_millis(100);

/// How often a file that keeps changing is looked at before one gives up on it for now.
const MAX_LOOKS: usize = 50;

/// A file that cannot be used.
#[derive(Debug, Clone)]
pub(super) struct BrokenFile {
    pub(super) fault: Fault,
    /// The digest of its content, where it has any.
    digest: Option<[u8; 32]>,
}

impl Profiles {
    /// Makes what is published agree with the files. Returns when everything that was still has
    /// been committed; blocks for about 100 ms when something differs.
    pub fn reconcile(&self) -> Result<(), ProfileError> {
        for _ in 0..MAX_LOOKS {
            let folder = self.open_folder()?;
            let unsettled = self.unsettled(&folder)?;
            if !folder.is_in_place() {
                continue;
            }
            if unsettled.is_empty() {
                return Ok(());
            }
            wait_until_still();
            let mut moving = false;
            for (alias, first) in unsettled {
                // Whoever has it settles the file; the next look sees what is left to do.
                let Some(_guard) = self.locks.try_lock(&alias) else {
                    moving = true;
                    continue;
                };
                let now = folder.observe(&alias);
                if now == first && folder.is_in_place() {
                    self.publish_difference(&alias, now)?;
                } else {
                    moving = true;
                }
            }
            if !moving {
                return Ok(());
            }
        }
        // What still moves gets its turn when the watcher looks again.
        Ok(())
    }

    /// Waits until `alias`'s file is still and what it says is published. The caller holds the
    /// alias's lock.
    pub(super) fn settle(&self, folder: &Folder, alias: &Alias) -> Result<(), ProfileError> {
        let published = self.published(alias)?;
        let mut last = folder.observe(alias);
        for _ in 0..MAX_LOOKS {
            if self.is_settled(alias, published.as_ref(), &last) {
                return Ok(());
            }
            wait_until_still();
            let now = folder.observe(alias);
            if now == last {
                if !folder.is_in_place() {
                    return Err(self.folder_missing(&io::ErrorKind::NotFound.into()));
                }
                return self.publish_difference(alias, now);
            }
            last = now;
        }
        Err(ProfileError::Changing(alias.clone()))
    }

    /// Opens the folder of profiles. It is made when no profile is known yet; when one is, a
    /// missing folder is an error and deletes nothing.
    pub(super) fn open_folder(&self) -> Result<Folder, ProfileError> {
        let opened = match Folder::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.knows_none()? => {
                let mut builder = std::fs::DirBuilder::new();
                // What agents are given can be secret, so nobody else enters a folder made here.
                let made = builder.recursive(true).mode(0o700).create(&self.path);
                made.and_then(|()| Folder::open(&self.path))
            }
            opened => opened,
        };
        match opened {
            Ok(folder) => {
                self.lock_faults().folder = None;
                Ok(folder)
            }
            Err(error) => Err(self.folder_missing(&error)),
        }
    }

    fn knows_none(&self) -> Result<bool, ProfileError> {
        Ok(self.store.read(rows::list)?.is_empty())
    }

    fn folder_missing(&self, reason: &io::Error) -> ProfileError {
        let error = ProfileError::FolderMissing {
            path: self.path.clone(),
            reason: reason.to_string(),
        };
        self.lock_faults().folder = Some(Fault {
            path: self.path.clone(),
            place: None,
            message: error.to_string(),
        });
        error
    }

    pub(super) fn published(&self, alias: &Alias) -> Result<Option<Published>, StoreError> {
        self.store.read(|connection| rows::get(connection, alias))
    }

    /// Every profile whose file says something else than what is published.
    fn unsettled(&self, folder: &Folder) -> Result<Vec<(Alias, Observation)>, ProfileError> {
        let names = folder
            .names()
            .map_err(|error| self.folder_missing(&error))?;
        let published: HashMap<Alias, Published> = self
            .store
            .read(rows::list)?
            .into_iter()
            .map(|profile| (profile.alias.clone(), profile))
            .collect();
        let mut aliases: BTreeSet<Alias> = names.aliases.into_iter().collect();
        aliases.extend(published.keys().cloned());
        {
            let mut faults = self.lock_faults();
            aliases.extend(faults.profiles.keys().cloned());
            faults.strangers = names
                .strangers
                .iter()
                .map(|name| stranger(self.path.join(name), name))
                .collect();
        }
        let mut unsettled = Vec::new();
        for alias in aliases {
            let before = folder.fingerprint(&alias).ok().flatten();
            if before.is_some() && self.lock_seen().get(&alias) == before.as_ref() {
                continue;
            }
            let observation = folder.observe(&alias);
            if self.is_settled(&alias, published.get(&alias), &observation) {
                self.remember(&alias, before);
            } else {
                self.lock_seen().remove(&alias);
                unsettled.push((alias, observation));
            }
        }
        Ok(unsettled)
    }

    /// Remembers that a file with this fingerprint need not be read again. A file that was written
    /// a moment ago could be written again without its times showing it, so it is not remembered.
    fn remember(&self, alias: &Alias, fingerprint: Option<Fingerprint>) {
        match fingerprint {
            Some(fingerprint) if fingerprint.is_old() => {
                self.lock_seen().insert(alias.clone(), fingerprint);
            }
            _ => {
                self.lock_seen().remove(alias);
            }
        }
    }

    /// Whether everything that `observation` says is known already.
    fn is_settled(
        &self,
        alias: &Alias,
        published: Option<&Published>,
        observation: &Observation,
    ) -> bool {
        let faults = self.lock_faults();
        let broken = faults.profiles.get(alias);
        match (observation, broken) {
            (Observation::Absent, None) => published.is_none(),
            (Observation::Absent, Some(_)) => false,
            (Observation::Content { digest, .. }, None) => {
                published.is_some_and(|published| published.digest == *digest)
            }
            (Observation::Content { digest, .. }, Some(broken)) => {
                broken.digest.as_ref() == Some(digest)
            }
            (Observation::Unreadable(message), broken) => broken.is_some_and(|broken| {
                broken.digest.is_none() && broken.fault.message == unreadable(message)
            }),
        }
    }

    /// Commits the difference between `observation` and what is published. The caller holds the
    /// alias's lock.
    fn publish_difference(
        &self,
        alias: &Alias,
        observation: Observation,
    ) -> Result<(), ProfileError> {
        match observation {
            Observation::Absent => {
                if self.published(alias)?.is_some() {
                    let gone = alias.clone();
                    self.store.commit(move |tx| delete(tx, &gone))?;
                    self.changes.note(alias);
                }
                self.lock_faults().profiles.remove(alias);
            }
            Observation::Unreadable(message) => {
                self.set_broken(alias, None, None, unreadable(&message));
            }
            Observation::Content { bytes, digest } => match document::parse(&bytes) {
                Ok(definition) => {
                    self.commit_definition(alias, definition, digest)?;
                    self.lock_faults().profiles.remove(alias);
                }
                Err(Malformed { place, message }) => {
                    self.set_broken(alias, Some(digest), place, message);
                }
            },
        }
        Ok(())
    }

    /// Commits that `alias`'s file, whose digest is given, holds `definition`.
    pub(super) fn commit_definition(
        &self,
        alias: &Alias,
        definition: Definition,
        digest: [u8; 32],
    ) -> Result<Published, StoreError> {
        let model = self.rules.model_in_effect(&definition);
        let name = alias.clone();
        let published = self
            .store
            .commit(move |tx| put(tx, name, definition, digest, model))?;
        self.changes.note(alias);
        Ok(published)
    }

    fn set_broken(
        &self,
        alias: &Alias,
        digest: Option<[u8; 32]>,
        place: Option<(usize, usize)>,
        message: String,
    ) {
        let fault = Fault {
            path: self.file(alias),
            place,
            message,
        };
        tracing::warn!(profile = %alias, "{fault}");
        let broken = BrokenFile { fault, digest };
        self.lock_faults().profiles.insert(alias.clone(), broken);
    }
}

/// Files on a disk are written by others, whose end cannot be waited for but by looking again.
fn wait_until_still() {
    std::thread::sleep(STILL);
}

fn unreadable(reason: &str) -> String {
    format!("the file cannot be read: {reason}")
}

fn stranger(path: std::path::PathBuf, name: &str) -> Fault {
    Fault {
        path,
        place: None,
        message: format!(
            "{name:?} names no profile: rename it to letters, digits, dots, underscores or hyphens, then `.toml`"
        ),
    }
}

/// Records a definition and publishes what it changes.
pub(super) fn put(
    tx: &mut Tx<'_>,
    alias: Alias,
    definition: Definition,
    digest: [u8; 32],
    model: String,
) -> Result<Published, StoreError> {
    let now = tx.now();
    let name = alias.to_string();
    let (published, event) = match rows::get(tx, &alias)? {
        None => {
            let event = ProfileCreated::new(
                name,
                definition.agent_id.clone(),
                definition.provider_id.clone(),
                model,
            );
            let published = Published {
                alias,
                definition,
                digest,
                created_at: now,
                updated_at: now,
                last_used: None,
            };
            (published, Some(clown_events::Event::from(event)))
        }
        Some(before) => {
            let changes = before.definition.changes(&definition);
            let event = (!changes.is_empty()).then(|| ProfileUpdated::new(name, changes).into());
            let published = Published {
                definition,
                digest,
                updated_at: if event.is_some() {
                    now
                } else {
                    before.updated_at
                },
                ..before
            };
            (published, event)
        }
    };
    rows::put(tx, &published)?;
    if let Some(event) = event {
        tx.publish(event);
    }
    Ok(published)
}

/// Records that a profile is gone, and publishes it.
pub(super) fn delete(tx: &mut Tx<'_>, alias: &Alias) -> Result<(), StoreError> {
    rows::remove(tx, alias)?;
    tx.publish(ProfileDeleted::new(alias.as_str()));
    Ok(())
}
