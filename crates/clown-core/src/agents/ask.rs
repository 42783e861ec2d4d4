//! Programs that are being asked for their versions, each on a thread of its own, so that one that
//! takes its time holds nobody else up.

use super::probe::{UNKNOWN_VERSION, probe_until};
use super::{AgentManifest, AgentSettings, Found};
use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Which agents are being asked.
#[derive(Debug, Default)]
pub struct Asking {
    ids: Mutex<BTreeSet<String>>,
    changed: Condvar,
    stopped: AtomicBool,
}

/// What a program is asked, and what is known of it.
#[derive(Debug)]
pub struct Question {
    pub manifest: Arc<AgentManifest>,
    pub found: Found,
    pub fingerprint: String,
    /// For so long, a program that does not tell is asked again: it may be half installed.
    pub patience: Duration,
}

impl Asking {
    /// Asks on a new thread, and hands over the version when it is told, or the limit is over. Does
    /// nothing if this agent is being asked already: what comes of that is looked at again then.
    pub fn start(
        self: &Arc<Self>,
        question: Question,
        settings: &AgentSettings,
        answered: impl FnOnce(Question, String) + Send + 'static,
    ) -> io::Result<()> {
        let id = question.manifest.id.as_str().to_owned();
        {
            let mut ids = self.lock();
            if self.stopped.load(Ordering::Relaxed) || !ids.insert(id.clone()) {
                return Ok(());
            }
        }
        let (asking, settings) = (Arc::clone(self), settings.clone());
        let started = std::thread::Builder::new()
            .name("agent version".to_owned())
            .spawn({
                let id = id.clone();
                move || {
                    // However it ends, nobody waits for it afterwards.
                    let _done = Done(&asking, id);
                    if let Some(version) = asking.ask(&question, &settings) {
                        answered(question, version);
                    }
                }
            });
        if started.is_err() {
            drop(Done(self, id));
        }
        started.map(drop)
    }

    /// Waits until nobody is being asked any more.
    pub fn wait(&self) {
        let ids = self.lock();
        let wait = self.changed.wait_while(ids, |ids| !ids.is_empty());
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends what is being asked, without an answer.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.wait();
    }

    /// After a stop, asks again.
    pub fn resume(&self) {
        self.stopped.store(false, Ordering::Relaxed);
    }

    /// None when it was stopped.
    fn ask(&self, question: &Question, settings: &AgentSettings) -> Option<String> {
        let patient_until = Instant::now() + question.patience;
        loop {
            let version = probe_until(
                &question.found.path,
                &question.manifest.version,
                &settings.env,
                settings.probe_limit,
                &self.stopped,
            );
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            match version {
                Some(version) => return Some(version),
                None if Instant::now() < patient_until => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                None => return Some(UNKNOWN_VERSION.to_owned()),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Done<'a>(&'a Asking, String);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
        self.0.changed.notify_all();
    }
}
