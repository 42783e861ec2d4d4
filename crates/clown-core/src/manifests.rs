//! Manifests that follow their folder.

use crate::providers::{Catalog, Manifest};
use crate::registry::{Active, Layer};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

/// The manifests of one kind, loaded again when a file of their folder has changed, or the registry.
#[derive(Debug)]
pub struct Manifests<M> {
    folder: PathBuf,
    /// How they are read again; None for those that stay as they are.
    load: Option<Load<M>>,
    /// The number of loads that have begun.
    turns: AtomicU64,
    /// Not held while anything is loaded: nobody who asks for what is there waits for that.
    held: Mutex<Held<M>>,
}

#[derive(Debug)]
struct Held<M> {
    /// Which of all loads it is, in the order in which they began.
    turn: u64,
    marks: Vec<Mark>,
    /// The registry's part.
    layer: Arc<Layer>,
    catalog: Arc<Catalog<M>>,
}

/// From what they are loaded, beside the folder.
#[derive(Debug)]
enum Load<M> {
    Alone(fn(&Path) -> Catalog<M>),
    Over(Arc<Active>, fn(&Layer, &Path) -> Catalog<M>),
}

impl<M: Manifest> Load<M> {
    fn layer(&self) -> Arc<Layer> {
        match self {
            Self::Alone(_) => no_layer(),
            Self::Over(active, _) => active.layer(),
        }
    }

    fn load(&self, folder: &Path, turn: u64) -> Held<M> {
        // Marks first: what changes while it is read is then read again.
        let (marks, layer) = (marks_of(folder), self.layer());
        let catalog = match self {
            Self::Alone(load) => load(folder),
            Self::Over(_, load) => load(&layer, folder),
        };
        Held {
            turn,
            marks,
            layer,
            catalog: Arc::new(catalog),
        }
    }
}

/// A file's name, length, and time of change.
type Mark = (OsString, u64, Option<SystemTime>);

impl<M: Manifest> Manifests<M> {
    /// Manifests of `folder`, read by `load`.
    pub fn new(folder: PathBuf, load: fn(&Path) -> Catalog<M>) -> Self {
        Self::following(folder, Load::Alone(load))
    }

    /// The same over what the registry in use adds.
    pub fn over(
        registry: Arc<Active>,
        folder: PathBuf,
        load: fn(&Layer, &Path) -> Catalog<M>,
    ) -> Self {
        Self::following(folder, Load::Over(registry, load))
    }

    fn following(folder: PathBuf, load: Load<M>) -> Self {
        Self {
            held: Mutex::new(load.load(&folder, 0)),
            turns: AtomicU64::new(1),
            folder,
            load: Some(load),
        }
    }

    /// What the folder holds now, for many questions that are to be answered alike: the folder is
    /// not looked at again.
    pub fn fixed(&self) -> Self {
        let held = Held {
            turn: 0,
            marks: Vec::new(),
            layer: no_layer(),
            catalog: self.current(),
        };
        Self {
            folder: self.folder.clone(),
            load: None,
            turns: AtomicU64::new(1),
            held: Mutex::new(held),
        }
    }

    /// What the folder holds now.
    pub fn current(&self) -> Arc<Catalog<M>> {
        let lock = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(load) = &self.load else {
            return Arc::clone(&lock().catalog);
        };
        let (marks, layer) = (marks_of(&self.folder), load.layer());
        {
            let held = lock();
            if held.marks == marks && Arc::ptr_eq(&held.layer, &layer) {
                return Arc::clone(&held.catalog);
            }
        }
        // Two at once do no harm. Of both, the one that began later has seen more.
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let mut now = load.load(&self.folder, turn);
        let mut held = lock();
        if held.turn < turn {
            if let Some(catalog) = Arc::get_mut(&mut now.catalog) {
                catalog.remember(&held.catalog);
            }
            *held = now;
        }
        Arc::clone(&held.catalog)
    }
}

/// Always the same one, so that it never looks like a change.
fn no_layer() -> Arc<Layer> {
    static NONE: LazyLock<Arc<Layer>> = LazyLock::new(Arc::default);
    Arc::clone(&NONE)
}

/// Empty for a folder that is not there.
fn marks_of(folder: &Path) -> Vec<Mark> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut marks: Vec<Mark> = entries
        .flatten()
        .filter_map(|entry| {
            // Through links: what a link leads to can change while the link does not. One that leads
            // nowhere is seen too: it may be a person's own.
            let path = entry.path();
            let metadata = std::fs::metadata(&path).or_else(|_| std::fs::symlink_metadata(&path));
            let metadata = metadata.ok()?;
            Some((entry.file_name(), metadata.len(), metadata.modified().ok()))
        })
        .collect();
    marks.sort_unstable();
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{self, ProviderManifest};
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::time::Duration;

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
        // One that leads nowhere may be somebody's: it is no folder without it.
        std::os::unix::fs::symlink(folder.path().join("away"), &file).unwrap();
        assert!(!manifests.current().problems().is_empty());
    }

    /// Tells who loads, and lets the first one go on when it is told to.
    static SLOW: Mutex<Option<(Sender<()>, Receiver<()>)>> = Mutex::new(None);

    fn load_slowly(folder: &Path) -> Catalog<ProviderManifest> {
        let catalog = providers::load(folder);
        let slow = SLOW.lock().unwrap().take();
        if let Some((begun, go_on)) = slow {
            begun.send(()).unwrap();
            go_on.recv_timeout(Duration::from_secs(60)).unwrap();
        }
        catalog
    }

    #[test]
    fn who_takes_long_to_load_holds_up_nobody_and_what_was_read_last_counts() {
        let folder = tempfile::tempdir().unwrap();
        let manifests = Arc::new(Manifests::new(folder.path().to_owned(), load_slowly));
        let write = |id: &str| {
            let text = format!("id = \"{id}\"\nname = \"X\"\n");
            std::fs::write(folder.path().join(format!("{id}.toml")), text).unwrap();
        };
        let (begun, is_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        *SLOW.lock().unwrap() = Some((begun, may_go_on));
        write("first");
        let slow = std::thread::spawn({
            let manifests = Arc::clone(&manifests);
            move || manifests.current().get("second").is_some()
        });
        is_begun.recv().unwrap();
        write("second");
        let (told, answer) = mpsc::channel();
        std::thread::spawn({
            let manifests = Arc::clone(&manifests);
            move || told.send(manifests.current().get("second").is_some())
        });
        assert_eq!(answer.recv_timeout(Duration::from_secs(20)), Ok(true));
        go_on.send(()).unwrap();
        assert!(slow.join().unwrap());
        assert!(manifests.fixed().current().get("second").is_some());
    }
}
