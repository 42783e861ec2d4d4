//! Programs that are being asked for their versions, each on a thread of its own, so that one that
//! takes its time holds nobody else up.

use super::probe::{UNKNOWN_VERSION, probe_until};
use super::{AgentManifest, AgentSettings, Found};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many agents that only a registry knows are asked at once. There can be hundreds, and none of
/// them may hold up one of the person's.
const MAX_FOREIGN: usize = 4;

/// Which agents are being asked.
#[derive(Debug, Default)]
pub struct Asking {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Those that wait for their turn too. Each with whether only a registry knows it.
    ids: BTreeMap<String, bool>,
    /// How many threads ask those that only a registry knows.
    foreign: usize,
    waiting: VecDeque<Job>,
}

struct Job {
    id: String,
    run: Box<dyn FnOnce() + Send>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("State")
            .field("ids", &self.ids)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

/// What a program is asked, and what is known of it.
#[derive(Debug)]
pub struct Question {
    pub manifest: Arc<AgentManifest>,
    pub found: Found,
    pub fingerprint: String,
    /// For so long, a program that does not tell is asked again: it may be half installed.
    pub patience: Duration,
    /// Whether nothing is published of the agent: then it is not kept back for its version for long.
    pub is_new: bool,
    /// Whether only a registry knows the agent: then it waits for its turn.
    pub is_foreign: bool,
}

/// What comes of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing so far; it goes on.
    Late,
    /// The version, or that it is not told.
    Version(String),
}

impl Asking {
    /// Asks on a new thread, and hands over the version when it is told, or the limit is over; before
    /// that, once, an answer for the meantime if a program that is not known yet takes its time. Does
    /// nothing if this agent is being asked already: what comes of that is looked at again then.
    pub fn start(
        self: &Arc<Self>,
        question: Question,
        settings: &AgentSettings,
        answered: impl Fn(&Question, Answer) + Send + 'static,
    ) -> io::Result<()> {
        let (id, is_foreign) = (
            question.manifest.id.as_str().to_owned(),
            question.is_foreign,
        );
        let mut state = self.lock();
        if self.stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        match state.ids.entry(id.clone()) {
            Entry::Vacant(entry) => entry.insert(is_foreign),
            Entry::Occupied(_) => return Ok(()),
        };
        let (asking, settings) = (Arc::clone(self), settings.clone());
        let run = Box::new({
            let id = id.clone();
            move || {
                // However it ends, nobody waits for it afterwards.
                let _done = Done(&asking, id);
                let late = || answered(&question, Answer::Late);
                if let Some(version) = asking.ask(&question, &settings, late) {
                    answered(&question, Answer::Version(version));
                }
            }
        });
        let job = Job { id, run };
        if is_foreign {
            if state.foreign == MAX_FOREIGN {
                state.waiting.push_back(job);
                return Ok(());
            }
            state.foreign += 1;
        }
        drop(state);
        self.spawn(job, is_foreign)
    }

    fn spawn(self: &Arc<Self>, job: Job, is_foreign: bool) -> io::Result<()> {
        let (asking, id) = (Arc::clone(self), job.id.clone());
        let started = std::thread::Builder::new()
            .name("agent version".to_owned())
            .spawn(move || {
                // Given back even if what is done with an answer panics.
                let mut place = is_foreign.then(|| Place::of(&asking));
                let mut next = Some(job);
                while let Some(job) = next {
                    (job.run)();
                    next = place.as_mut().and_then(Place::next);
                }
            });
        if started.is_err() {
            drop(Done(self, id));
            if is_foreign {
                drop(Place::of(self));
            }
        }
        started.map(drop)
    }

    /// Waits until nobody is being asked any more.
    pub fn wait(&self) {
        self.wait_while(|state| !state.ids.is_empty());
    }

    /// The same, but for those that only a registry knows: there can be hundreds, each of which takes
    /// as long as it may.
    pub fn wait_for_known(&self) {
        self.wait_while(|state| state.ids.values().any(|is_foreign| !is_foreign));
    }

    fn wait_while(&self, goes_on: impl Fn(&State) -> bool) {
        let state = self.lock();
        let wait = self.changed.wait_while(state, |state| goes_on(state));
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends what is being asked, without an answer.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        {
            let mut state = self.lock();
            let waiting = std::mem::take(&mut state.waiting);
            for job in &waiting {
                state.ids.remove(&job.id);
            }
        }
        self.wait();
    }

    /// After a stop, asks again.
    pub fn resume(&self) {
        self.stopped.store(false, Ordering::Relaxed);
    }

    /// None when it was stopped.
    fn ask(
        &self,
        question: &Question,
        settings: &AgentSettings,
        late: impl FnOnce(),
    ) -> Option<String> {
        let patient_until = Instant::now() + question.patience;
        let late_at = Instant::now() + settings.late_after;
        let mut late = Some(late).filter(|_| question.is_new);
        let mut is_over = || {
            if Instant::now() >= late_at
                && let Some(late) = late.take()
            {
                late();
            }
            self.stopped.load(Ordering::Relaxed)
        };
        loop {
            let version = probe_until(
                &question.found.path,
                &question.manifest.version,
                &settings.env,
                settings.probe_limit,
                &mut is_over,
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Done<'a>(&'a Asking, String);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.lock().ids.remove(&self.1);
        self.0.changed.notify_all();
    }
}

/// The place of a thread among those of a registry's agents.
struct Place<'a> {
    asking: &'a Asking,
    is_left: bool,
}

impl<'a> Place<'a> {
    fn of(asking: &'a Asking) -> Self {
        Self {
            asking,
            is_left: false,
        }
    }

    /// The next one that waits. Without one the place is left in the same moment, so that nobody
    /// waits for a thread that ends.
    fn next(&mut self) -> Option<Job> {
        let mut state = self.asking.lock();
        let job = state.waiting.pop_front();
        if job.is_none() {
            state.foreign -= 1;
            self.is_left = true;
        }
        job
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_left {
            self.asking.lock().foreign -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::find::find;
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::mpsc;

    fn question(folder: &Path, id: &str, is_foreign: bool) -> Question {
        let text = format!(
            "id = \"{id}\"\nname = \"X\"\nbinaries = [\"x\"]\n[version]\nargs = []\npattern = '(1)'\n"
        );
        let manifest: Arc<AgentManifest> = Arc::new(toml::from_str(&text).unwrap());
        let mut found = find([&manifest], folder.as_os_str()).into_iter();
        Question {
            found: found.next().unwrap().1.unwrap(),
            manifest,
            fingerprint: String::new(),
            patience: Duration::ZERO,
            is_new: false,
            is_foreign,
        }
    }

    #[test]
    fn hundreds_of_a_registry_are_asked_a_few_at_a_time_and_hold_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        // Tells when it begins, and its version once it may.
        let script =
            "#!/bin/sh\necho $$ >> $BEGUN\nuntil test -e $GO; do sleep 0.01; done\necho 1\n";
        fs::write(folder.path().join("x"), script).unwrap();
        fs::set_permissions(folder.path().join("x"), fs::Permissions::from_mode(0o755)).unwrap();
        let variable = |name: &str, value: &Path| (OsString::from(name), OsString::from(value));
        let (begun, go) = (folder.path().join("begun"), folder.path().join("go"));
        let env = vec![
            variable("PATH", Path::new("/usr/bin:/bin")),
            variable("BEGUN", &begun),
            variable("GO", &go),
        ];
        let settings = AgentSettings {
            probe_limit: Duration::from_secs(60),
            ..AgentSettings::new(OsString::new(), env)
        };
        let asking = Arc::new(Asking::default());
        let (send, answers) = mpsc::channel();
        let start = |id: &str, is_foreign: bool| {
            let send = send.clone();
            let answered = move |question: &Question, answer| {
                assert_eq!(answer, Answer::Version("1".to_owned()));
                send.send(question.manifest.id.as_str().to_owned()).unwrap();
            };
            let question = question(folder.path(), id, is_foreign);
            asking.start(question, &settings, answered).unwrap();
        };
        let count = || {
            fs::read_to_string(&begun)
                .unwrap_or_default()
                .lines()
                .count()
        };
        let wait_for = |number: usize| {
            let deadline = Instant::now() + Duration::from_secs(60);
            while count() < number && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        for number in 0..40 {
            start(&format!("foreign-{number}"), true);
        }
        wait_for(MAX_FOREIGN);
        start("own", false);
        wait_for(MAX_FOREIGN + 1);
        assert_eq!(count(), MAX_FOREIGN + 1);
        fs::write(&go, "").unwrap();
        asking.wait();
        assert_eq!(count(), 41);
        drop(send);
        assert_eq!(answers.iter().count(), 41);

        fs::remove_file(&go).unwrap();
        let (send, answers) = mpsc::channel();
        for number in 0..40 {
            let send = send.clone();
            let question = question(folder.path(), &format!("foreign-{number}"), true);
            let answered = move |_: &Question, answer| send.send(answer).unwrap();
            asking.start(question, &settings, answered).unwrap();
        }
        drop(send);
        asking.stop();
        assert_eq!(answers.iter().count(), 0);
    }
}
