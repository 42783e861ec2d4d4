//! The registry's folder: artifacts under their hash, and the indices that name them.
//!
//! ```text
//! artifacts/<sha256>
//! index/<commit>-<the beginning of the file's own sha256>.json, .minisig
//! ```
//! Which index is in use is in the database, so that the switch and its event are one.

use super::error::RegistryError;
use super::index::{Artifact, Commit, Hash};
use crate::files;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder.
#[derive(Debug)]
pub struct Storage {
    artifacts: PathBuf,
    indices: PathBuf,
}

/// An index as it was fetched, and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The index.
    pub bytes: Vec<u8>,
    /// Its signature, if it has one.
    pub signature: Option<Vec<u8>>,
}

/// The name under which an index lies: its commit, and what tells it from others of that commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexName(String);

impl IndexName {
    pub fn of(commit: &Commit, digest: &Hash) -> Self {
        Self(format!("{commit}-{}", &digest.as_str()[..16]))
    }
}

impl Storage {
    /// Makes the folder, and clears away what a process left that was killed while it wrote.
    pub fn open(folder: &Path) -> Result<Self, RegistryError> {
        let storage = Self {
            artifacts: folder.join("artifacts"),
            indices: folder.join("index"),
        };
        for folder in [folder, &storage.artifacts, &storage.indices] {
            files::make_private_folder(folder, &["artifacts", "index"])
                .map_err(|source| RegistryError::disk(folder, source))?;
            files::sweep(folder);
        }
        Ok(storage)
    }

    /// The content of an artifact, if it is there as it should be.
    pub fn artifact(&self, artifact: &Artifact) -> Option<Arc<Vec<u8>>> {
        let path = self.artifacts.join(artifact.sha256.as_str());
        // One that has grown need not be read to know that it is not the one.
        let length = fs::metadata(&path).ok()?.len();
        let content = (length == artifact.size).then(|| fs::read(&path).ok())??;
        (Hash::of(&content) == artifact.sha256).then(|| Arc::new(content))
    }

    /// Keeps an artifact whose hash has been checked.
    pub fn put_artifact(&self, artifact: &Artifact, content: &[u8]) -> Result<(), RegistryError> {
        put(&self.artifacts, artifact.sha256.as_str(), content)
    }

    /// Keeps an index whose artifacts are there already.
    pub fn put_index(&self, name: &IndexName, index: &Signed) -> Result<(), RegistryError> {
        // What they name must be on the disk before they are.
        sync(&self.artifacts)?;
        if let Some(signature) = &index.signature {
            put(&self.indices, &signature_file(name), signature)?;
        }
        put(&self.indices, &index_file(name), &index.bytes)?;
        sync(&self.indices)
    }

    /// An index that was kept.
    pub fn index(&self, name: &IndexName) -> Result<Signed, RegistryError> {
        let path = self.indices.join(index_file(name));
        let bytes = fs::read(&path).map_err(|source| RegistryError::disk(&path, source))?;
        let path = self.indices.join(signature_file(name));
        let signature = match fs::read(&path) {
            Ok(signature) => Some(signature),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(RegistryError::disk(&path, error)),
        };
        Ok(Signed { bytes, signature })
    }

    /// Removes everything but these indices and artifacts.
    pub fn keep_only(&self, indices: &BTreeSet<IndexName>, artifacts: &BTreeSet<Hash>) {
        let index_files: BTreeSet<String> = indices
            .iter()
            .flat_map(|name| [index_file(name), signature_file(name)])
            .collect();
        let hashes: BTreeSet<String> = artifacts
            .iter()
            .map(|hash| hash.as_str().to_owned())
            .collect();
        for (folder, keep) in [(&self.indices, index_files), (&self.artifacts, hashes)] {
            let Ok(entries) = fs::read_dir(folder) else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                if name.to_str().is_none_or(|name| !keep.contains(name)) {
                    // What cannot be removed is litter, not harm.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

fn index_file(name: &IndexName) -> String {
    format!("{}.json", name.0)
}

fn signature_file(name: &IndexName) -> String {
    format!("{}.minisig", name.0)
}

/// Under its name only when it is whole. The folder itself is synced once, at the end.
fn put(folder: &Path, name: &str, content: &[u8]) -> Result<(), RegistryError> {
    let path = folder.join(name);
    let write = || {
        let mut temporary = files::temporary_in(folder)?;
        temporary.write_all(content)?;
        temporary.as_file().sync_data()?;
        temporary.persist(&path).map_err(|error| error.error)
    };
    write()
        .map(drop)
        .map_err(|source| RegistryError::disk(&path, source))
}

fn sync(folder: &Path) -> Result<(), RegistryError> {
    files::sync_folder(folder).map_err(|source| RegistryError::disk(folder, source))
}
