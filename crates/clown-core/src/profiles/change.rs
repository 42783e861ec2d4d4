//! Changes that someone asks the daemon for.

use super::definition::{Definition, OWN_LOGIN};
use super::document;
use super::error::ProfileError;
use super::folder::{Folder, Observation};
use super::rows::Published;
use super::stored_keys::stored_key;
use super::{Profile, Profiles, patch};
use crate::Alias;
use crate::keys::{KeyError, KeySource};
use clown_events::Timestamp;
use serde_json::{Map, Value};

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
        let known = before.map(|(published, _)| &published.definition);
        self.write_file(folder, alias, old, content.as_bytes(), (definition, known))
    }
}
