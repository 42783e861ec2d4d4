//! All services together.

use crate::agents::{AgentSettings, AgentStatus, Agents};
use crate::fetch::Fetch;
use crate::journal::{self, Retention};
use crate::keys::{Environment, KeyError, KeyResolver, KeySource, KeyStore, Secret};
use crate::launch::{self, LaunchError, LaunchInput, LaunchPlan, MergeError};
use crate::manifests::Manifests;
use crate::process::{self, ProcessIdentity};
use crate::profiles::{
    Definition, Profile, ProfileError, Profiles, Published, StoredKey, Watching,
};
use crate::proxies::{Proxies, Proxy};
use crate::registry::{
    Kind, Registry, RegistryError, RegistrySettings, RegistryStatus, SyncRequest, Synced,
};
use crate::rules::Catalogue;
use crate::runs::{PrepareInput, PreparedRun, Run, RunError, Runs};
use crate::store::{Store, StoreError, StoreSettings};
use crate::templates::{self, TemplateManifest};
use crate::usage::{Total, Usage};
use crate::{Alias, Seq, agents, files, providers, proxies, usage};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where things are, and how they are kept.
#[derive(Debug, Clone)]
pub struct CoreSettings {
    /// Files that people own.
    pub config_dir: PathBuf,
    /// Files that Clown owns.
    pub state_dir: PathBuf,
    /// The variables that the daemon was started with; `PATH` is where agents are looked for.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether keys are kept in the system's keyring, where there is one.
    pub keyring: bool,
    /// The database.
    pub store: StoreSettings,
    /// How much of the past the journal keeps.
    pub retention: Retention,
    /// How other machines are reached.
    pub fetch: Arc<dyn Fetch>,
    /// Which registry is used.
    pub registry: RegistrySettings,
}

/// The daemon's domain.
#[derive(Debug)]
pub struct Core {
    /// The database.
    pub store: Arc<Store>,
    /// Keys.
    pub keys: Arc<KeyStore>,
    /// Manifests that come from elsewhere.
    pub registry: Arc<Registry>,
    /// Manifests of agents and providers.
    pub catalogue: Arc<Catalogue>,
    /// Templates of profiles.
    pub templates: Manifests<TemplateManifest>,
    /// Which agents there are.
    pub agents: Arc<Agents>,
    /// Profiles.
    pub profiles: Arc<Profiles>,
    /// Runs.
    pub runs: Arc<Runs>,
    /// What is known of proxy instances.
    pub proxies: Proxies,
    /// What profiles have used.
    pub usage: Usage,
    /// Other machines.
    pub fetch: Arc<dyn Fetch>,
    pub(crate) environment: Environment,
    retention: Retention,
    watching: Mutex<Vec<Watching>>,
    /// How many keys are being looked up, each on a thread that waits.
    key_look_ups: AtomicUsize,
    /// How many providers are being asked.
    pub(crate) checks: AtomicUsize,
}

/// Files by which a state folder is known to be one.
pub const STATE_MARKS: &[&str] = &[
    "clownd.lock",
    "clown.db",
    "clownd.log",
    "start.lock",
    "runs",
];

/// How often a run is prepared anew when its profile changes meanwhile.
const MAX_TRIES: usize = 3;

const MAX_KEY_LOOK_UPS: usize = 24;

/// One of a limited number of places, until it is dropped.
pub(crate) struct Slot<'a>(&'a AtomicUsize);

impl<'a> Slot<'a> {
    pub(crate) fn take(taken: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let one_more = |taken| (taken < limit).then_some(taken + 1);
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()
            .map(|_| Self(taken))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The core cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// A folder cannot be made, or not be used.
    #[error("cannot use the state folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Runs.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// A run is asked for.
#[derive(Debug)]
pub struct RunRequest {
    /// Arguments behind the profile's own.
    pub args: Vec<String>,
    /// The caller's folder.
    pub cwd: PathBuf,
    /// The caller's `PATH`.
    pub path: OsString,
    /// The process that will start the agent.
    pub cli_pid: u32,
}

/// A run cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The profile is not there, or not fit to run.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Its agent is not installed.
    #[error("{name} is not installed: none of {} is on your PATH{}", binaries.join(", "), hint(install))]
    NotInstalled {
        /// The agent's id.
        agent: String,
        /// The agent's name.
        name: String,
        /// What was looked for.
        binaries: Vec<String>,
        /// How it is installed.
        install: Option<String>,
    },
    /// A folder that does not exist.
    #[error("the working folder {} of profile \"{alias}\" does not exist: make it, or change working_dir", path.display())]
    NoWorkingFolder {
        /// The profile.
        alias: Alias,
        /// The folder.
        path: PathBuf,
    },
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Agent and provider do not go together.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Too many keys are being looked up.
    #[error("too many runs wait for their keys at the moment: try again shortly")]
    Busy,
    /// One of the agent's files.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The run cannot be recorded.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn hint(install: &Option<String>) -> String {
    match install {
        Some(command) => format!("; install it with `{command}`"),
        None => String::new(),
    }
}

/// Everything at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The last event that it reflects.
    pub seq: Seq,
    /// Profiles, by alias.
    pub profiles: Vec<Profile>,
    /// Agents, by id.
    pub agents: Vec<AgentStatus>,
    /// The registry.
    pub registry: RegistryStatus,
    /// Runs.
    pub runs: Vec<Run>,
    /// Proxy instances, by profile.
    pub proxies: Vec<Proxy>,
    /// What profiles have used, by profile.
    pub usage: Vec<Total>,
}

impl Core {
    /// Opens everything. Nothing is published and nothing watched yet.
    pub fn open(settings: CoreSettings) -> Result<Self, CoreError> {
        files::make_private_folder(&settings.state_dir, STATE_MARKS).map_err(|source| {
            CoreError::Folder {
                path: settings.state_dir.clone(),
                source,
            }
        })?;
        files::sweep(&settings.state_dir);
        // Not in `runs`: the command line writes there, whether a daemon runs or not.
        for folder in ["secrets", "keyring", "keys"] {
            files::sweep(&settings.state_dir.join(folder));
        }
        let database = settings.state_dir.join("clown.db");
        let store = Arc::new(Store::open(&database, &settings.store)?);
        let keys = Arc::new(KeyStore::open(&settings.state_dir, settings.keyring)?);
        let agents_dir = settings.config_dir.join("agents.d");
        let templates_dir = settings.config_dir.join("templates.d");
        let providers_dir = settings.config_dir.join("providers.d");
        let registry = Arc::new(Registry::open(
            Arc::clone(&store),
            &settings.state_dir.join("registry"),
            Arc::clone(&settings.fetch),
            settings.registry,
        )?);
        let from_registry = || Arc::clone(registry.active());
        let catalogue = Arc::new(Catalogue {
            agents: Arc::new(Manifests::over(
                from_registry(),
                agents_dir,
                agents::load_over,
            )),
            providers: Arc::new(Manifests::over(
                from_registry(),
                providers_dir,
                providers::load_over,
            )),
        });
        let templates = Manifests::over(from_registry(), templates_dir, templates::load_over);
        let path = settings
            .environment
            .iter()
            .find(|(name, _)| name == "PATH")
            .map(|(_, value)| value.clone())
            .unwrap_or_default();
        let agents = Arc::new(Agents::new(
            Arc::clone(&store),
            Arc::clone(&catalogue.agents),
            AgentSettings::new(path, settings.environment.clone()),
        ));
        let profiles = Arc::new(Profiles::new(
            Arc::clone(&store),
            Arc::clone(&catalogue) as Arc<dyn crate::profiles::Rules>,
            Arc::clone(&keys),
            settings.config_dir.join("profiles"),
            settings.state_dir.join("homes"),
        ));
        let runs = Arc::new(Runs::new(
            Arc::clone(&store),
            settings.state_dir.join("runs"),
        )?);
        let proxies = Proxies::new(Arc::clone(&store));
        let usage = Usage::new(Arc::clone(&store));
        Ok(Self {
            store,
            keys,
            registry,
            catalogue,
            templates,
            agents,
            profiles,
            runs,
            proxies,
            usage,
            fetch: settings.fetch,
            environment: settings.environment.into_iter().collect(),
            retention: settings.retention,
            watching: Mutex::default(),
            key_look_ups: AtomicUsize::new(0),
            checks: AtomicUsize::new(0),
        })
    }

    /// Publishes what changed while nobody looked, and begins to watch. Agents are looked for in
    /// the background: one of them may hang.
    pub fn start(&self) -> Result<(), CoreError> {
        if let Err(error) = self.profiles.clear_litter() {
            tracing::error!("{error}");
        }
        if let Err(error) = self.profiles.reconcile() {
            tracing::error!("{error}");
        }
        self.runs.recover()?;
        self.registry.recover()?;
        let watching = self.profiles.watch().map_err(CoreError::Thread)?;
        self.lock_watching().push(watching);
        self.agents.start_watching().map_err(CoreError::Thread)?;
        Ok(())
    }

    /// Stops watching. What is under way is finished.
    pub fn stop(&self) {
        self.registry.stop();
        self.lock_watching().clear();
        self.agents.stop_watching();
    }

    /// Syncs the registry. Agents that it brings are looked for afterwards, in the background.
    pub fn sync_registry(&self, request: &SyncRequest) -> Result<Synced, Arc<RegistryError>> {
        let synced = self.registry.sync(request)?;
        self.agents.look_soon();
        Ok(synced)
    }

    /// Uses this commit of the registry until it is unpinned.
    pub fn pin_registry(&self, commit: &str) -> Result<Synced, Arc<RegistryError>> {
        let synced = self.registry.pin(commit)?;
        self.agents.look_soon();
        Ok(synced)
    }

    /// Uses the newest commit of the registry again.
    pub fn unpin_registry(&self) -> Result<Synced, Arc<RegistryError>> {
        let synced = self.registry.unpin()?;
        self.agents.look_soon();
        Ok(synced)
    }

    /// Which manifests of the registry people's own files replace: kind, id and file.
    pub fn replaced_in_registry(&self, status: &RegistryStatus) -> Vec<(Kind, String, PathBuf)> {
        let mut replaced = Vec::new();
        let mut look = |kind: Kind, own: &mut dyn Iterator<Item = (&str, &Path)>| {
            for (id, path) in own.filter(|(id, _)| self.registry.has(status, kind, id)) {
                replaced.push((kind, id.to_owned(), path.to_owned()));
            }
        };
        look(Kind::Agent, &mut self.catalogue.agents.current().own());
        look(
            Kind::Provider,
            &mut self.catalogue.providers.current().own(),
        );
        look(Kind::Template, &mut self.templates.current().own());
        replaced
    }

    /// Everything at one moment, with the number of the last event that it reflects.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.store.read(|connection| {
            Ok(Snapshot {
                seq: journal::head_in(connection)?,
                profiles: self.profiles.list_in(connection)?,
                agents: self.agents.list_in(connection)?,
                registry: self.registry.status_in(connection)?,
                runs: self.runs.list_in(connection)?,
                proxies: proxies::list_in(connection)?,
                usage: usage::list_in(connection)?,
            })
        })
    }

    /// Prepares a run of `alias`: finds the program and the key, writes what the agent's own files
    /// have to say, and records the run.
    pub fn prepare_run(
        &self,
        alias: &Alias,
        request: &RunRequest,
    ) -> Result<PreparedRun, PrepareError> {
        let caller = ProcessIdentity::of(request.cli_pid);
        self.with_key(alias, caller, |profile, key| {
            self.prepare(profile, request, key)
        })
    }

    /// Calls `work` with a profile that can run and its key, while nothing else can change or
    /// delete it.
    pub(crate) fn with_key<T>(
        &self,
        alias: &Alias,
        caller: Option<ProcessIdentity>,
        mut work: impl FnMut(&Published, Option<&str>) -> Result<T, PrepareError>,
    ) -> Result<T, PrepareError> {
        for _ in 0..MAX_TRIES {
            let profile = self.profiles.runnable(alias)?;
            // Outside the profile's lock: a command that prints the key may take its time.
            let key = self.key_of(&profile, caller)?;
            let done = self.profiles.with_runnable(alias, |now| {
                if now.definition != profile.definition {
                    return Ok(None);
                }
                work(now, key.as_ref().map(Secret::expose)).map(Some)
            })?;
            if let Some(done) = done {
                return Ok(done);
            }
        }
        Err(ProfileError::Changing(alias.clone()).into())
    }

    fn key_of(
        &self,
        profile: &Published,
        caller: Option<ProcessIdentity>,
    ) -> Result<Option<Secret>, PrepareError> {
        let (_, provider) = self.catalogue.of(&profile.definition)?;
        let source = match &profile.definition.key {
            Some(source) if !provider.is_own_login() => source,
            _ => return Ok(None),
        };
        if let KeySource::Store(name) = source {
            self.keys.check_provider(name, provider.id.as_str())?;
            // Keys of earlier versions belong to whoever uses them first.
            self.keys.bind(name, provider.id.as_str())?;
        }
        let _slot = Slot::take(&self.key_look_ups, MAX_KEY_LOOK_UPS).ok_or(PrepareError::Busy)?;
        let resolver = KeyResolver {
            store: &self.keys,
            environment: &self.environment,
            caller,
        };
        Ok(Some(resolver.resolve(&profile.alias, source)?))
    }

    fn prepare(
        &self,
        profile: &Published,
        request: &RunRequest,
        key: Option<&str>,
    ) -> Result<PreparedRun, PrepareError> {
        let definition = &profile.definition;
        let alias = &profile.alias;
        let program = self.program(definition, request)?;
        let working_dir = working_dir(alias, definition, request)?;
        let plan = self.launch_plan(alias, definition, request, key)?;
        launch::apply(&plan)?;
        Ok(self.runs.prepare(PrepareInput {
            alias: alias.clone(),
            cli_pid: request.cli_pid,
            program,
            args: plan.args,
            env: plan.env,
            working_dir,
        })?)
    }

    /// The agent's program on the caller's `PATH`.
    pub(crate) fn program(
        &self,
        definition: &Definition,
        request: &RunRequest,
    ) -> Result<PathBuf, PrepareError> {
        let (agent, _) = self.catalogue.of(definition)?;
        agents::program(&agent, &request.path).ok_or_else(|| PrepareError::NotInstalled {
            agent: agent.id.as_str().to_owned(),
            name: agent.name.clone(),
            binaries: agent
                .binaries
                .iter()
                .map(|binary| binary.as_str().to_owned())
                .collect(),
            install: agent.install.clone(),
        })
    }

    /// What the agent's environment and files have to be.
    pub(crate) fn launch_plan(
        &self,
        alias: &Alias,
        definition: &Definition,
        request: &RunRequest,
        key: Option<&str>,
    ) -> Result<LaunchPlan, PrepareError> {
        let (agent, provider) = self.catalogue.of(definition)?;
        let args: Vec<String> = definition
            .args
            .iter()
            .chain(&request.args)
            .cloned()
            .collect();
        let providers: Vec<_> = self.catalogue.providers.current().all().cloned().collect();
        let mcp_servers: BTreeMap<_, _> = definition
            .mcp_servers
            .iter()
            .map(|(name, server)| (name.clone(), server.server()))
            .collect();
        let caller = ProcessIdentity::of(request.cli_pid);
        let caller_names = caller.as_ref().and_then(process::variable_names_of);
        Ok(launch::plan(
            &agent,
            &provider,
            &LaunchInput {
                alias: alias.as_str(),
                home: &self.profiles.home(alias),
                endpoint_id: definition.endpoint_id.as_deref(),
                model: definition.model.as_deref(),
                small_model: definition.small_model.as_deref(),
                key,
                env: &definition.env,
                args: &args,
                hooks_config: definition.hooks_config.as_ref(),
                mcp_servers: &mcp_servers,
                caller_names: caller_names.as_deref(),
                providers: &providers,
            },
        )?)
    }

    /// Makes a profile from the members of a request, over those of a template if it names one.
    pub fn create_profile(
        &self,
        alias: &Alias,
        members: Map<String, Value>,
    ) -> Result<Profile, ProfileError> {
        let members = templates::fill_in(&self.templates.current(), members)?;
        self.profiles.create(alias, members)
    }

    /// Stores a key for a provider under a name, or gives the one of that name another value.
    pub fn set_stored_key(
        &self,
        name: &Alias,
        provider_id: Option<&str>,
        secret: &Secret,
    ) -> Result<StoredKey, ProfileError> {
        if let Some(id) = provider_id {
            self.catalogue.check_takes_key(id)?;
        }
        self.profiles.set_stored_key(name, provider_id, secret)
    }

    /// Trims one step of what the journal no longer keeps; true when there is more.
    pub fn trim_journal(&self) -> Result<bool, StoreError> {
        let now = clown_events::Timestamp::now();
        journal::trim(&self.store, &self.retention, now).map(|trimmed| trimmed.more)
    }

    fn lock_watching(&self) -> std::sync::MutexGuard<'_, Vec<Watching>> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the agent starts.
pub(crate) fn working_dir(
    alias: &Alias,
    definition: &Definition,
    request: &RunRequest,
) -> Result<PathBuf, PrepareError> {
    let path = match &definition.working_dir {
        Some(folder) => request.cwd.join(folder),
        None => request.cwd.clone(),
    };
    if path.is_dir() {
        return Ok(path);
    }
    Err(PrepareError::NoWorkingFolder {
        alias: alias.clone(),
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    fn core_in(root: &Path) -> Core {
        let program = root.join("bin/claude");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(&program, "#!/bin/sh\necho '1.0.0 (Claude Code)'\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = root.join("bin").into_os_string();
        let core = Core::open(CoreSettings {
            config_dir: root.join("config"),
            state_dir: root.join("state"),
            environment: vec![
                ("PATH".into(), path),
                ("WORK_KEY".into(), "of-the-daemon".into()),
            ],
            keyring: false,
            store: StoreSettings::default(),
            retention: Retention::default(),
            fetch: Arc::new(crate::fetch::Offline),
            registry: RegistrySettings::default(),
        });
        core.unwrap()
    }

    fn request(root: &Path) -> RunRequest {
        RunRequest {
            args: vec!["-p".to_owned(), "hi".to_owned()],
            cwd: root.to_owned(),
            path: root.join("bin").into(),
            cli_pid: std::process::id(),
        }
    }

    fn create(core: &Core, alias: &str, members: Value) -> Result<Profile, ProfileError> {
        let members = members.as_object().unwrap().clone();
        core.profiles.create(&alias.parse().unwrap(), members)
    }

    #[test]
    fn a_run_gets_program_arguments_key_and_home() {
        let root = tempfile::tempdir().unwrap();
        let core = core_in(root.path());
        create(
            &core,
            "work",
            json!({"agent_id": "claude", "provider_id": "anthropic", "model": "m",
                   "args": ["--verbose"], "key": {"env": "WORK_KEY"}}),
        )
        .unwrap();
        let alias = "work".parse().unwrap();
        let run = core.prepare_run(&alias, &request(root.path())).unwrap();
        assert_eq!(run.program, root.path().join("bin/claude"));
        assert_eq!(run.args, ["--verbose", "-p", "hi"]);
        assert_eq!(run.working_dir, root.path());
        let set = |name: &str| run.env.get(name).cloned().flatten();
        assert_eq!(set("ANTHROPIC_MODEL").as_deref(), Some("m"));
        assert_eq!(set("ANTHROPIC_API_KEY").as_deref(), Some("of-the-daemon"));
        assert!(
            set("CLAUDE_CONFIG_DIR")
                .unwrap()
                .contains("state/homes/work")
        );
        assert_eq!(run.env.get("OPENAI_API_KEY"), Some(&None));
        assert!(!format!("{run:?}").contains("of-the-daemon"));
        let snapshot = core.snapshot().unwrap();
        assert_eq!((snapshot.profiles.len(), snapshot.runs.len()), (1, 1));
        assert_eq!(snapshot.seq, core.store.head());
    }

    #[test]
    fn a_key_command_that_takes_its_time_holds_nothing_else_up() {
        let root = tempfile::tempdir().unwrap();
        let core = core_in(root.path());
        let gate = root.path().join("gate");
        let wait = format!(
            "while [ ! -e {} ]; do sleep 0.01; done; echo k",
            gate.display()
        );
        create(
            &core,
            "slow",
            json!({"agent_id": "claude", "provider_id": "anthropic", "key": {"command": wait}}),
        )
        .unwrap();
        let alias: Alias = "slow".parse().unwrap();
        std::thread::scope(|scope| {
            let run = scope.spawn(|| core.prepare_run(&alias, &request(root.path())));
            // Answered while the command waits: otherwise this test would never end.
            let patch = json!({"args": ["-x"]}).as_object().unwrap().clone();
            core.profiles.patch(&alias, patch).unwrap();
            std::fs::write(&gate, "").unwrap();
            let run = run.join().unwrap().unwrap();
            assert_eq!(run.args[0], "-x", "prepared from what the profile is now");
        });
    }

    #[test]
    fn what_cannot_run_is_refused_with_a_reason() {
        let root = tempfile::tempdir().unwrap();
        let core = core_in(root.path());
        let refused = |members: Value, part: &str| {
            let error = create(&core, "refused", members).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused(json!({"agent_id": "cluade"}), "claude, codex");
        refused(
            json!({"agent_id": "claude", "provider_id": "open"}),
            "anthropic",
        );
        refused(
            json!({"agent_id": "claude", "provider_id": "openai"}),
            "openai",
        );
        refused(
            json!({"agent_id": "claude", "provider_id": "anthropic", "endpoint_id": "moon"}),
            "moon",
        );
        refused(
            json!({"agent_id": "claude", "proxy_config": {"enabled": true}}),
            "proxy_config.enabled",
        );

        create(&core, "absent", json!({"agent_id": "codex"})).unwrap();
        let absent = core.prepare_run(&"absent".parse().unwrap(), &request(root.path()));
        assert!(
            matches!(absent, Err(PrepareError::NotInstalled { .. })),
            "{absent:?}"
        );
        create(
            &core,
            "keyless",
            json!({"agent_id": "claude", "provider_id": "anthropic"}),
        )
        .unwrap();
        let keyless = core.prepare_run(&"keyless".parse().unwrap(), &request(root.path()));
        assert!(
            matches!(keyless, Err(PrepareError::Launch(_))),
            "{keyless:?}"
        );
        create(
            &core,
            "lost",
            json!({"agent_id": "claude", "working_dir": "/no/such"}),
        )
        .unwrap();
        let lost = core.prepare_run(&"lost".parse().unwrap(), &request(root.path()));
        assert!(
            matches!(lost, Err(PrepareError::NoWorkingFolder { .. })),
            "{lost:?}"
        );
        assert!(core.runs.list().unwrap().is_empty());
    }
}
