use super::AgentManifest;
use super::ask::{Answer, Asking, Question};
use super::find::{self, Found};
use super::probe::UNKNOWN_VERSION;
use super::rows::{self, Program, Published};
use super::watch::Watching;
use crate::manifests::Manifests;
use crate::store::{Store, StoreError};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A program that changes all the time does not keep anybody who asked for agents.
const MOST_LOOKS: usize = 3;

/// Which agents this machine has, and their versions.
#[derive(Debug)]
pub struct Agents {
    store: Arc<Store>,
    manifests: Arc<Manifests<AgentManifest>>,
    settings: AgentSettings,
    /// Held while looking: two at once would publish everything twice.
    looking: Mutex<Looking>,
    asking: Arc<Asking>,
    watching: Mutex<Option<Watching>>,
}

/// How agents are looked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AgentSettings {
    /// The folders to look in, as in `PATH`.
    pub path: OsString,
    /// The environment of version commands.
    pub env: Vec<(OsString, OsString)>,
    /// How long a version command may take.
    pub probe_limit: Duration,
    /// How long a program that is new may take until it is published without its version, which
    /// follows.
    pub late_after: Duration,
    /// How often agents are looked for without being told of a change.
    pub look_every: Duration,
    /// How long nothing may change before a change counts.
    pub quiet: Duration,
    /// How long a program that is gone, or does not tell its version any more, may take to come
    /// back before that counts.
    pub patience: Duration,
}

/// An agent, as it was last published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentStatus {
    /// The id.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// Whether its program was found.
    pub installed: bool,
    /// `unknown` when it does not tell; None while it is not installed.
    pub version: Option<String>,
    /// Where its program is, links not followed.
    pub binary_path: Option<PathBuf>,
}

/// Agents cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// There is no manifest with this id.
    #[error("there is no agent \"{id}\": known are {}", known.join(", "))]
    NotFound {
        /// What was asked for.
        id: String,
        /// The ids there are.
        known: Vec<String>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AgentSettings {
    /// Looks in `path`, and asks for versions with the environment `env`.
    pub fn new(path: OsString, env: Vec<(OsString, OsString)>) -> Self {
        Self {
            path,
            env,
            probe_limit: Duration::from_secs(5),
            late_after: Duration::from_millis(1_200),
            look_every: Duration::from_secs(30),
            quiet: Duration::from_millis(150),
            patience: Duration::from_secs(1),
        }
    }
}

impl Agents {
    /// Nothing is looked for yet.
    pub fn new(
        store: Arc<Store>,
        manifests: Arc<Manifests<AgentManifest>>,
        settings: AgentSettings,
    ) -> Self {
        Self {
            store,
            manifests,
            settings,
            looking: Mutex::default(),
            asking: Arc::default(),
            watching: Mutex::default(),
        }
    }

    /// Looks for all agents now and publishes what has changed. A program that is still the same
    /// is not run again, unless it has not told its version so far. For agents that only a registry
    /// knows nobody waits: what they tell follows in events.
    pub fn detect(self: &Arc<Self>) -> Result<Vec<AgentStatus>, StoreError> {
        for _ in 0..MOST_LOOKS {
            self.look(How::Now)?;
            self.asking.wait_for_known();
            if !std::mem::take(&mut self.lock_looking().changed_while_asked) {
                break;
            }
        }
        self.list()
    }

    /// All agents, by id, as they were last published.
    pub fn list(&self) -> Result<Vec<AgentStatus>, StoreError> {
        self.store.read(|connection| self.list_in(connection))
    }

    /// The same, from the state of the database that `connection` sees.
    pub fn list_in(&self, connection: &Connection) -> Result<Vec<AgentStatus>, StoreError> {
        let published = rows::list(connection)?;
        let manifests = self.manifests.current();
        let all = manifests.all().map(|manifest| {
            let id = manifest.id.as_str();
            let known = published.iter().find(|published| published.id == id);
            let program = known.and_then(|known| known.program.as_ref());
            AgentStatus {
                id: id.to_owned(),
                name: manifest.name.clone(),
                installed: program.is_some(),
                version: program.map(|program| program.version.clone()),
                binary_path: program.map(|program| PathBuf::from(&program.path)),
            }
        });
        Ok(all.collect())
    }

    /// One agent, as it was last published.
    pub fn get(&self, id: &str) -> Result<AgentStatus, AgentError> {
        let agents = self.list()?;
        match agents.iter().find(|agent| agent.id == id) {
            Some(agent) => Ok(agent.clone()),
            None => Err(AgentError::NotFound {
                id: id.to_owned(),
                known: agents.into_iter().map(|agent| agent.id).collect(),
            }),
        }
    }

    /// The manifest with this id.
    pub fn manifest(&self, id: &str) -> Option<Arc<AgentManifest>> {
        self.manifests.current().get(id).cloned()
    }

    /// Looks for agents in a thread of its own, now and whenever something changes where programs
    /// are. Does nothing if it does so already.
    pub fn start_watching(self: &Arc<Self>) -> io::Result<()> {
        let mut watching = self.lock_watching();
        if watching.is_none() {
            self.asking.resume();
            *watching = Some(Watching::start(self)?);
        }
        Ok(())
    }

    /// Ends that thread, once it is through with what it does, and whatever is being asked.
    pub fn stop_watching(&self) {
        let watching = self.lock_watching().take();
        drop(watching);
        self.asking.stop();
    }

    pub(super) fn manifests(&self) -> &Manifests<AgentManifest> {
        &self.manifests
    }

    /// Has that thread look again soon, as after a change where programs are: there are other
    /// manifests.
    pub fn look_soon(&self) {
        if let Some(watching) = &*self.lock_watching() {
            watching.wake();
        }
    }

    pub(super) fn settings(&self) -> &AgentSettings {
        &self.settings
    }

    /// Publishes what has changed, and asks the programs that have: what comes of that is published
    /// when they have told. The answer is how long to wait at most before looking again.
    pub(super) fn look(self: &Arc<Self>, how: How) -> Result<Option<Duration>, StoreError> {
        let mut looking = self.lock_looking();
        let before = self.store.read(rows::list)?;
        let manifests = self.manifests.current();
        let mut now = Vec::new();
        let mut again = None;
        for (manifest, found) in find::find(manifests.all(), &self.settings.path) {
            let id = manifest.id.as_str();
            let known = before.iter().find(|known| known.id == id);
            let program = known.and_then(|known| known.program.as_ref());
            let published = |program: Option<Program>| Published {
                id: id.to_owned(),
                name: manifest.name.clone(),
                program,
            };
            let Some(found) = found else {
                match program.filter(|_| how == How::Patient) {
                    Some(program) => {
                        let since = looking.missing_since.entry(id.to_owned());
                        let waited = since.or_insert_with(Instant::now).elapsed();
                        let left = self.settings.patience.saturating_sub(waited);
                        let is_over = left.is_zero();
                        now.push(published((!is_over).then(|| program.clone())));
                        if !is_over {
                            again = again.into_iter().chain([left]).min();
                        }
                    }
                    None => now.push(published(None)),
                }
                continue;
            };
            looking.missing_since.remove(id);
            let fingerprint = fingerprint_of(&manifest, &found);
            let same = program.filter(|known| known.fingerprint == fingerprint);
            let retries = how == How::Now;
            match same.filter(|same| !(retries && same.version == UNKNOWN_VERSION)) {
                Some(same) => now.push(published(Some(same.clone()))),
                None => {
                    // Until it has told, it stays what it was.
                    now.extend(known.cloned());
                    let told_before = program.is_some_and(|known| known.version != UNKNOWN_VERSION);
                    self.ask(Question {
                        manifest: Arc::clone(&manifest),
                        found,
                        fingerprint,
                        // At a start all are asked at the same time, and take theirs.
                        is_new: program.is_none() && looking.has_looked,
                        is_foreign: manifests.is_foreign(manifest.id.as_str()),
                        patience: match told_before && how == How::Patient {
                            true => self.settings.patience,
                            false => Duration::ZERO,
                        },
                    });
                }
            }
        }
        looking.has_looked = true;
        let is_there = |id: &str| now.iter().any(|agent| agent.id == id);
        let gone = |id: &str| manifests.get(id).is_none();
        let before: Vec<Published> = before
            .into_iter()
            .filter(|known| is_there(&known.id) || gone(&known.id))
            .collect();
        if now != before {
            self.store
                .commit(move |tx| rows::publish(tx, &before, now))?;
        }
        Ok(again)
    }

    fn ask(self: &Arc<Self>, question: Question) {
        let agents = Arc::downgrade(self);
        let answered = move |question: &Question, answer: Answer| {
            if let Some(agents) = agents.upgrade()
                && let Err(error) = agents.publish_answer(question, answer)
            {
                tracing::error!("cannot publish a version: {error}");
            }
        };
        if let Err(error) = self.asking.start(question, &self.settings, answered) {
            tracing::error!("cannot ask an agent for its version: {error}");
        }
    }

    /// Unless the program is another one by now: then that is asked.
    fn publish_answer(
        self: &Arc<Self>,
        question: &Question,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let id = question.manifest.id.as_str();
        let mut looking = self.lock_looking();
        let manifests = self.manifests.current();
        let Some(manifest) = manifests.get(id) else {
            return Ok(());
        };
        let found = find::find([manifest], &self.settings.path)
            .into_iter()
            .find_map(|(_, found)| found);
        if found.map(|found| fingerprint_of(manifest, &found)).as_ref()
            != Some(&question.fingerprint)
        {
            looking.changed_while_asked = true;
            drop(looking);
            self.wake();
            return Ok(());
        }
        let mut before = self.store.read(rows::list)?;
        before.retain(|known| known.id == id);
        let now = vec![Published {
            id: id.to_owned(),
            name: manifest.name.clone(),
            program: Some(match answer {
                Answer::Version(version) => {
                    Program::new(&question.found, question.fingerprint.clone(), version)
                }
                // Whoever looks at it next does not take it for one that has been asked: a daemon
                // that starts in the meantime asks it.
                Answer::Late => Program::new(
                    &question.found,
                    format!("{} late", question.fingerprint),
                    UNKNOWN_VERSION.to_owned(),
                ),
            }),
        }];
        if now != before {
            self.store
                .commit(move |tx| rows::publish(tx, &before, now))?;
        }
        Ok(())
    }

    fn wake(&self) {
        if let Some(watching) = &*self.lock_watching() {
            watching.wake();
        }
    }

    fn lock_looking(&self) -> MutexGuard<'_, Looking> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_watching(&self) -> MutexGuard<'_, Option<Watching>> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How agents are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// What has gone may come back in a moment, as it does when it is updated.
    Patient,
    /// As it is at this moment; and what has not told its version is asked once more.
    Now,
}

/// What is kept from one look to the next.
#[derive(Debug, Default)]
struct Looking {
    /// Programs that are gone and not yet published so, by id.
    missing_since: BTreeMap<String, Instant>,
    /// A program was another one when it had told its version.
    changed_while_asked: bool,
    /// All have been looked for once.
    has_looked: bool,
}

/// With the command, since another one may tell another version of the same program.
fn fingerprint_of(manifest: &AgentManifest, found: &Found) -> String {
    let command = &manifest.version;
    format!(
        "{}{:?} {}",
        found.fingerprint,
        command.args,
        command.pattern.as_str()
    )
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
