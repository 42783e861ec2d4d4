use super::Inner;
use crate::process::{ProcessHandle, ProcessWatcher, WatchToken};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Waits for the ends of the processes of all open runs, and has each run settled when one comes.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
}

/// What is held of a run's processes; none is gone, or not known.
#[derive(Debug, Clone, Default)]
pub(super) struct Processes {
    pub cli: Option<Arc<ProcessHandle>>,
    pub agent: Option<Arc<ProcessHandle>>,
}

#[derive(Debug)]
struct Shared {
    inner: Arc<Inner>,
    open: Mutex<Open>,
    watcher: OnceLock<ProcessWatcher>,
}

#[derive(Debug, Default)]
struct Open {
    runs: HashMap<String, Watched>,
    tokens: HashMap<WatchToken, String>,
    /// Runs whose case could not be committed, to be tried again.
    unsettled: Vec<String>,
}

#[derive(Debug, Default)]
struct Watched {
    processes: Processes,
    cli: Option<WatchToken>,
    agent: Option<WatchToken>,
}

impl Watch {
    pub fn start(inner: Arc<Inner>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            inner,
            open: Mutex::default(),
            watcher: OnceLock::new(),
        });
        // Weak, or the thread would keep what owns it.
        let weak = Arc::downgrade(&shared);
        let watcher = ProcessWatcher::start(move |token| {
            if let Some(shared) = weak.upgrade() {
                shared.ended(token);
            }
        })?;
        let _ = shared.watcher.set(watcher);
        Ok(Self { shared })
    }

    /// Settles a run and watches what goes on. When that fails, it is tried again whenever
    /// something else happens.
    pub fn settle_or_retry(&self, id: &str, processes: Processes) {
        let watched = Watched {
            processes,
            ..Watched::default()
        };
        self.shared.lock().runs.insert(id.to_owned(), watched);
        self.shared.settle(id);
        self.shared.retry();
    }

    /// The agent of a run is known now.
    pub fn add_agent(&self, id: &str, agent: Arc<ProcessHandle>) {
        let mut open = self.shared.lock();
        if let Some(watched) = open.runs.get_mut(id) {
            watched.processes.agent = Some(agent);
            self.shared.watch(&mut open, id);
        }
    }

    /// The run is closed.
    pub fn forget(&self, id: &str) {
        self.shared.forget(id);
        self.shared.retry();
    }
}

impl Shared {
    fn ended(&self, token: WatchToken) {
        let id = self.lock().tokens.remove(&token);
        if let Some(id) = id {
            self.settle(&id);
        }
        self.retry();
    }

    fn settle(&self, id: &str) {
        let Some(mut processes) = self.lock().runs.get(id).map(|run| run.processes.clone()) else {
            return;
        };
        match self.inner.settle(id, &mut processes) {
            Ok(true) => {
                let mut open = self.lock();
                if let Some(watched) = open.runs.get_mut(id) {
                    // A report can have made the agent known meanwhile.
                    let known = watched.processes.agent.take();
                    watched.processes = processes;
                    watched.processes.agent = known.or(watched.processes.agent.take());
                    self.watch(&mut open, id);
                }
            }
            Ok(false) => self.forget(id),
            Err(error) => {
                tracing::error!(run = id, %error, "what became of the run is not yet recorded");
                let mut open = self.lock();
                self.watch(&mut open, id);
                open.unsettled.push(id.to_owned());
            }
        }
    }

    /// Watches each process of a run that is not watched yet. One that has ended is told at once.
    fn watch(&self, open: &mut Open, id: &str) {
        let (Some(watcher), Some(watched)) = (self.watcher.get(), open.runs.get_mut(id)) else {
            return;
        };
        let Watched {
            processes,
            cli,
            agent,
        } = watched;
        for (process, token) in [(&processes.cli, cli), (&processes.agent, agent)] {
            if let (Some(process), None) = (process, &token) {
                // Told on another thread, which waits for the lock that is held here.
                let new = watcher.watch(Arc::clone(process));
                *token = Some(new);
                open.tokens.insert(new, id.to_owned());
            }
        }
    }

    fn forget(&self, id: &str) {
        let mut open = self.lock();
        let Some(watched) = open.runs.remove(id) else {
            return;
        };
        for token in [watched.cli, watched.agent].into_iter().flatten() {
            open.tokens.remove(&token);
            if let Some(watcher) = self.watcher.get() {
                watcher.forget(token);
            }
        }
    }

    fn retry(&self) {
        let unsettled = std::mem::take(&mut self.lock().unsettled);
        for id in unsettled {
            self.settle(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
