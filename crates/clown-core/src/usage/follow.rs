//! Seeing files grow.

use super::batch::Scope;
use super::places::Place;
use super::{Usage, UsageError, lock};
use crate::Alias;
use crate::agents::AgentManifest;
use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::HashSet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long changes are gathered: a client is told soon, and not of each line.
const GATHER: Duration = Duration::from_millis(250);

/// How often everything is looked at without being told to: links to elsewhere and network folders
/// do not tell.
const FALLBACK: Duration = Duration::from_secs(60);

/// How soon it is tried again after it failed: a full disk tells nobody when it has room again.
const AGAIN: Duration = Duration::from_secs(5);

/// Beyond so many changed files, everything is looked at.
const MOST_PATHS: usize = 4_096;

/// The thread that reads what grows, until it is dropped.
#[derive(Debug)]
pub(super) struct Follower {
    wake: SyncSender<Wake>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Wake {
    /// Something has changed.
    Changed,
    /// There may be other places.
    Places,
    Stop,
}

/// What has changed since it was last looked at.
#[derive(Debug, Default)]
struct Changes {
    paths: HashSet<PathBuf>,
    /// More than is known.
    all: bool,
    /// Notices were lost: any folder may be another one.
    lost: bool,
}

impl Usage {
    /// Starts the thread that counts what grows.
    pub fn follow(self: &Arc<Self>) -> Result<(), UsageError> {
        let (wake, woken) = sync_channel(16);
        let usage = Arc::clone(self);
        let changed = wake.clone();
        let thread = std::thread::Builder::new()
            .name("usage".to_owned())
            .spawn(move || run(&usage, changed, &woken))
            .map_err(UsageError::Thread)?;
        *lock(&self.follower) = Some(Follower {
            wake,
            thread: Some(thread),
        });
        Ok(())
    }

    /// Looks for new places soon: a profile is made, or a run begins.
    pub fn follow_soon(&self) {
        if let Some(follower) = &*lock(&self.follower) {
            // A full channel wakes it as well.
            let _ = follower.wake.try_send(Wake::Places);
        }
    }

    /// A run of `profile` begins: where its agent will write is watched from now on.
    pub fn expect(&self, profile: &Alias, agent: &AgentManifest) {
        let Some(logs) = &agent.usage else { return };
        let scope = Scope {
            agent: agent.id.as_str().to_owned(),
            profile: Some(profile.clone()),
        };
        let home = self.settings.homes.join(profile.as_str());
        let place = Place::new(scope, logs, logs.folder.below(&home));
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for base in place.bases() {
            // Only what is there can be watched. Where it cannot be made, the agent says so.
            if let Err(error) = builder.create(&base) {
                tracing::debug!("cannot make {}: {error}", base.display());
            }
        }
        self.follow_soon();
    }

    /// Stops counting. What is under way is finished.
    pub fn stop(&self) {
        let follower = lock(&self.follower).take();
        drop(follower);
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Fails when the thread is gone, which is what is wanted.
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell but a panic, which it has printed itself.
            let _ = thread.join();
        }
    }
}

fn run(usage: &Usage, changed: SyncSender<Wake>, woken: &Receiver<Wake>) {
    let changes = Arc::new(Mutex::new(Changes::default()));
    let mut eyes = Eyes::new(Arc::clone(&changes), changed);
    let mut told = None;
    let mut all_at = Instant::now();
    let mut places = true;
    lock(&changes).all = true;
    loop {
        let mut now = std::mem::take(&mut *lock(&changes));
        now.all |= all_at.elapsed() >= FALLBACK;
        if now.all {
            all_at = Instant::now();
        }
        let mut fresh = Vec::new();
        if eyes.forget(&now) || now.all || places {
            // Watched first, then looked at: what changes in between is seen.
            fresh = eyes.follow(usage);
            places = false;
        }
        let failure = eyes
            .look(usage, &now, &fresh)
            .err()
            .map(|error| error.to_string());
        if failure != told
            && let Some(message) = &failure
        {
            tracing::error!(
                "usage waits to be counted: {message}; it is tried again every {} s, and nothing of it is lost",
                AGAIN.as_secs()
            );
        }
        let patience = if failure.is_some() { AGAIN } else { FALLBACK };
        if failure.is_some() {
            // Until it is read, it is still to be read.
            lock(&changes).all = true;
        }
        told = failure;
        match woken.recv_timeout(patience) {
            Ok(Wake::Changed) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Wake::Places) => places = true,
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let until = Instant::now() + GATHER;
        loop {
            match woken.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Wake::Changed) => {}
                Ok(Wake::Places) => places = true,
                Err(RecvTimeoutError::Timeout) => break,
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    // What was written last is counted before the end.
                    let last = std::mem::take(&mut *lock(&changes));
                    if let Err(error) = eyes.look(usage, &last, &[]) {
                        tracing::error!("{error}");
                    }
                    return;
                }
            }
        }
    }
}

/// The system's own notices.
struct Eyes {
    watcher: Option<RecommendedWatcher>,
    places: Vec<Place>,
    watched: HashSet<PathBuf>,
    /// Folders above those that are watched, watched without what is below: who makes a folder again
    /// is seen from above only.
    above: HashSet<PathBuf>,
    /// The folders below which files lie, and those on the way to them, whether or not they are there.
    ways: HashSet<PathBuf>,
}

impl Eyes {
    fn new(changes: Arc<Mutex<Changes>>, wake: SyncSender<Wake>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            {
                let mut changes = lock(&changes);
                match event {
                    Ok(event) if !matters(&event.kind) && !event.need_rescan() => return,
                    Ok(event) if !event.need_rescan() && changes.paths.len() < MOST_PATHS => {
                        changes.paths.extend(event.paths);
                    }
                    Ok(_) => (changes.all, changes.lost) = (true, true),
                    Err(_) => changes.all = true,
                }
            }
            // A full channel wakes it as well.
            let _ = wake.try_send(Wake::Changed);
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!("usage is seen by looking only: {error}"))
            .ok();
        Self {
            watcher,
            places: Vec::new(),
            watched: HashSet::new(),
            above: HashSet::new(),
            ways: HashSet::new(),
        }
    }

    /// Takes what is at changed paths and below as not watched any more: a folder there is made, or
    /// gone, and its watch with it. False where nothing is there that is to be watched.
    fn forget(&mut self, changes: &Changes) -> bool {
        let ways: Vec<&Path> = if changes.lost {
            vec![Path::new("/")]
        } else {
            let paths = changes.paths.iter().map(PathBuf::as_path);
            paths.filter(|path| self.ways.contains(*path)).collect()
        };
        for way in &ways {
            for watched in [&mut self.watched, &mut self.above] {
                for gone in watched.extract_if(|path| path.starts_with(way)) {
                    unwatch(&mut self.watcher, &gone);
                }
            }
        }
        !ways.is_empty()
    }

    /// Watches the places that are there now. Gives those that were not watched as they are.
    fn follow(&mut self, usage: &Usage) -> Vec<Place> {
        match usage.places() {
            Ok(places) => self.places = places,
            Err(error) => tracing::error!("{error}"),
        }
        self.ways = self.places.iter().flat_map(Place::ways).collect();
        let bases: HashSet<PathBuf> = self
            .places
            .iter()
            .flat_map(Place::bases)
            .filter(|base| base.is_dir())
            .collect();
        let above: HashSet<PathBuf> = self
            .places
            .iter()
            .flat_map(Place::above)
            .filter(|folder| !folder.ancestors().any(|above| bases.contains(above)))
            .collect();
        for (watched, wanted) in [(&mut self.watched, &bases), (&mut self.above, &above)] {
            for gone in watched.extract_if(|path| !wanted.contains(path)) {
                unwatch(&mut self.watcher, &gone);
            }
        }
        let Some(watcher) = &mut self.watcher else {
            return self.places.clone();
        };
        let is_fresh = |place: &&Place| {
            place
                .bases()
                .iter()
                .any(|base| !self.watched.contains(base))
        };
        let fresh = self.places.iter().filter(is_fresh).cloned().collect();
        for base in bases {
            if self.watched.contains(&base) {
                continue;
            }
            match watcher.watch(&base, RecursiveMode::Recursive) {
                Ok(()) => drop(self.watched.insert(base)),
                Err(error) => tracing::warn!("cannot watch {}: {error}", base.display()),
            }
        }
        for folder in above {
            if !self.above.contains(&folder)
                && watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok()
            {
                self.above.insert(folder);
            }
        }
        fresh
    }

    /// Reads what has changed, and all that is in `fresh` places.
    fn look(
        &mut self,
        usage: &Usage,
        changes: &Changes,
        fresh: &[Place],
    ) -> Result<(), UsageError> {
        let mut files: Vec<(&Place, PathBuf)> = Vec::new();
        for place in fresh.iter().filter(|_| !changes.all) {
            files.extend(place.files().into_iter().map(|path| (place, path)));
        }
        if changes.all {
            for place in &self.places {
                files.extend(place.files().into_iter().map(|path| (place, path)));
            }
        } else {
            for path in &changes.paths {
                self.files_of(path, &mut files);
            }
        }
        if files.is_empty() && !changes.all {
            return Ok(());
        }
        files.sort_unstable_by(|a, b| a.1.cmp(&b.1));
        usage.scan(|scan| {
            for (place, path) in &files {
                scan.file(place, path)?;
            }
            Ok(())
        })?;
        usage.tell()?;
        // With the look that comes once a minute.
        match changes.all {
            true => usage.clear_spools(),
            false => Ok(()),
        }
    }

    fn files_of<'p>(&'p self, path: &Path, files: &mut Vec<(&'p Place, PathBuf)>) {
        let path = main_file(path);
        for place in &self.places {
            if place.holds(&path) {
                files.push((place, path.clone()));
            } else if path.starts_with(&place.root) && path.is_dir() {
                // What was put into a new folder before it was watched.
                let below = place.files_below(&path);
                files.extend(below.into_iter().map(|path| (place, path)));
            }
        }
    }
}

/// Fails when the folder is gone, and its watch with it.
fn unwatch(watcher: &mut Option<RecommendedWatcher>, path: &Path) {
    if let Some(watcher) = watcher {
        let _ = watcher.unwatch(path);
    }
}

fn matters(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Create(CreateKind::File | CreateKind::Folder | CreateKind::Any)
            | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Name(_) | ModifyKind::Any)
            | EventKind::Remove(RemoveKind::Folder)
    )
}

/// The database that a file is a part of, or the file itself.
fn main_file(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for end in ["-wal", "-shm", "-journal"] {
        if let Some(main) = name.strip_suffix(end) {
            return path.with_file_name(main);
        }
    }
    path.to_owned()
}
