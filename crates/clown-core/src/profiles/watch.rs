//! Seeing changes by hand while the daemon runs.

use super::{Folder, Profiles};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the folder is looked at without being told to: links to elsewhere and network
/// folders do not tell.
const FALLBACK: Duration = Duration::from_secs(2);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watching {
    wake: SyncSender<Wake>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Wake {
    Look,
    Stop,
}

impl Profiles {
    /// Starts the thread that reconciles whenever the folder changes.
    pub fn watch(self: &Arc<Self>) -> io::Result<Watching> {
        let (wake, woken) = sync_channel(1);
        let profiles = Arc::clone(self);
        let look = wake.clone();
        let thread = std::thread::Builder::new()
            .name("profiles".to_owned())
            .spawn(move || run(&profiles, look, &woken))?;
        Ok(Watching {
            wake,
            thread: Some(thread),
        })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Fails when the thread is gone, which is what is wanted.
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell but a panic, which it has printed itself.
            let _ = thread.join();
        }
    }
}

fn run(profiles: &Profiles, look: SyncSender<Wake>, woken: &Receiver<Wake>) {
    let mut eyes = Eyes::new(profiles.folder(), look);
    let mut told = None;
    loop {
        // Watched first, then looked at: what changes in between wakes again.
        eyes.follow();
        let failure = profiles.reconcile().err().map(|error| error.to_string());
        if failure != told
            && let Some(message) = &failure
        {
            tracing::error!("{message}");
        }
        told = failure;
        match woken.recv_timeout(FALLBACK) {
            Ok(Wake::Look) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn only_read(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write))
}

/// The system's own notices, of the folder and of the folder that holds it.
struct Eyes {
    watcher: Option<RecommendedWatcher>,
    folder: PathBuf,
    /// Which folders are watched: a path can come to mean another one.
    watched: [Option<(u64, u64)>; 2],
}

impl Eyes {
    fn new(folder: &Path, look: SyncSender<Wake>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // To look is to open and to close, which must not call for another look.
            if event.is_ok_and(|event| only_read(&event.kind)) {
                return;
            }
            // A full channel already holds a look, which will see this change too.
            if let Err(TrySendError::Disconnected(_)) = look.try_send(Wake::Look) {
                tracing::debug!("a change was noticed after the end");
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!("changes are seen by looking only: {error}"))
            .ok();
        Self {
            watcher,
            folder: folder.to_owned(),
            watched: [None, None],
        }
    }

    /// Watches the folders that are there now.
    fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let parent = self.folder.parent().map(Path::to_owned);
        let paths = [Some(self.folder.clone()), parent];
        for (path, watched) in paths.into_iter().zip(&mut self.watched) {
            let Some(path) = path else { continue };
            let identity = Folder::open(&path).ok().map(|folder| folder.identity());
            if identity == *watched {
                continue;
            }
            // Fails when the old folder is gone, and its watch with it.
            let _ = watcher.unwatch(&path);
            *watched = match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => identity,
                Err(_) => None,
            };
        }
    }
}
