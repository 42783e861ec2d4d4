//! A run from its profile: the program, the key, and what the agent's environment and files say.

use crate::composition::{Core, Slot};
use crate::keys::{KeyError, KeyResolver, KeySource, Secret};
use crate::launch::{self, LaunchError, LaunchInput, LaunchPlan, MergeError};
use crate::process::{self, ProcessIdentity};
use crate::profiles::{Definition, ProfileError, Published};
use crate::proxies::ProxyFault;
use crate::runs::{PrepareInput, PreparedRun, RunError};
use crate::{Alias, agents};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// How often a run is prepared anew when its profile changes meanwhile.
const MAX_TRIES: usize = 3;

const MAX_KEY_LOOK_UPS: usize = 24;

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
    /// The profile's proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyFault),
}

/// By what an agent reaches its provider.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    /// What it shows.
    pub(crate) key: Option<Secret>,
    /// The address of the profile's proxy, if it has one; then the key is that one's.
    pub(crate) through: Option<String>,
}

impl Way {
    /// With nothing between.
    pub(crate) fn direct(key: Option<Secret>) -> Self {
        Self { key, through: None }
    }
}

fn hint(install: &Option<String>) -> String {
    match install {
        Some(command) => format!("; install it with `{command}`"),
        None => String::new(),
    }
}

impl Core {
    /// Prepares a run of `alias`: finds the program and the key, writes what the agent's own files
    /// have to say, and records the run.
    pub fn prepare_run(
        &self,
        alias: &Alias,
        request: &RunRequest,
    ) -> Result<PreparedRun, PrepareError> {
        let caller = ProcessIdentity::of(request.cli_pid);
        self.with_way(alias, caller, |profile, way| {
            self.prepare(profile, request, way)
        })
    }

    /// Calls `work` with a profile that can run and its way to its provider, while nothing else can
    /// change or delete it. Its proxy, if it has one, runs then.
    pub(crate) fn with_way<T>(
        &self,
        alias: &Alias,
        caller: Option<ProcessIdentity>,
        mut work: impl FnMut(&Published, &Way) -> Result<T, PrepareError>,
    ) -> Result<T, PrepareError> {
        for _ in 0..MAX_TRIES {
            let profile = self.profiles.runnable(alias)?;
            // Outside the profile's lock: a command that prints the key may take its time, and so
            // may a proxy that starts.
            let key = self.key_of(&profile, caller)?;
            let way = self.way_of(&profile, key, caller)?;
            let done = self.profiles.with_runnable(alias, |now| {
                if now.definition != profile.definition {
                    return Ok(None);
                }
                work(now, &way).map(Some)
            })?;
            if let Some(done) = done {
                return Ok(done);
            }
        }
        Err(ProfileError::Changing(alias.clone()).into())
    }

    pub(crate) fn key_of(
        &self,
        profile: &Published,
        caller: Option<ProcessIdentity>,
    ) -> Result<Option<Secret>, PrepareError> {
        let (_, provider) = self.catalogue.of(&profile.definition)?;
        match &profile.definition.key {
            Some(source) if !provider.is_own_login() => self
                .key_from(&profile.alias, source, provider.id.as_str(), caller)
                .map(Some),
            _ => Ok(None),
        }
    }

    /// The key of a provider, from where a profile says that it is.
    pub(crate) fn key_from(
        &self,
        alias: &Alias,
        source: &KeySource,
        provider: &str,
        caller: Option<ProcessIdentity>,
    ) -> Result<Secret, PrepareError> {
        if let KeySource::Store(name) = source {
            self.keys.check_provider(name, provider)?;
            // Keys of earlier versions belong to whoever uses them first.
            self.keys.bind(name, provider)?;
        }
        let _slot = Slot::take(&self.key_look_ups, MAX_KEY_LOOK_UPS).ok_or(PrepareError::Busy)?;
        let resolver = KeyResolver {
            store: &self.keys,
            environment: &self.environment,
            caller,
        };
        Ok(resolver.resolve(alias, source)?)
    }

    fn prepare(
        &self,
        profile: &Published,
        request: &RunRequest,
        way: &Way,
    ) -> Result<PreparedRun, PrepareError> {
        let definition = &profile.definition;
        let alias = &profile.alias;
        let program = self.program(definition, request)?;
        let working_dir = working_dir(alias, definition, request)?;
        let plan = self.launch_plan(alias, definition, request, way)?;
        launch::apply(&plan)?;
        let (agent, _) = self.catalogue.of(definition)?;
        self.usage.expect(alias, &agent);
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
        way: &Way,
    ) -> Result<LaunchPlan, PrepareError> {
        let (agent, provider) = self.catalogue.of(definition)?;
        let args: Vec<String> = definition
            .args
            .iter()
            .chain(&request.args)
            .cloned()
            .collect();
        let catalog = self.catalogue.providers.current();
        let providers: Vec<_> = catalog.all().cloned().collect();
        // A registry says which variables are its providers' own: what a person's other tools need
        // is not taken from them by that.
        let key_variables: Vec<String> = providers
            .iter()
            .filter(|it| it.id == provider.id || !catalog.is_foreign(it.id.as_str()))
            .flat_map(|it| it.key_variables())
            .map(ToOwned::to_owned)
            .collect();
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
                key: way.key.as_ref().map(Secret::expose),
                through: way.through.as_deref(),
                env: &definition.env,
                args: &args,
                hooks_config: definition.hooks_config.as_ref(),
                mcp_servers: &mcp_servers,
                caller_names: caller_names.as_deref(),
                providers: &providers,
                key_variables: &key_variables,
            },
        )?)
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
    use crate::composition::CoreSettings;
    use crate::journal::Retention;
    use crate::profiles::Profile;
    use crate::registry::RegistrySettings;
    use crate::store::StoreSettings;
    use serde_json::{Value, json};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::Arc;

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
            launcher: Arc::new(crate::proxies::NoLauncher),
            first_proxy_port: 0,
            registry: RegistrySettings::default(),
            usage_sources: Vec::new(),
            usage_timezone: None,
            prices: Default::default(),
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
