//! What agents have used: each answer of a model once, wherever it is written down, and the sums of
//! that. What belongs to a profile is told; the sum of all events is the total at any time.

mod batch;
mod budget;
mod cube;
mod files;
mod follow;
mod import;
mod inflated;
mod json;
mod ledger;
mod lines;
mod now;
mod places;
mod prices;
mod proxied;
mod record;
mod report;
mod rows;
mod scan;
mod sources;
mod span;
mod spools;
mod zone;

pub use budget::{Budget, Period};
pub use import::{ImportRequest, Imported, Importing};
pub use now::{Block, Now, NowQuestion};
pub(crate) use prices::check as check_prices;
pub use prices::{Charge, ModelPrice, PriceOrigin, Rates, Schedule, Step, dollars};
pub use record::Counts;
pub use report::{GroupBy, Question, Report, Row, SessionOf, Used};
pub use rows::list_in;
pub use span::{Span, SpanError, span};
pub use zone::{UnknownZone, Zone};

use crate::Alias;
use crate::agents::AgentManifest;
use crate::keys::Environment;
use crate::manifests::Manifests;
use crate::registry::Layer;
use crate::store::{Store, StoreError, Tx};
use batch::{Batch, Scope};
use clown_events::{Cost, Tokens, UsageUpdated};
use cube::Cube;
use files::Progress;
use follow::Follower;
use places::Place;
use prices::Prices;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Where usage is looked for.
#[derive(Debug, Clone)]
pub struct UsageSettings {
    /// The folder of the profiles' homes.
    pub homes: PathBuf,
    /// The folder of the profiles' proxy instances.
    pub proxies: PathBuf,
    /// The variables by which agents without a profile find their folders.
    pub environment: Environment,
    /// Agents whose own folders are counted, beside those that were imported.
    pub sources: Vec<String>,
    /// Whose days are meant where nobody says; the machine's own if none.
    pub timezone: Option<String>,
    /// The person's own prices, by model.
    pub prices: BTreeMap<String, Rates>,
}

/// The count of usage.
#[derive(Debug)]
pub struct Usage {
    store: Arc<Store>,
    agents: Arc<Manifests<AgentManifest>>,
    settings: UsageSettings,
    prices: RwLock<Arc<Prices>>,
    /// One reads files at a time.
    reading: Mutex<()>,
    told: Mutex<Option<Instant>>,
    /// The sums, from the first question on. Held while they are changed in the database.
    cube: Mutex<Option<Cube>>,
    follower: Mutex<Option<Follower>>,
    imports: Mutex<Vec<Arc<import::State>>>,
}

/// All that was added for a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The profile.
    pub profile: Alias,
    /// The tokens.
    pub tokens: Tokens,
    /// What they cost, as priced when they were added.
    pub cost: Cost,
}

/// Usage cannot be counted, or not be told of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// There is no such agent.
    #[error("there is no agent \"{agent}\" whose usage could be counted; there are {known}")]
    NoSource {
        /// What was asked for.
        agent: String,
        /// What there is.
        known: String,
    },
    /// There is nothing to count.
    #[error("nothing to import: {agent} has written nothing in {}", folders(paths))]
    NoFolder {
        /// The agent.
        agent: String,
        /// Where it would.
        paths: Vec<PathBuf>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

fn folders(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(" or ")
}

/// Beyond so many changed sums, all of them are read anew when they are asked for.
const MOST_CHANGES: usize = 1_024;

/// Clients are told a few times a second at most.
const TELL_EVERY: Duration = Duration::from_millis(300);

impl Usage {
    /// The count in `store`.
    pub fn new(
        store: Arc<Store>,
        agents: Arc<Manifests<AgentManifest>>,
        settings: UsageSettings,
    ) -> Self {
        let prices = Prices::new(settings.prices.clone(), Arc::default());
        Self {
            store,
            agents,
            settings,
            prices: RwLock::new(Arc::new(prices)),
            reading: Mutex::default(),
            told: Mutex::default(),
            cube: Mutex::default(),
            follower: Mutex::default(),
            imports: Mutex::default(),
        }
    }

    /// Takes the registry's prices from `layer`, for all that is asked from now on.
    pub fn take_prices(&self, layer: Arc<Layer>) {
        let mut prices = self.prices.write().unwrap_or_else(PoisonError::into_inner);
        if !prices.are_over(&layer) {
            *prices = Arc::new(prices.over(layer));
        }
    }

    /// What a model costs, whatever its name is in a log, and who says so.
    pub fn price_of(&self, model: &str) -> Option<ModelPrice> {
        self.prices().find(model).map(|price| (*price).clone())
    }

    fn prices(&self) -> Arc<Prices> {
        Arc::clone(&self.prices.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads everything that is new in the homes of profiles and in the folders that are counted
    /// beside them, and tells of it.
    pub fn look(&self) -> Result<(), UsageError> {
        self.scan(|scan| {
            for place in self.places()? {
                for path in place.files() {
                    scan.file(&place, &path)?;
                }
            }
            Ok(())
        })?;
        self.tell()?;
        self.clear_spools()
    }

    fn scan(
        &self,
        work: impl FnOnce(&mut scan::Scan<'_>) -> Result<(), UsageError>,
    ) -> Result<scan::Scanned, UsageError> {
        let _reading = lock(&self.reading);
        let proxied = self.store.read(proxied::Proxied::load)?;
        let mut scan = scan::Scan::new(self, proxied);
        work(&mut scan)?;
        scan.flush()?;
        Ok(scan.scanned)
    }

    /// The folders whose files are counted as they grow.
    fn places(&self) -> Result<Vec<Place>, UsageError> {
        let agents = self.agents.current();
        let mut places = Vec::new();
        for alias in names_in(&self.settings.proxies) {
            let folder = self.settings.proxies.join(alias.as_str());
            places.push(Place::of_spool(alias, folder));
        }
        for alias in names_in(&self.settings.homes) {
            let home = self.settings.homes.join(alias.as_str());
            for agent in agents.all() {
                let Some(logs) = &agent.usage else { continue };
                let scope = Scope {
                    agent: agent.id.as_str().to_owned(),
                    profile: Some(alias.clone()),
                };
                places.push(Place::new(scope, logs, logs.folder.below(&home)));
            }
        }
        let mut asked = self.store.read(import::places_in)?;
        for source in &self.settings.sources {
            if agents.get(source).is_none() {
                tracing::warn!("usage.sources has {source:?}: there is no such agent");
            }
            let folders = agents
                .get(source)
                .map(|agent| places::own_folders(agent, &self.settings.environment));
            let folders = folders.unwrap_or_default().into_iter();
            asked.extend(folders.map(|folder| (source.clone(), folder)));
        }
        for (agent, path) in asked {
            let Some(manifest) = agents.get(&agent) else {
                continue;
            };
            let Some(logs) = &manifest.usage else {
                continue;
            };
            let scope = Scope {
                agent,
                profile: None,
            };
            places.push(Place::new(scope, logs, path));
        }
        Ok(places)
    }

    /// Counts a batch; gives the number of answers that were not known.
    fn count(&self, mut batch: Batch, progress: Vec<Progress>) -> Result<u64, UsageError> {
        let prices = self.prices();
        let mut cube = lock(&self.cube);
        let mut told = lock(&self.told);
        let tells = told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        let applied = self.store.commit(move |tx| {
            let applied = ledger::apply(tx, &mut batch, &progress, &prices)?;
            if tells {
                tell_in(tx)?;
            }
            Ok::<_, StoreError>(applied)
        })?;
        if tells {
            *told = Some(Instant::now());
        }
        let all = std::mem::take(&mut *cube);
        if applied.cells.len() <= MOST_CHANGES
            && let Some(mut all) = all
        {
            self.store
                .read(|connection| all.add(&applied.cells, connection))?;
            *cube = Some(all);
        }
        Ok(applied.new)
    }

    /// The time zone of this name; without one, that of the settings.
    pub fn zone(&self, name: Option<&str>) -> Result<Zone, UnknownZone> {
        let name = name.or(self.settings.timezone.as_deref());
        Zone::named(name.unwrap_or("local"))
    }

    /// Answers a question.
    pub fn report(&self, question: &Question) -> Result<Report, UsageError> {
        self.with_cube(|cube, prices| report::answer(cube, prices, question))
    }

    fn with_cube<T>(&self, ask: impl FnOnce(&Cube, &Prices) -> T) -> Result<T, UsageError> {
        let prices = self.prices();
        let mut held = lock(&self.cube);
        let cube = match held.take() {
            Some(cube) => cube,
            None => self.store.read(Cube::load)?,
        };
        let answer = ask(&cube, &prices);
        *held = Some(cube);
        Ok(answer)
    }

    /// Tells of what is counted and not told yet.
    fn tell(&self) -> Result<(), UsageError> {
        let mut told = lock(&self.told);
        self.store.commit(tell_in)?;
        *told = Some(Instant::now());
        Ok(())
    }
}

/// The profiles that have something in a folder.
fn names_in(folder: &Path) -> Vec<Alias> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<Alias> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    names.sort();
    names
}

fn tell_in(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for (profile, tokens, cost) in ledger::take_untold(tx)? {
        if tokens == Tokens::default() && cost == Cost::default() {
            continue;
        }
        rows::add(tx, &profile, tokens, cost)?;
        tx.publish(UsageUpdated::new(profile.as_str(), tokens, cost));
    }
    Ok(())
}

/// What is behind these locks is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
