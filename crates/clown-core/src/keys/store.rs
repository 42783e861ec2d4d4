use super::keyring::Keyring;
use super::label::{Labels, names_in};
use super::{KeyError, KeyLabel, Secret};
use crate::Alias;
use crate::files::write_atomically;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Keeps keys under names.
///
/// Which keys the keyring holds is noted in empty files (`<state>/keyring/<name>`), so that whether
/// a key is set can be told without asking the keyring, which may be locked.
#[derive(Debug)]
pub struct KeyStore {
    keyring: Option<Keyring>,
    secrets: PathBuf,
    notes: PathBuf,
    labels: Labels,
}

/// Where a key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In the system's keyring.
    Keyring,
    /// In this file, which only its owner can read.
    SecretsFile(PathBuf),
}

impl KeyStore {
    /// The keys that belong to a state folder, which must exist. `use_keyring` says whether the
    /// system's keyring may be used at all.
    pub fn open(state_dir: &Path, use_keyring: bool) -> Result<Self, KeyError> {
        let state_dir = fs::canonicalize(state_dir).map_err(|source| KeyError::StoreFile {
            path: state_dir.to_owned(),
            source,
        })?;
        Ok(Self {
            keyring: use_keyring.then(|| Keyring::new(&state_dir)),
            secrets: state_dir.join("secrets"),
            notes: state_dir.join("keyring"),
            labels: Labels::new(state_dir.join("keys")),
        })
    }

    /// Keeps a key, in place of any other under that name. Waits a few seconds for a keyring that
    /// does not answer, and then does without it.
    pub fn set(&self, name: &Alias, secret: &Secret) -> Result<KeyPlace, KeyError> {
        if let Some(flaw) = secret.flaw() {
            let name = name.clone();
            return Err(KeyError::Refused { name, flaw });
        }
        let file = self.secrets.join(name.as_str());
        let note = self.notes.join(name.as_str());
        if let Some(keyring) = &self.keyring {
            match keyring.set(name.as_str(), secret) {
                Ok(()) => {
                    // One that is there would need room to be written again, and says the same.
                    if !exists(&note)? {
                        write_private(&note, b"")?;
                    }
                    remove(&file)?;
                    return Ok(KeyPlace::Keyring);
                }
                Err(reason) => {
                    tracing::info!(key = %name, %reason, "no keyring: the key goes into a file");
                }
            }
        }
        write_private(&file, secret.expose().as_bytes())?;
        remove(&note)?;
        Ok(KeyPlace::SecretsFile(file))
    }

    /// The key, or none when none is kept under that name.
    pub fn get(&self, name: &Alias) -> Result<Option<Secret>, KeyError> {
        match self.status(name)? {
            None => Ok(None),
            Some(KeyPlace::SecretsFile(path)) => read_private(&path),
            Some(KeyPlace::Keyring) => {
                let refused = |reason: String| KeyError::Keyring {
                    name: name.clone(),
                    reason,
                };
                let Some(keyring) = &self.keyring else {
                    return Err(refused("its use is switched off".to_owned()));
                };
                keyring
                    .get(name.as_str())
                    .map_err(|failure| refused(failure.to_string()))
            }
        }
    }

    /// Keeps a key with what is known of it: both, or neither.
    pub fn set_labelled(
        &self,
        name: &Alias,
        secret: &Secret,
        label: &KeyLabel,
    ) -> Result<KeyPlace, KeyError> {
        let is_new = self.status(name)?.is_none();
        let label = self.labels.prepare(name, label)?;
        if is_new {
            // Nobody sees it before there is a key, and then it is there.
            label.put()?;
            return self.set(name, secret);
        }
        let place = self.set(name, secret)?;
        label.put()?;
        Ok(place)
    }

    /// What is known of a key besides its value; nothing of one that is not there.
    pub fn label(&self, name: &Alias) -> Result<KeyLabel, KeyError> {
        match self.status(name)? {
            Some(_) => self.labels.read(name),
            None => Ok(KeyLabel::default()),
        }
    }

    /// Notes what is known of a key.
    pub fn set_label(&self, name: &Alias, label: &KeyLabel) -> Result<(), KeyError> {
        self.labels.prepare(name, label)?.put()
    }

    /// Refuses a stored key to a profile of another provider than its own. One that belongs to none
    /// yet is for anybody.
    pub fn check_provider(&self, name: &Alias, provider_id: &str) -> Result<(), KeyError> {
        match self.label(name)?.provider_id {
            Some(owner) if owner != provider_id => Err(KeyError::OtherProvider {
                name: name.clone(),
                owner,
                wanted: provider_id.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// From now on a stored key that belongs to no provider is this one's.
    pub fn bind(&self, name: &Alias, provider_id: &str) -> Result<(), KeyError> {
        let mut label = self.label(name)?;
        if label.provider_id.is_some() || self.status(name)?.is_none() {
            return Ok(());
        }
        label.provider_id = Some(provider_id.to_owned());
        self.set_label(name, &label)
    }

    /// The names of all stored keys, in order.
    pub fn names(&self) -> Result<Vec<Alias>, KeyError> {
        let mut names = names_in(&self.secrets)?;
        names.extend(names_in(&self.notes)?);
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Forgets a key. False when there was none.
    pub fn delete(&self, name: &Alias) -> Result<bool, KeyError> {
        let was_there = self.delete_value(name)?;
        self.labels.remove(name)?;
        Ok(was_there)
    }

    fn delete_value(&self, name: &Alias) -> Result<bool, KeyError> {
        let file = remove(&self.secrets.join(name.as_str()))?;
        let note = self.notes.join(name.as_str());
        if !exists(&note)? {
            return Ok(file);
        }
        if let Some(keyring) = &self.keyring {
            keyring
                .delete(name.as_str())
                .map_err(|failure| KeyError::Keyring {
                    name: name.clone(),
                    reason: failure.to_string(),
                })?;
        }
        // Last, so that a key that the keyring still holds is not forgotten.
        remove(&note)?;
        Ok(true)
    }

    /// Where the key is kept; none when it is not. Does not ask the keyring.
    pub fn status(&self, name: &Alias) -> Result<Option<KeyPlace>, KeyError> {
        let file = self.secrets.join(name.as_str());
        if exists(&file)? {
            return Ok(Some(KeyPlace::SecretsFile(file)));
        }
        Ok(exists(&self.notes.join(name.as_str()))?.then_some(KeyPlace::Keyring))
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    move |source| KeyError::StoreFile {
        path: path.to_owned(),
        source,
    }
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
            .map_err(failed(folder))?;
    }
    // A file that is there keeps its mode, also one that somebody has opened to others.
    match fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(path)(error)),
        _ => {}
    }
    write_atomically(path, content, 0o600).map_err(failed(path))
}

fn read_private(path: &Path) -> Result<Option<Secret>, KeyError> {
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) => Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n'])))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

fn exists(path: &Path) -> Result<bool, KeyError> {
    path.try_exists().map_err(failed(path))
}

/// False when there was no such file.
fn remove(path: &Path) -> Result<bool, KeyError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path)(error)),
    }
}
