//! Keys that Clown keeps, and the profiles that refer to them.

use super::definition::{Definition, OWN_LOGIN};
use super::error::ProfileError;
use super::{Profiles, rows};
use crate::Alias;
use crate::keys::{KeyError, KeyLabel, KeyPlace, KeySource, Secret};
use crate::store::StoreError;
use clown_events::Timestamp;
use std::sync::{MutexGuard, PoisonError};

/// A key that Clown keeps; never its value.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// Its name.
    pub name: Alias,
    /// Where it is kept.
    pub place: KeyPlace,
    /// What else is known of it.
    pub label: KeyLabel,
    /// The profiles that refer to it.
    pub profiles: Vec<Alias>,
}

impl Profiles {
    /// All stored keys, by name.
    pub fn stored_keys(&self) -> Result<Vec<StoredKey>, ProfileError> {
        let names = self.keys.names()?;
        let keys = names.into_iter().map(|name| self.stored_key(&name));
        let keys: Result<Vec<_>, _> = keys.collect();
        Ok(keys?.into_iter().flatten().collect())
    }

    fn stored_key(&self, name: &Alias) -> Result<Option<StoredKey>, ProfileError> {
        let Some(place) = self.keys.status(name)? else {
            return Ok(None);
        };
        Ok(Some(StoredKey {
            name: name.clone(),
            place,
            label: self.keys.label(name)?,
            profiles: self.users_of(name)?,
        }))
    }

    /// Stores a key under a name, or gives the one of that name another value. All profiles that
    /// refer to it have it from then on, and none of them changes.
    pub fn set_stored_key(
        &self,
        name: &Alias,
        provider_id: Option<&str>,
        secret: &Secret,
    ) -> Result<StoredKey, ProfileError> {
        let _references = self.lock_references();
        let mut label = match self.keys.status(name)? {
            Some(_) => self.keys.label(name)?,
            None => KeyLabel {
                kept: true,
                ..KeyLabel::default()
            },
        };
        match (&label.provider_id, provider_id) {
            (Some(owner), Some(wanted)) if owner != wanted => {
                return Err(KeyError::OtherProvider {
                    name: name.clone(),
                    owner: owner.clone(),
                    wanted: wanted.to_owned(),
                }
                .into());
            }
            (None, None) if label.kept => {
                return Err(KeyError::ProviderMissing(name.clone()).into());
            }
            (None, wanted) => label.provider_id = wanted.map(str::to_owned),
            (Some(_), _) => {}
        }
        label.set_at = Some(Timestamp::now());
        self.keys.set_labelled(name, secret, &label)?;
        let stored = self.stored_key(name)?;
        stored.ok_or_else(|| KeyError::NotFound(name.clone()).into())
    }

    /// Forgets a key; refused while profiles refer to it, unless `force` is set.
    pub fn delete_stored_key(&self, name: &Alias, force: bool) -> Result<(), ProfileError> {
        let _references = self.lock_references();
        if self.keys.status(name)?.is_none() {
            return Err(KeyError::NotFound(name.clone()).into());
        }
        let profiles = self.users_of(name)?;
        if !profiles.is_empty() && !force {
            let name = name.clone();
            return Err(KeyError::InUse { name, profiles }.into());
        }
        self.keys.delete(name)?;
        Ok(())
    }

    /// Refuses a definition that refers to another provider's key.
    pub(super) fn check_key(&self, definition: &Definition) -> Result<(), ProfileError> {
        match &definition.key {
            Some(KeySource::Store(name)) if definition.provider_id != OWN_LOGIN => self
                .keys
                .check_provider(name, &definition.provider_id)
                .map_err(|error| ProfileError::invalid("key", error.to_string())),
            _ => Ok(()),
        }
    }

    /// Whether `alias` may keep a key of its own under its own name.
    pub(super) fn check_own_key(
        &self,
        alias: &Alias,
        before: Option<&Definition>,
    ) -> Result<(), ProfileError> {
        let own = KeySource::Store(alias.clone());
        let is_own = before.is_some_and(|before| before.key.as_ref() == Some(&own));
        if is_own || self.keys.status(alias)?.is_none() {
            return Ok(());
        }
        let profiles = self.users_of(alias)?;
        if profiles.is_empty() && !self.keys.label(alias)?.kept {
            return Ok(());
        }
        let name = alias.clone();
        Err(KeyError::Taken { name, profiles }.into())
    }

    /// Stores a profile's own key under its name.
    pub(super) fn set_own_key(
        &self,
        alias: &Alias,
        provider_id: &str,
        secret: &Secret,
    ) -> Result<(), ProfileError> {
        let label = self.keys.label(alias)?;
        let provider_id = (provider_id != OWN_LOGIN).then(|| provider_id.to_owned());
        if let (Some(owner), Some(wanted)) = (&label.provider_id, &provider_id)
            && owner != wanted
        {
            let others: Vec<Alias> = self.users_of(alias)?;
            if label.kept || others.iter().any(|other| other != alias) {
                return Err(KeyError::OtherProvider {
                    name: alias.clone(),
                    owner: owner.clone(),
                    wanted: wanted.clone(),
                }
                .into());
            }
            // Never the old value with the new name on it.
            self.keys.delete(alias)?;
        }
        self.keys.set_labelled(
            alias,
            secret,
            &KeyLabel {
                provider_id,
                set_at: Some(Timestamp::now()),
                kept: label.kept,
            },
        )?;
        Ok(())
    }

    pub(super) fn users_of(&self, name: &Alias) -> Result<Vec<Alias>, StoreError> {
        let profiles = self.store.read(rows::list)?;
        let wanted = Some(KeySource::Store(name.clone()));
        Ok(profiles
            .into_iter()
            .filter(|profile| profile.definition.key == wanted)
            .map(|profile| profile.alias)
            .collect())
    }

    /// Held while a reference to a stored key comes or goes, and while such a key does.
    pub(super) fn lock_references(&self) -> MutexGuard<'_, ()> {
        self.references
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts back the key that a change has replaced, or takes away the one that it has made.
    pub(super) fn put_back_key(
        &self,
        alias: &Alias,
        (replaced, label): (Option<Secret>, KeyLabel),
    ) {
        let restored = match replaced {
            Some(secret) => self.keys.set_labelled(alias, &secret, &label).map(drop),
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

/// The name of the stored key that a source refers to.
pub(super) fn stored_key(source: Option<&KeySource>) -> Option<&Alias> {
    match source {
        Some(KeySource::Store(name)) => Some(name),
        _ => None,
    }
}
