//! Whole files of profiles, as a person has written them: copied, edited, carried away.

use super::change::MAX_FILE_BYTES;
use super::definition::{Definition, OWN_LOGIN};
use super::document::{self, Malformed};
use super::error::{Fault, ProfileError};
use super::folder::{Folder, Observation};
use super::stored_keys::stored_key;
use super::{Profile, Profiles, patch};
use crate::Alias;
use crate::keys::{KeyError, KeySource, Secret};
use clown_mask as mask;
use serde_json::{Map, Value};
use std::fmt;

/// Profiles to be carried elsewhere.
#[derive(Debug, Default)]
pub struct Export {
    /// Each with its alias.
    pub profiles: Vec<(Alias, Definition)>,
    /// The stored keys that they refer to, if asked for.
    pub keys: Vec<ExportedKey>,
    /// Places of values that may be secrets and were left out.
    pub left_out: Vec<String>,
}

/// A stored key with its value.
pub struct ExportedKey {
    /// Its name.
    pub name: Alias,
    /// Its provider.
    pub provider_id: Option<String>,
    /// The key.
    pub value: Secret,
}

impl fmt::Debug for ExportedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ExportedKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Profiles {
    /// Makes `to` of what the file of `from` says, comments and all. A stored key is shared.
    pub fn clone_profile(&self, from: &Alias, to: &Alias) -> Result<Profile, ProfileError> {
        let text = {
            let _guard = self.locks.lock(from);
            self.whole(from)?.2
        };
        let _guard = self.locks.lock(to);
        let folder = self.open_folder()?;
        self.settle(&folder, to)?;
        if folder.observe(to) != Observation::Absent {
            return Err(ProfileError::Exists(to.clone()));
        }
        match self.put_text(&folder, to, None, &text)? {
            Some(profile) => Ok(profile),
            None => Err(ProfileError::Exists(to.clone())),
        }
    }

    /// Puts an edited text in place of the one that was edited, if that still stands there and the
    /// new one is good.
    pub fn replace_text(
        &self,
        alias: &Alias,
        before: &str,
        text: &str,
    ) -> Result<Profile, ProfileError> {
        let _guard = self.locks.lock(alias);
        let folder = self.open_folder()?;
        match folder.observe(alias) {
            Observation::Content { bytes, .. } if bytes == before.as_bytes() => {}
            Observation::Absent => return Err(ProfileError::NotFound(alias.clone())),
            _ => return Err(ProfileError::Changed(alias.clone())),
        }
        self.settle(&folder, alias)?;
        match self.put_text(&folder, alias, Some(before.as_bytes()), text.as_bytes())? {
            Some(profile) => Ok(profile),
            None => Err(ProfileError::Changed(alias.clone())),
        }
    }

    /// Makes a profile be what these members say and nothing else.
    pub fn replace(
        &self,
        alias: &Alias,
        members: Map<String, Value>,
    ) -> Result<Profile, ProfileError> {
        let current = self.get(alias)?.published.definition;
        let wanted = patch::apply(None, members.clone())?.definition;
        let mut patch = members;
        // A merge patch says what goes.
        if let (Ok(Value::Object(current)), Ok(Value::Object(wanted))) = (
            serde_json::to_value(&current),
            serde_json::to_value(&wanted),
        ) {
            for (name, value) in current {
                let gone = removals(&value, wanted.get(&name));
                match (patch.get_mut(&name), gone) {
                    (_, None) => {}
                    (Some(Value::Object(inner)), Some(Value::Object(gone))) => {
                        join(inner, gone);
                    }
                    (Some(_), Some(_)) => {}
                    (None, Some(_)) if name == "provider_id" => {}
                    (None, Some(_)) => {
                        patch.insert(name, Value::Null);
                    }
                }
            }
            patch
                .entry("provider_id")
                .or_insert_with(|| OWN_LOGIN.into());
        }
        self.patch(alias, patch)
    }

    /// Profiles for another machine. Without `with_keys` no stored key is among them, and no value
    /// that may be a secret.
    pub fn export(&self, aliases: &[Alias], with_keys: bool) -> Result<Export, ProfileError> {
        let mut export = Export::default();
        for alias in aliases {
            let profile = self.get(alias)?;
            if let Some(fault) = profile.fault.filter(|fault| fault.place.is_some()) {
                let alias = alias.clone();
                return Err(ProfileError::Broken { alias, fault });
            }
            let mut definition = profile.published.definition;
            match &definition.key {
                Some(KeySource::Store(name)) if with_keys => {
                    if export.keys.iter().all(|key| key.name != *name)
                        && let Some(value) = self.keys.get(name)?
                    {
                        export.keys.push(ExportedKey {
                            name: name.clone(),
                            provider_id: self.keys.label(name)?.provider_id,
                            value,
                        });
                    }
                }
                _ => {}
            }
            if !with_keys {
                export
                    .left_out
                    .extend(leave_secrets_out(alias, &mut definition));
            }
            export.profiles.push((alias.clone(), definition));
        }
        Ok(export)
    }

    /// None if the file is no longer as it was `before`. The caller holds the lock.
    fn put_text(
        &self,
        folder: &Folder,
        alias: &Alias,
        before: Option<&[u8]>,
        text: &[u8],
    ) -> Result<Option<Profile>, ProfileError> {
        let file = self.file(alias);
        let broken = |place, message: String| ProfileError::Broken {
            alias: alias.clone(),
            fault: Fault {
                path: file.clone(),
                place,
                message,
            },
        };
        if text.len() > MAX_FILE_BYTES {
            return Err(broken(None, "it is larger than 1 MiB".to_owned()));
        }
        let definition =
            document::parse(text).map_err(|Malformed { place, message }| broken(place, message))?;
        self.rules.check(&definition)?;
        self.check_key(&definition)?;
        let published = self.published(alias)?;
        let known = published.map(|published| published.definition);
        let old_key = known.as_ref().and_then(|known| known.key.clone());
        let references = self.lock_references();
        if let Some(name) = stored_key(definition.key.as_ref())
            && old_key != definition.key
            && self.keys.status(name)?.is_none()
        {
            let error = KeyError::NotFound(name.clone());
            return Err(ProfileError::invalid("key", error.to_string()));
        }
        let doubtful: Vec<Alias> = stored_key(old_key.as_ref())
            .filter(|_| old_key != definition.key)
            .into_iter()
            .cloned()
            .collect();
        self.doubt_keys(doubtful.clone())?;
        let committed =
            self.write_file(folder, alias, before, text, (&definition, known.as_ref()))?;
        if committed.is_some()
            && definition.provider_id != OWN_LOGIN
            && let Some(name) = stored_key(definition.key.as_ref())
        {
            self.keys.bind(name, &definition.provider_id)?;
        }
        drop(references);
        self.settle_keys(&doubtful, Some(alias));
        self.lock_seen().remove(alias);
        Ok(committed.map(|published| self.with_fault(&*self.rules, published)))
    }
}

/// A patch that takes away what `wanted` no longer has; None if it has all of it.
fn removals(current: &Value, wanted: Option<&Value>) -> Option<Value> {
    let Some(wanted) = wanted else {
        return Some(Value::Null);
    };
    let (Value::Object(current), Value::Object(wanted)) = (current, wanted) else {
        return None;
    };
    let gone: Map<String, Value> = current
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), removals(value, wanted.get(name))?)))
        .collect();
    (!gone.is_empty()).then_some(Value::Object(gone))
}

fn join(patch: &mut Map<String, Value>, gone: Map<String, Value>) {
    for (name, value) in gone {
        match (patch.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(gone)) => join(inner, gone),
            (Some(_), _) => {}
            (None, value) => {
                patch.insert(name, value);
            }
        }
    }
}

/// The places of what was left out.
fn leave_secrets_out(alias: &Alias, definition: &mut Definition) -> Vec<String> {
    let mut left_out = Vec::new();
    definition.env.retain(|name, _| {
        let stays = !mask::is_secret_name(name);
        if !stays {
            left_out.push(format!("{alias}: env.{name}"));
        }
        stays
    });
    for (server, server_definition) in &mut definition.mcp_servers {
        let places = server_definition.leave_secrets_out().into_iter();
        left_out.extend(places.map(|place| format!("{alias}: mcp_servers.{server}.{place}")));
    }
    left_out
}
