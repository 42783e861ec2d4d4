//! Manifests that follow their folder.

use crate::providers::{Catalog, Manifest};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The manifests of one kind, loaded again when a file of their folder has changed.
#[derive(Debug)]
pub struct Manifests<M> {
    folder: PathBuf,
    /// Whether the folder is looked at again.
    follows: bool,
    load: fn(&Path) -> Catalog<M>,
    held: Mutex<Held<M>>,
}

#[derive(Debug)]
struct Held<M> {
    marks: Vec<Mark>,
    catalog: Arc<Catalog<M>>,
}

/// A file's name, length, and time of change.
type Mark = (OsString, u64, Option<SystemTime>);

impl<M: Manifest> Manifests<M> {
    /// Manifests of `folder`, read by `load`.
    pub fn new(folder: PathBuf, load: fn(&Path) -> Catalog<M>) -> Self {
        let held = Held {
            marks: marks_of(&folder),
            catalog: Arc::new(load(&folder)),
        };
        Self {
            folder,
            follows: true,
            load,
            held: Mutex::new(held),
        }
    }

    /// What the folder holds now, for many questions that are to be answered alike: the folder is
    /// not looked at again.
    pub fn fixed(&self) -> Self {
        let held = Held {
            marks: Vec::new(),
            catalog: self.current(),
        };
        Self {
            folder: self.folder.clone(),
            follows: false,
            load: self.load,
            held: Mutex::new(held),
        }
    }

    /// What the folder holds now.
    pub fn current(&self) -> Arc<Catalog<M>> {
        let lock = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.follows {
            return Arc::clone(&lock().catalog);
        }
        let marks = marks_of(&self.folder);
        let mut held = lock();
        if held.marks != marks {
            *held = Held {
                catalog: Arc::new((self.load)(&self.folder)),
                marks,
            };
        }
        Arc::clone(&held.catalog)
    }
}

/// Empty for a folder that is not there.
fn marks_of(folder: &Path) -> Vec<Mark> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut marks: Vec<Mark> = entries
        .flatten()
        .filter_map(|entry| {
            // Through links: what a link leads to can change while the link does not.
            let metadata = std::fs::metadata(entry.path()).ok()?;
            Some((entry.file_name(), metadata.len(), metadata.modified().ok()))
        })
        .collect();
    marks.sort_unstable();
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers;

    #[test]
    fn a_manifest_that_is_added_changed_or_removed_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let manifests = Manifests::new(folder.path().to_owned(), providers::load);
        let name = || {
            let current = manifests.current();
            current.get("local").map(|manifest| manifest.name.clone())
        };
        assert_eq!(name(), None);
        let file = folder.path().join("local.toml");
        let write = |name: &str| {
            let text = format!(
                "id = \"local\"\nname = \"{name}\"\n[[endpoints]]\nid = \"here\"\nurls = {{ openai-chat = \"http://127.0.0.1:1/v1\" }}\n"
            );
            std::fs::write(&file, text).unwrap();
        };
        write("One");
        assert_eq!(
            name().as_deref(),
            Some("One"),
            "{:?}",
            manifests.current().problems()
        );
        let fixed = manifests.fixed();
        write("Second");
        assert_eq!(name().as_deref(), Some("Second"));
        assert_eq!(fixed.current().get("local").unwrap().name, "One");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(name(), None);
    }
}
