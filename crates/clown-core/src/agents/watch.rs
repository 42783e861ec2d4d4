//! Seeing that an agent was installed, updated or removed.

use super::Agents;
use super::find::Found;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A folder in which something changes all the time does not keep us from looking.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

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
    // What is found shows what to watch, and what is watched is looked at once more, since it may
    // have changed in between.
    while let Some(agents) = agents.upgrade() {
        let is_new = match agents.look(false) {
            Ok(found) => folders.follow(&agents, &found),
            Err(error) => {
                tracing::error!("cannot look for agents: {error}");
                false
            }
        };
        let (look_every, quiet) = (agents.settings().look_every, agents.settings().quiet);
        drop(agents);
        if !is_new && !wait(woken, look_every, quiet) {
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

/// The folders of PATH, and those in which what its links lead to lies.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    fn new(changed: SyncSender<Wake>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                // Full means that a look is due anyway.
                let _ = changed.try_send(Wake::Changed);
            }
        });
        let watcher =
            watcher.inspect_err(|error| tracing::warn!("agents are seen by looking only: {error}"));
        Self {
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
        }
    }

    /// True if there is one that was not watched before.
    fn follow(&mut self, agents: &Agents, found: &[Found]) -> bool {
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        let on_path = std::env::split_paths(&agents.settings().path);
        let of_programs = found
            .iter()
            .flat_map(|found| found.fingerprint.folders())
            .map(PathBuf::from);
        let wanted: BTreeSet<PathBuf> = on_path
            .filter(|folder| folder.is_absolute())
            .chain(of_programs)
            .collect();
        for folder in self.watched.difference(&wanted) {
            // Fails when the folder is gone, and its watch with it.
            let _ = watcher.unwatch(folder);
        }
        // Those that are watched already too: the folder may be another one by now.
        let watched: BTreeSet<PathBuf> = wanted
            .into_iter()
            .filter(|folder| watcher.watch(folder, RecursiveMode::NonRecursive).is_ok())
            .collect();
        let is_new = !watched.is_subset(&self.watched);
        self.watched = watched;
        is_new
    }
}

/// Programs are opened and read all the time.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
