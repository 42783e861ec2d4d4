use super::ProcessHandle;
use super::handle::ASK_AGAIN;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Waits for the end of any number of processes, by one thread that sleeps until one ends.
#[derive(Debug)]
pub struct ProcessWatcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Names one watch, never given twice by a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchToken(u64);

#[derive(Debug)]
struct Shared {
    watched: Mutex<Watched>,
    /// A byte in here wakes the thread: the set has changed.
    wake: OwnedFd,
}

#[derive(Debug, Default)]
struct Watched {
    handles: BTreeMap<WatchToken, Arc<ProcessHandle>>,
    next: u64,
    closed: bool,
}

impl ProcessWatcher {
    /// Starts the thread. It calls `ended` once for each watched process, when that has ended.
    pub fn start(ended: impl Fn(WatchToken) + Send + 'static) -> io::Result<Self> {
        let (read, wake) = io::pipe()?;
        ioctl_fionbio(&read, true)?;
        ioctl_fionbio(&wake, true)?;
        let (read, wake) = (OwnedFd::from(read), OwnedFd::from(wake));
        let shared = Arc::new(Shared {
            watched: Mutex::default(),
            wake,
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("process-watcher".to_owned())
            .spawn(move || for_thread.run(&read, ended))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Watches a process until it ends.
    pub fn watch(&self, handle: Arc<ProcessHandle>) -> WatchToken {
        let token = {
            let mut watched = self.shared.lock();
            watched.next += 1;
            let token = WatchToken(watched.next);
            watched.handles.insert(token, handle);
            token
        };
        self.shared.wake();
        token
    }

    /// Stops watching. A call of `ended` may already be under way.
    pub fn forget(&self, token: WatchToken) {
        self.shared.lock().handles.remove(&token);
        self.shared.wake();
    }
}

impl Drop for ProcessWatcher {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // It has nothing to tell but a panic, which it has printed itself.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, woken: &OwnedFd, ended: impl Fn(WatchToken)) {
        loop {
            let Some(handles) = self.snapshot() else {
                return;
            };
            if let Err(error) = wait_for_any(woken, &handles) {
                tracing::error!(%error, "cannot wait for processes; asking for them instead");
                std::thread::sleep(ASK_AGAIN);
            }
            drain(woken);
            for (token, handle) in handles {
                // Forgotten meanwhile, or ended: either way it leaves the set once.
                if handle.has_ended() && self.lock().handles.remove(&token).is_some() {
                    ended(token);
                }
            }
        }
    }

    fn snapshot(&self) -> Option<Vec<(WatchToken, Arc<ProcessHandle>)>> {
        let watched = self.lock();
        if watched.closed {
            return None;
        }
        let handles = watched.handles.iter();
        Some(
            handles
                .map(|(token, handle)| (*token, Arc::clone(handle)))
                .collect(),
        )
    }

    fn wake(&self) {
        // A full pipe wakes the thread as well.
        let _ = rustix::io::write(&self.wake, &[1]);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns when one of the processes may have ended, or the thread was woken.
fn wait_for_any(
    woken: &OwnedFd,
    handles: &[(WatchToken, Arc<ProcessHandle>)],
) -> Result<(), Errno> {
    let mut descriptors = vec![PollFd::new(woken, PollFlags::IN)];
    let pidfds = handles.iter().filter_map(|(_, handle)| handle.pidfd());
    descriptors.extend(pidfds.map(|pidfd| PollFd::from_borrowed_fd(pidfd, PollFlags::IN)));
    let all_tell = descriptors.len() == handles.len() + 1;
    let timeout = if all_tell {
        None
    } else {
        Timespec::try_from(ASK_AGAIN).ok()
    };
    match poll(&mut descriptors, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}

fn drain(woken: &OwnedFd) {
    let mut bytes = [0; 64];
    while matches!(rustix::io::read(woken, &mut bytes), Ok(read) if read == bytes.len()) {}
}
