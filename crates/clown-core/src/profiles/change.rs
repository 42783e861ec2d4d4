//! Changes that someone asks the daemon for.

use super::definition::Definition;
use super::document;
use super::error::ProfileError;
use super::folder::{Folder, Observation};
use super::reconcile;
use super::rows::Published;
use super::{Profile, Profiles, patch};
use crate::keys::{KeySource, Secret};
use crate::store::StoreError;
use crate::{Alias, files, runs};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io;
use std::path::PathBuf;

/// What a deletion found to be so.
#[derive(Debug)]
enum NotDeleted {
    Running(u64),
    Store(StoreError),
}

impl From<StoreError> for NotDeleted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Profiles {
    /// Makes a profile from the members of a request.
    pub fn create(
        &self,
        alias: &Alias,
        members: Map<String, Value>,
    ) -> Result<Profile, ProfileError> {
        let wanted = patch::apply(None, members)?;
        self.rules.check(&wanted.definition)?;
        let _guard = self.locks.lock(alias);
        let folder = self.open_folder()?;
        self.settle(&folder, alias)?;
        if folder.observe(alias) != Observation::Absent {
            return Err(ProfileError::Exists(alias.clone()));
        }
        self.write(&folder, alias, wanted, None)
    }

    /// Applies a merge patch (RFC 7396). A patch that changes nothing is done, and silent.
    pub fn patch(
        &self,
        alias: &Alias,
        members: Map<String, Value>,
    ) -> Result<Profile, ProfileError> {
        let _guard = self.locks.lock(alias);
        let folder = self.open_folder()?;
        self.settle(&folder, alias)?;
        let (published, content) = self.whole(&folder, alias)?;
        let wanted = patch::apply(Some(&published.definition), members)?;
        self.rules.check(&wanted.definition)?;
        self.write(&folder, alias, wanted, Some(&(published, content)))
    }

    /// Deletes a profile that does not run. What its agent keeps stays, unless `purge` is set.
    pub fn delete(&self, alias: &Alias, purge: bool) -> Result<(), ProfileError> {
        let _guard = self.locks.lock(alias);
        let folder = self.open_folder()?;
        self.settle(&folder, alias)?;
        let (published, _) = self.whole(&folder, alias)?;
        let open = self
            .store
            .read(|connection| runs::open_in(connection, alias))?;
        if open > 0 {
            return Err(ProfileError::Running {
                alias: alias.clone(),
                runs: open,
            });
        }
        let file = self.file(alias);
        let aside = self.path.join(format!(".{}.removed", alias.file_name()));
        move_file(&file, &aside)?;
        let gone = alias.clone();
        let committed = self
            .store
            .commit(move |tx| match runs::open_in(tx, &gone)? {
                0 => Ok(reconcile::delete(tx, &gone)?),
                open => Err(NotDeleted::Running(open)),
            });
        if let Err(not_deleted) = committed {
            move_file(&aside, &file)?;
            return Err(match not_deleted {
                NotDeleted::Running(runs) => ProfileError::Running {
                    alias: alias.clone(),
                    runs,
                },
                NotDeleted::Store(error) => error.into(),
            });
        }
        // From here on the profile is gone; what cannot be cleared away is told in the log.
        let cleared = fs::remove_file(&aside).and_then(|()| files::sync_folder(&self.path));
        log_uncleared(alias, &aside, cleared);
        self.forget_key(alias, published.definition.key.as_ref());
        if purge {
            let home = self.home(alias);
            let cleared = match fs::remove_dir_all(&home) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                cleared => cleared,
            };
            log_uncleared(alias, &home, cleared);
        }
        Ok(())
    }

    /// Calls `work` with a profile that can run, while nothing else can change or delete it.
    pub fn with_runnable<T, E>(
        &self,
        alias: &Alias,
        work: impl FnOnce(&Published) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<ProfileError>,
    {
        let _guard = self.locks.lock(alias);
        let folder = self.open_folder()?;
        self.settle(&folder, alias)?;
        let (published, _) = self.whole(&folder, alias)?;
        self.rules.check(&published.definition)?;
        work(&published)
    }

    /// The published profile and its file's bytes, if the file is good and says the same.
    fn whole(&self, folder: &Folder, alias: &Alias) -> Result<(Published, Vec<u8>), ProfileError> {
        if self.lock_faults().profiles.contains_key(alias) {
            return Err(self.missing(alias));
        }
        let Some(published) = self.published(alias)? else {
            return Err(self.missing(alias));
        };
        match folder.observe(alias) {
            Observation::Content { bytes, digest } if digest == published.digest => {
                Ok((published, bytes))
            }
            // Someone wrote it just now.
            _ => Err(ProfileError::Changing(alias.clone())),
        }
    }

    /// Writes the file and commits. If the commit fails, the old file and the old key come back.
    fn write(
        &self,
        folder: &Folder,
        alias: &Alias,
        mut wanted: patch::Wanted,
        before: Option<&(Published, Vec<u8>)>,
    ) -> Result<Profile, ProfileError> {
        let old_key = before.and_then(|(published, _)| published.definition.key.clone());
        let replaced = match wanted.key.take() {
            Some(secret) => {
                let replaced = self.keys.get(alias)?;
                self.keys.set(alias, &secret)?;
                wanted.definition.key = Some(KeySource::Store(alias.clone()));
                Some(replaced)
            }
            None => None,
        };
        let committed = self.write_and_commit(folder, alias, &wanted.definition, before);
        match committed {
            Ok(published) => {
                if old_key != published.definition.key {
                    self.forget_key(alias, old_key.as_ref());
                }
                self.lock_seen().remove(alias);
                Ok(self.with_fault(published))
            }
            Err(error) => {
                if let Some(replaced) = replaced {
                    self.put_back_key(alias, replaced);
                }
                Err(error)
            }
        }
    }

    fn write_and_commit(
        &self,
        folder: &Folder,
        alias: &Alias,
        definition: &Definition,
        before: Option<&(Published, Vec<u8>)>,
    ) -> Result<Published, ProfileError> {
        if let Some((published, _)) = before
            && published.definition == *definition
        {
            return Ok(published.clone());
        }
        let current = before.map_or(&[][..], |(_, content)| content);
        let current = String::from_utf8_lossy(current);
        let content = document::render(&current, definition)
            .map_err(|malformed| ProfileError::invalid("profile", malformed.message))?;
        let file = self.file(alias);
        if !folder.is_in_place() {
            return Err(ProfileError::FolderMissing {
                path: self.path.clone(),
                reason: "it was moved away".to_owned(),
            });
        }
        let write = |content: &[u8]| {
            files::write_atomically(&file, content, 0o644).map_err(|source| ProfileError::File {
                action: "write",
                path: file.clone(),
                source,
            })
        };
        write(content.as_bytes())?;
        let digest = Sha256::digest(&content).into();
        match self.commit_definition(alias, definition.clone(), digest) {
            Ok(published) => Ok(published),
            Err(error) => {
                let restored = match before {
                    Some((_, content)) => write(content),
                    None => fs::remove_file(&file).map_err(|source| ProfileError::File {
                        action: "remove",
                        path: file.clone(),
                        source,
                    }),
                };
                if let Err(problem) = restored {
                    tracing::error!(profile = %alias, "the old file could not be put back: {problem}");
                }
                Err(error.into())
            }
        }
    }

    fn put_back_key(&self, alias: &Alias, replaced: Option<Secret>) {
        let restored = match replaced {
            Some(secret) => self.keys.set(alias, &secret).map(drop),
            None => self.keys.delete(alias).map(drop),
        };
        if let Err(problem) = restored {
            tracing::error!(profile = %alias, "the old key could not be put back: {problem}");
        }
    }

    /// Deletes a stored key that no profile refers to any more.
    fn forget_key(&self, alias: &Alias, source: Option<&KeySource>) {
        let Some(KeySource::Store(name)) = source else {
            return;
        };
        let in_use = self.list().map(|profiles| {
            profiles
                .iter()
                .any(|profile| profile.published.definition.key.as_ref() == source)
        });
        let deleted = match in_use {
            Ok(true) => return,
            Ok(false) => self.keys.delete(name).map(drop).map_err(ProfileError::from),
            Err(error) => Err(error.into()),
        };
        if let Err(problem) = deleted {
            tracing::warn!(profile = %alias, "the stored key could not be deleted: {problem}");
        }
    }
}

fn move_file(from: &PathBuf, to: &PathBuf) -> Result<(), ProfileError> {
    fs::rename(from, to).map_err(|source| ProfileError::File {
        action: "move",
        path: from.clone(),
        source,
    })
}

fn log_uncleared(alias: &Alias, path: &std::path::Path, cleared: io::Result<()>) {
    if let Err(error) = cleared {
        tracing::warn!(profile = %alias, "{} could not be removed: {error}", path.display());
    }
}
