//! What is known of a stored key besides its value.

use super::KeyError;
use crate::Alias;
use crate::files;
use clown_events::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// What is known of a stored key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLabel {
    /// The only provider that it is for; None where that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// When its value was last set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_at: Option<Timestamp>,
    /// Somebody stored it under its name for itself: it stays when no profile needs it.
    #[serde(default)]
    pub kept: bool,
}

pub(super) struct PreparedLabel {
    path: PathBuf,
    file: files::Prepared,
}

impl PreparedLabel {
    pub fn put(self) -> Result<(), KeyError> {
        let Self { path, file } = self;
        file.put()
            .map_err(|source| KeyError::StoreFile { path, source })
    }
}

/// The labels, one small file each.
#[derive(Debug)]
pub(super) struct Labels {
    folder: PathBuf,
}

impl Labels {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// A label that is not there, or is none, says nothing.
    pub fn read(&self, name: &Alias) -> Result<KeyLabel, KeyError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(content) => Ok(serde_json::from_slice(&content).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeyLabel::default()),
            Err(source) => Err(KeyError::StoreFile { path, source }),
        }
    }

    /// A label that takes its room on the disk now, and counts once it is put in its place.
    pub fn prepare(&self, name: &Alias, label: &KeyLabel) -> Result<PreparedLabel, KeyError> {
        let path = self.path(name);
        let content = serde_json::to_vec(label).map_err(io::Error::from);
        let prepared = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .and_then(|()| files::prepare(&path, &content?, 0o600));
        match prepared {
            Ok(file) => Ok(PreparedLabel { path, file }),
            Err(source) => Err(KeyError::StoreFile { path, source }),
        }
    }

    pub fn remove(&self, name: &Alias) -> Result<(), KeyError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(KeyError::StoreFile { path, source })
            }
            _ => Ok(()),
        }
    }

    fn path(&self, name: &Alias) -> PathBuf {
        self.folder.join(name.as_str())
    }
}

/// The keys' names among the files of a folder.
pub(super) fn names_in(folder: &Path) -> Result<Vec<Alias>, KeyError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            let path = folder.to_owned();
            return Err(KeyError::StoreFile { path, source });
        }
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok()?.parse().ok());
    Ok(names.collect())
}
