//! Seeing that an agent was installed, updated or removed.

use super::Agents;
use super::service::How;
use super::trail::Trail;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A folder in which something changes all the time does not keep us from looking.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watching {
    wake: Option<SyncSender<Wake>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Wake {
    Changed,
    Stop,
}

impl Watching {
    pub fn start(agents: &Arc<Agents>) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let changed = wake.clone();
        let agents = Arc::downgrade(agents);
        let thread = std::thread::Builder::new()
            .name("agents".to_owned())
            .spawn(move || run(&agents, changed, &woken))?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
        })
    }
}

impl Watching {
    /// Looks soon, as if something had changed.
    pub fn wake(&self) {
        if let Some(wake) = &self.wake {
            // Full means that a look is due anyway.
            let _ = wake.try_send(Wake::Changed);
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let (Some(wake), Some(thread)) = (self.wake.take(), self.thread.take()) else {
            return;
        };
        // The thread itself may hold the agents last, and drop them; it ends then anyway.
        if thread.thread().id() != std::thread::current().id() {
            // Fails when the thread is gone already.
            let _ = wake.send(Wake::Stop);
            // It has nothing to tell but a panic, which it has printed itself.
            let _ = thread.join();
        }
    }
}

fn run(agents: &Weak<Agents>, changed: SyncSender<Wake>, woken: &Receiver<Wake>) {
    let mut folders = Folders::new(changed);
    // What is watched is looked at once more, since it may have changed in between.
    while let Some(agents) = agents.upgrade() {
        let again = agents.look(How::Patient).unwrap_or_else(|error| {
            tracing::error!("cannot look for agents: {error}");
            None
        });
        let is_new = folders.follow(&agents);
        let settings = agents.settings();
        let look_in = settings.look_every.min(again.unwrap_or(Duration::MAX));
        let quiet = settings.quiet;
        drop(agents);
        if !is_new && !wait(woken, look_in, quiet) {
            return;
        }
    }
}

/// Waits until it is time to look again. False when it is time to stop.
fn wait(woken: &Receiver<Wake>, look_every: Duration, quiet: Duration) -> bool {
    match woken.recv_timeout(look_every) {
        Ok(Wake::Changed) => {}
        Err(RecvTimeoutError::Timeout) => return true,
        Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
    }
    let latest = Instant::now() + LONGEST_WAIT;
    while Instant::now() < latest {
        match woken.recv_timeout(quiet) {
            Ok(Wake::Changed) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// The folders in which a change of a program can be seen.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// With device and number: under the same name it may be another folder by now.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    trail: Arc<Mutex<Trail>>,
}

impl Folders {
    fn new(changed: SyncSender<Wake>) -> Self {
        let trail = Arc::new(Mutex::new(Trail::default()));
        let matters = {
            let trail = Arc::clone(&trail);
            move |event: &notify::Event| {
                let trail = trail.lock().unwrap_or_else(PoisonError::into_inner);
                event.paths.is_empty() || event.paths.iter().any(|path| trail.has(path))
            }
        };
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_change(event.kind) && matters(&event)) {
                // Full means that a look is due anyway.
                let _ = changed.try_send(Wake::Changed);
            }
        });
        let watcher =
            watcher.inspect_err(|error| tracing::warn!("agents are seen by looking only: {error}"));
        Self {
            watcher: watcher.ok(),
            watched: BTreeMap::new(),
            trail,
        }
    }

    /// True if there is one that was not watched before.
    fn follow(&mut self, agents: &Agents) -> bool {
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        let trail = trail_of(agents);
        for folder in self.watched.keys() {
            if !trail.folders().any(|wanted| wanted == folder) {
                // Fails when the folder is gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
        }
        let watched: BTreeMap<PathBuf, (u64, u64)> = trail
            .folders()
            .filter_map(|folder| {
                let identity = identity_of(folder)?;
                if self.watched.get(folder) != Some(&identity) {
                    watcher.watch(folder, RecursiveMode::NonRecursive).ok()?;
                }
                Some((folder.to_owned(), identity))
            })
            .collect();
        *self.trail.lock().unwrap_or_else(PoisonError::into_inner) = trail;
        let is_new = watched
            .iter()
            .any(|(folder, identity)| self.watched.get(folder) != Some(identity));
        self.watched = watched;
        is_new
    }
}

fn trail_of(agents: &Agents) -> Trail {
    let mut trail = Trail::default();
    let manifests = agents.manifests().current();
    for folder in std::env::split_paths(&agents.settings().path) {
        if folder.is_absolute() {
            for binary in manifests
                .all()
                .flat_map(|manifest| manifest.binaries.iter())
            {
                trail.add(&folder.join(binary.as_str()));
            }
        }
    }
    trail
}

fn identity_of(folder: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(folder).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

/// Programs are opened and read all the time.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
