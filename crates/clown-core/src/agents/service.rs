use super::AgentManifest;
use super::find::{self, Found};
use super::probe::{UNKNOWN_VERSION, probe_version};
use super::rows::{self, Program, Published};
use super::watch::Watching;
use crate::manifests::Manifests;
use crate::store::{Store, StoreError};
use rusqlite::Connection;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which agents this machine has, and their versions.
#[derive(Debug)]
pub struct Agents {
    store: Arc<Store>,
    manifests: Arc<Manifests<AgentManifest>>,
    settings: AgentSettings,
    /// Held while looking: two at once would start everything twice.
    looking: Mutex<()>,
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
    /// How often agents are looked for without being told of a change.
    pub look_every: Duration,
    /// How long nothing may change before a change counts.
    pub quiet: Duration,
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
            look_every: Duration::from_secs(30),
            quiet: Duration::from_millis(150),
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
            watching: Mutex::default(),
        }
    }

    /// Looks for all agents now and publishes what has changed. A program that is still the same
    /// is not run again, unless it has not told its version so far.
    pub fn detect(&self) -> Result<Vec<AgentStatus>, StoreError> {
        self.look(true)?;
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
            *watching = Some(Watching::start(self)?);
        }
        Ok(())
    }

    /// Ends that thread, once it is through with what it does.
    pub fn stop_watching(&self) {
        let watching = self.lock_watching().take();
        drop(watching);
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

    /// Publishes what has changed. The answer is what was found.
    pub(super) fn look(&self, retry_unknown: bool) -> Result<Vec<Found>, StoreError> {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.store.read(rows::list)?;
        let manifests = self.manifests.current();
        let found = find::find(manifests.all(), &self.settings.path);
        let now = self.ask_all(&found, &before, retry_unknown);
        if now != before {
            self.store
                .commit(move |tx| rows::publish(tx, &before, now))?;
        }
        Ok(found.into_iter().filter_map(|(_, found)| found).collect())
    }

    /// All at the same time: each may take as long as the limit.
    fn ask_all(
        &self,
        found: &[(Arc<AgentManifest>, Option<Found>)],
        before: &[Published],
        retry_unknown: bool,
    ) -> Vec<Published> {
        std::thread::scope(|scope| {
            let asked: Vec<_> = found
                .iter()
                .map(|(manifest, found)| {
                    let known = before
                        .iter()
                        .find(|known| known.id == manifest.id.as_str())
                        .and_then(|known| known.program.as_ref());
                    let found = found.as_ref();
                    let fingerprint = found.map(|found| fingerprint_of(manifest, found));
                    let same =
                        known.filter(|known| Some(&known.fingerprint) == fingerprint.as_ref());
                    let same =
                        same.filter(|same| !(retry_unknown && same.version == UNKNOWN_VERSION));
                    let ask = move || {
                        let (found, fingerprint) = (found?, fingerprint?);
                        let version = self.ask(manifest, found);
                        Some(Program::new(found, fingerprint, version))
                    };
                    let answer = match same {
                        Some(same) => Answer::Known(same.clone()),
                        None if found.is_none() => Answer::Missing,
                        None => Answer::Asked(scope.spawn(ask)),
                    };
                    (manifest, answer)
                })
                .collect();
            asked
                .into_iter()
                .map(|(manifest, answer)| Published {
                    id: manifest.id.as_str().to_owned(),
                    name: manifest.name.clone(),
                    program: match answer {
                        Answer::Missing => None,
                        Answer::Known(program) => Some(program),
                        // A panic has been printed already; that agent counts as missing.
                        Answer::Asked(thread) => thread.join().ok().flatten(),
                    },
                })
                .collect()
        })
    }

    fn ask(&self, manifest: &AgentManifest, found: &Found) -> String {
        let settings = &self.settings;
        let version = probe_version(
            &found.path,
            &manifest.version,
            &settings.env,
            settings.probe_limit,
        );
        version.unwrap_or_else(|| UNKNOWN_VERSION.to_owned())
    }

    fn lock_watching(&self) -> MutexGuard<'_, Option<Watching>> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Answer<'scope> {
    Missing,
    Known(Program),
    Asked(std::thread::ScopedJoinHandle<'scope, Option<Program>>),
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
