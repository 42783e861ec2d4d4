//! Changes that someone asks the daemon for.

use super::definition::{Definition, OWN_LOGIN};
use super::document;
use super::error::ProfileError;
use super::folder::{Folder, Observation};
use super::reconcile;
use super::rows::{self, Published};
use super::{Profile, Profiles, patch};
use crate::files::Readers;
use crate::keys::{KeyError, KeyLabel, KeySource, Secret};
use crate::store::StoreError;
use crate::{Alias, files, runs};
use clown_events::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io;
use std::path::Path;

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

/// How often a request is tried when somebody writes the file at the same moment.
const TRIES: usize = 5;

/// The largest file that is read as a profile.
pub(super) const MAX_FILE_BYTES: usize = 1 << 20;

impl Profiles {
    /// Makes a profile from the members of a request.
    pub fn create(
        &self,
        alias: &Alias,
        members: Map<String, Value>,
    ) -> Result<Profile, ProfileError> {
        let wanted = patch::apply(None, members)?;
        self.check_wanted(&wanted)?;
        let _guard = self.locks.lock(alias);
        let folder = self.open_folder()?;
        self.settle(&folder, alias)?;
        if folder.observe(alias) != Observation::Absent {
            return Err(ProfileError::Exists(alias.clone()));
        }
        match self.write(&folder, alias, wanted, None)? {
            Some(profile) => Ok(profile),
            None => Err(ProfileError::Exists(alias.clone())),
        }
    }

    /// Applies a merge patch (RFC 7396). A patch that changes nothing is done, and silent.
    pub fn patch(
        &self,
        alias: &Alias,
        members: Map<String, Value>,
    ) -> Result<Profile, ProfileError> {
        self.patch_if(alias, members, None)
    }

    /// The same, refused unless the profile last changed at `expected`.
    pub fn patch_if(
        &self,
        alias: &Alias,
        members: Map<String, Value>,
        expected: Option<Timestamp>,
    ) -> Result<Profile, ProfileError> {
        let _guard = self.locks.lock(alias);
        for _ in 0..TRIES {
            let (folder, published, content) = self.whole(alias)?;
            if expected.is_some_and(|expected| expected != published.updated_at) {
                return Err(ProfileError::Changed(alias.clone()));
            }
            let wanted = patch::apply(Some(&published.definition), members.clone())?;
            self.check_wanted(&wanted)?;
            // Nothing, when somebody has edited the file meanwhile: that counts first.
            if let Some(profile) = self.write(&folder, alias, wanted, Some((published, content)))? {
                return Ok(profile);
            }
        }
        Err(ProfileError::Changing(alias.clone()))
    }

    /// Deletes a profile that does not run. What its agent keeps stays, unless `purge` is set.
    pub fn delete(&self, alias: &Alias, purge: bool) -> Result<(), ProfileError> {
        let _guard = self.locks.lock(alias);
        let (_, published, _) = self.whole(alias)?;
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
        let aside = self.path.join(aside_name(alias));
        move_file(&file, &aside)?;
        let moved = fs::read(&aside).map(|bytes| <[u8; 32]>::from(Sha256::digest(&bytes)));
        if !moved.is_ok_and(|digest| digest == published.digest) {
            put_back(&aside, &file)?;
            return Err(ProfileError::Changing(alias.clone()));
        }
        let gone = alias.clone();
        let key = stored_key(published.definition.key.as_ref()).cloned();
        let committed = self
            .store
            .commit(move |tx| match runs::open_in(tx, &gone)? {
                0 => {
                    if let Some(key) = key {
                        rows::doubt_key(tx, &key)?;
                    }
                    Ok(reconcile::delete(tx, &gone)?)
                }
                open => Err(NotDeleted::Running(open)),
            });
        if let Err(not_deleted) = committed {
            put_back(&aside, &file)?;
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
        if let Some(key) = stored_key(published.definition.key.as_ref()) {
            self.settle_keys(std::slice::from_ref(key), Some(alias));
        }
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

    /// A profile that can run, as it is now.
    pub fn runnable(&self, alias: &Alias) -> Result<Published, ProfileError> {
        self.with_runnable(alias, |published| Ok(published.clone()))
    }

    /// Calls `work` with a profile that can run, while nothing else can change or delete it. What
    /// takes long does not belong into it.
    pub fn with_runnable<T, E>(
        &self,
        alias: &Alias,
        work: impl FnOnce(&Published) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<ProfileError>,
    {
        let _guard = self.locks.lock(alias);
        let (_, published, _) = self.whole(alias)?;
        self.rules.check(&published.definition)?;
        self.check_key(&published.definition)?;
        work(&published)
    }

    pub(super) fn check_wanted(&self, wanted: &patch::Wanted) -> Result<(), ProfileError> {
        self.rules.check(&wanted.definition)?;
        match wanted.key {
            // It is about to be this provider's.
            Some(_) => Ok(()),
            None => self.check_key(&wanted.definition),
        }
    }

    /// Clears away what a daemon left that was killed in the middle of a change. Call it before
    /// anything else.
    pub fn clear_litter(&self) -> Result<(), ProfileError> {
        files::sweep(&self.path);
        for profile in self.store.read(rows::list)? {
            let aside = self.path.join(aside_name(&profile.alias));
            // Its deletion was not committed, so nobody was told of it.
            if aside.exists() {
                put_back(&aside, &self.file(&profile.alias))?;
            }
        }
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(ASIDE) {
                // Litter of a deletion that was committed.
                let _ = fs::remove_file(entry.path());
            }
        }
        self.settle_keys(&self.store.read(rows::doubtful_keys)?, None);
        Ok(())
    }

    /// The published profile and its file's bytes, which say the same. The caller holds the lock.
    pub(super) fn whole(
        &self,
        alias: &Alias,
    ) -> Result<(Folder, Published, Vec<u8>), ProfileError> {
        for _ in 0..TRIES {
            let folder = self.open_folder()?;
            self.settle(&folder, alias)?;
            if self.lock_faults().profiles.contains_key(alias) {
                return Err(self.missing(alias));
            }
            let Some(published) = self.published(alias)? else {
                return Err(self.missing(alias));
            };
            match folder.observe(alias) {
                Observation::Content { bytes, digest } if digest == published.digest => {
                    return Ok((folder, published, bytes));
                }
                // Someone wrote it just now: that counts first.
                _ => {}
            }
        }
        Err(ProfileError::Changing(alias.clone()))
    }

    /// Stores the key, writes the file and commits; nothing, if the file is no longer as it was
    /// `before`. If the commit fails, the old file and the old key come back.
    fn write(
        &self,
        folder: &Folder,
        alias: &Alias,
        mut wanted: patch::Wanted,
        before: Option<(Published, Vec<u8>)>,
    ) -> Result<Option<Profile>, ProfileError> {
        let secret = wanted.key.take();
        if secret.is_some() {
            wanted.definition.key = Some(KeySource::Store(alias.clone()));
        }
        let definition_before = before.as_ref().map(|(published, _)| &published.definition);
        let old_key = definition_before.and_then(|definition| definition.key.clone());
        let new_store = stored_key(wanted.definition.key.as_ref()).cloned();
        let references = new_store.as_ref().map(|_| self.lock_references());
        if secret.is_some() {
            self.check_own_key(alias, definition_before)?;
        } else if let Some(name) = &new_store
            && old_key != wanted.definition.key
            && self.keys.status(name)?.is_none()
        {
            let error = KeyError::NotFound(name.clone());
            return Err(ProfileError::invalid("key", error.to_string()));
        }
        // Noted first: a daemon that is killed in between leaves no key that nobody needs.
        let mut doubtful: Vec<Alias> = Vec::new();
        if old_key != wanted.definition.key {
            doubtful.extend(stored_key(old_key.as_ref()).cloned());
            doubtful.extend(stored_key(wanted.definition.key.as_ref()).cloned());
            self.doubt_keys(doubtful.clone())?;
        }
        let replaced = match secret {
            Some(secret) => {
                let replaced = (self.keys.get(alias)?, self.keys.label(alias)?);
                self.set_own_key(alias, &wanted.definition.provider_id, &secret)?;
                Some(replaced)
            }
            None => None,
        };
        let written = self.write_and_commit(folder, alias, &wanted.definition, before.as_ref());
        if let Some(replaced) = replaced
            && !matches!(written, Ok(Some(_)))
        {
            self.put_back_key(alias, replaced);
        }
        if let (Ok(Some(published)), Some(name)) = (&written, &new_store)
            && published.definition.provider_id != OWN_LOGIN
        {
            self.keys.bind(name, &published.definition.provider_id)?;
        }
        drop(references);
        self.settle_keys(&doubtful, Some(alias));
        self.lock_seen().remove(alias);
        Ok(written?.map(|published| self.with_fault(&*self.rules, published)))
    }

    fn write_and_commit(
        &self,
        folder: &Folder,
        alias: &Alias,
        definition: &Definition,
        before: Option<&(Published, Vec<u8>)>,
    ) -> Result<Option<Published>, ProfileError> {
        if let Some((published, _)) = before
            && published.definition == *definition
        {
            return Ok(Some(published.clone()));
        }
        let old = before.map(|(_, content)| content.as_slice());
        let current = String::from_utf8_lossy(old.unwrap_or_default());
        let content = document::render(&current, definition)
            .map_err(|malformed| ProfileError::invalid("profile", malformed.message))?;
        if content.len() > MAX_FILE_BYTES {
            return Err(ProfileError::invalid(
                "profile",
                "its file would be larger than 1 MiB: keep long texts in files of their own",
            ));
        }
        if !folder.is_in_place() {
            return Err(ProfileError::FolderMissing {
                path: self.path.clone(),
                reason: "it was moved away".to_owned(),
            });
        }
        let file = self.file(alias);
        let failed = |action| {
            let path = file.clone();
            move |source| ProfileError::File {
                action,
                path,
                source,
            }
        };
        let known = before.map(|(published, _)| &published.definition);
        let readers = definition.readers(known);
        if !files::replace(&file, old, content.as_bytes(), readers).map_err(failed("write"))? {
            return Ok(None);
        }
        let digest = Sha256::digest(&content).into();
        match self.commit_definition(alias, definition.clone(), digest) {
            Ok(published) => Ok(Some(published)),
            Err(error) => {
                let restored = match old {
                    Some(old) => {
                        files::replace(&file, Some(content.as_bytes()), old, Readers::Kept)
                            .map(drop)
                            .map_err(failed("write"))
                    }
                    None => fs::remove_file(&file).map_err(failed("remove")),
                };
                if let Err(problem) = restored {
                    tracing::error!(profile = %alias, "the old file could not be put back: {problem}");
                }
                Err(error.into())
            }
        }
    }

    fn put_back_key(&self, alias: &Alias, (replaced, label): (Option<Secret>, KeyLabel)) {
        let restored = match replaced {
            Some(secret) => self
                .keys
                .set(alias, &secret)
                .and_then(|_| self.keys.set_label(alias, &label)),
            None => self.keys.delete(alias).map(drop),
        };
        if let Err(problem) = restored {
            tracing::error!(profile = %alias, "the old key could not be put back: {problem}");
        }
    }

    pub(super) fn doubt_keys(&self, names: Vec<Alias>) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        self.store
            .commit(move |tx| names.iter().try_for_each(|name| rows::doubt_key(tx, name)))
    }

    /// Deletes those of the noted keys that no profile refers to any more. The caller holds the
    /// lock of `own`. What fails is tried again at the next start.
    pub(super) fn settle_keys(&self, names: &[Alias], own: Option<&Alias>) {
        for name in names {
            let foreign = own != Some(name);
            let guard = foreign.then(|| self.locks.try_lock(name));
            // Whoever has the profile of that name may be about to need the key.
            if matches!(guard, Some(None)) {
                continue;
            }
            if let Err(problem) = self.settle_key(name) {
                tracing::warn!("the stored key {name} may be one that nobody needs: {problem}");
            }
        }
    }

    fn settle_key(&self, name: &Alias) -> Result<(), ProfileError> {
        let _references = self.lock_references();
        let needed = !self.users_of(name)?.is_empty();
        if !needed && !self.keys.label(name)?.kept {
            self.keys.delete(name)?;
        }
        let name = name.clone();
        self.store
            .commit(move |tx| rows::settle_key(tx, &name))
            .map_err(ProfileError::Store)
    }
}

fn stored_key(source: Option<&KeySource>) -> Option<&Alias> {
    match source {
        Some(KeySource::Store(name)) => Some(name),
        _ => None,
    }
}

/// The end of the name under which a file stands while its profile is being deleted.
const ASIDE: &str = ".toml.removed";

fn aside_name(alias: &Alias) -> String {
    format!(".{alias}{ASIDE}")
}

/// Puts a file back, unless there is one again.
fn put_back(aside: &Path, file: &Path) -> Result<(), ProfileError> {
    if file.exists() {
        return fs::remove_file(aside).map_err(|source| ProfileError::File {
            action: "remove",
            path: aside.to_owned(),
            source,
        });
    }
    move_file(aside, file)
}

fn move_file(from: &Path, to: &Path) -> Result<(), ProfileError> {
    fs::rename(from, to).map_err(|source| ProfileError::File {
        action: "move",
        path: from.to_owned(),
        source,
    })
}

fn log_uncleared(alias: &Alias, path: &Path, cleared: io::Result<()>) {
    if let Err(error) = cleared {
        tracing::warn!(profile = %alias, "{} could not be removed: {error}", path.display());
    }
}
