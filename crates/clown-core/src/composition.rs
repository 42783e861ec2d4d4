//! All services together.

use crate::agents::{AgentSettings, AgentStatus, Agents};
use crate::fetch::Fetch;
use crate::journal::{self, Retention};
use crate::keys::{Environment, KeyError, KeyStore, Secret};
use crate::manifests::Manifests;
use crate::profiles::{Profile, ProfileError, Profiles, StoredKey, Watching};
use crate::proxies::{Launcher, Proxies, Proxy, ProxyFault, ProxySettings};
use crate::registry::{
    Kind, Registry, RegistryError, RegistrySettings, RegistryStatus, SyncRequest, Synced,
};
use crate::rules::Catalogue;
use crate::runs::{Run, RunError, Runs};
use crate::store::{Store, StoreError, StoreSettings};
use crate::templates::{self, TemplateManifest};
use crate::usage::{Rates, Total, Usage, UsageError, UsageSettings};
use crate::{Alias, Seq, agents, files, providers, usage};
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
    /// How proxy instances come about.
    pub launcher: Arc<dyn Launcher>,
    /// The first port that a proxy tries where its profile names none; 0 is any free one.
    pub first_proxy_port: u16,
    /// Which registry is used.
    pub registry: RegistrySettings,
    /// Agents whose usage without a profile is counted.
    pub usage_sources: Vec<String>,
    /// Whose days are meant where nobody says; the machine's own if none.
    pub usage_timezone: Option<String>,
    /// The person's own prices, by model.
    pub prices: BTreeMap<String, Rates>,
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
    /// Proxy instances.
    pub proxies: Proxies,
    /// What profiles have used.
    pub usage: Arc<Usage>,
    /// Other machines.
    pub fetch: Arc<dyn Fetch>,
    pub(crate) environment: Environment,
    retention: Retention,
    watching: Mutex<Vec<Watching>>,
    /// How many keys are being looked up, each on a thread that waits.
    pub(crate) key_look_ups: AtomicUsize,
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
    /// The count of usage.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// Proxy instances.
    #[error(transparent)]
    Proxy(#[from] ProxyFault),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
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
        let proxies_dir = settings.state_dir.join("proxies");
        let proxies = Proxies::new(
            Arc::clone(&store),
            ProxySettings {
                launcher: settings.launcher,
                folder: proxies_dir.clone(),
                first_port: settings.first_proxy_port,
            },
        )
        .map_err(CoreError::Thread)?;
        let environment: Environment = settings.environment.into_iter().collect();
        let usage = Arc::new(Usage::new(
            Arc::clone(&store),
            Arc::clone(&catalogue.agents),
            UsageSettings {
                homes: settings.state_dir.join("homes"),
                proxies: proxies_dir,
                environment: environment.clone(),
                sources: settings.usage_sources,
                timezone: settings.usage_timezone,
                prices: settings.prices,
            },
        ));
        usage.take_prices(registry.active().layer());
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
            environment,
            retention: settings.retention,
            watching: Mutex::default(),
            key_look_ups: AtomicUsize::new(0),
            checks: AtomicUsize::new(0),
        })
    }

    /// Publishes what changed while nobody looked, and begins to watch. Agents are looked for in
    /// the background: one of them may hang. Gives the profiles whose proxy died while no daemon ran,
    /// for [`Core::follow_profiles`].
    pub fn start(&self) -> Result<Vec<Alias>, CoreError> {
        if let Err(error) = self.profiles.clear_litter() {
            tracing::error!("{error}");
        }
        if let Err(error) = self.profiles.reconcile() {
            tracing::error!("{error}");
        }
        self.runs.recover()?;
        let died = self.proxies.recover()?;
        self.registry.recover()?;
        let watching = self.profiles.watch().map_err(CoreError::Thread)?;
        self.lock_watching().push(watching);
        self.agents.start_watching().map_err(CoreError::Thread)?;
        self.usage.follow()?;
        Ok(died)
    }

    /// Stops watching. What is under way is finished.
    pub fn stop(&self) {
        self.registry.stop();
        self.lock_watching().clear();
        self.profiles.changes().close();
        self.agents.stop_watching();
        self.usage.stop();
    }

    /// Syncs the registry. Its prices count at once; agents that it brings are looked for afterwards,
    /// in the background.
    pub fn sync_registry(&self, request: &SyncRequest) -> Result<Synced, Arc<RegistryError>> {
        let synced = self.registry.sync(request)?;
        self.follow_registry();
        Ok(synced)
    }

    /// Uses this commit of the registry until it is unpinned.
    pub fn pin_registry(&self, commit: &str) -> Result<Synced, Arc<RegistryError>> {
        let synced = self.registry.pin(commit)?;
        self.follow_registry();
        Ok(synced)
    }

    /// Uses the newest commit of the registry again.
    pub fn unpin_registry(&self) -> Result<Synced, Arc<RegistryError>> {
        let synced = self.registry.unpin()?;
        self.follow_registry();
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

    /// Does what another set of artifacts asks for.
    fn follow_registry(&self) {
        self.usage.take_prices(self.registry.active().layer());
        self.agents.look_soon();
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
                proxies: self.proxies_in(connection)?,
                usage: usage::list_in(connection)?,
            })
        })
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
