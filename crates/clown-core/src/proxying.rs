//! Profiles and their proxies: what an instance works by follows from its profile.

use crate::Alias;
use crate::composition::Core;
use crate::keys::{KeySource, Secret};
use crate::launch;
use crate::preparation::{PrepareError, Way};
use crate::process::ProcessIdentity;
use crate::profiles::{Definition, ProfileError, Published};
use crate::proxies::{self, Plan, PortWish, Proxy, ProxyDefinition, ProxyFault, Upstream};
use crate::store::StoreError;
use clown_routes::{Explained, Facts, FactsError, Moment, Target};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

impl Core {
    /// Starts the proxy of `alias`; one that runs works by what the profile says now. Keys in
    /// variables are looked for in the environment of the process `cli_pid` first.
    pub fn start_proxy(&self, alias: &Alias, cli_pid: Option<u32>) -> Result<Proxy, PrepareError> {
        let (plan, wish) = self.proxy_plan(alias, cli_pid)?;
        self.proxies.start(alias, plan, wish)?;
        self.usage.follow_soon();
        Ok(self.proxies.get(alias).map_err(ProxyFault::from)?)
    }

    /// Stops the proxy of `alias`, once what is open has ended, and starts it again.
    pub fn restart_proxy(
        &self,
        alias: &Alias,
        cli_pid: Option<u32>,
    ) -> Result<Proxy, PrepareError> {
        let (plan, wish) = self.proxy_plan(alias, cli_pid)?;
        self.proxies.restart(alias, plan, wish)?;
        Ok(self.proxies.get(alias).map_err(ProxyFault::from)?)
    }

    /// Stops the proxy of `alias`, once what is open has ended.
    pub fn stop_proxy(&self, alias: &Alias) -> Result<Proxy, PrepareError> {
        self.profiles.get(alias)?;
        self.proxies.stop(alias)?;
        Ok(self.proxies.get(alias).map_err(ProxyFault::from)?)
    }

    /// What is known of the proxy of `alias`.
    pub fn proxy(&self, alias: &Alias) -> Result<Proxy, PrepareError> {
        self.profiles.get(alias)?;
        Ok(self.proxies.get(alias).map_err(ProxyFault::from)?)
    }

    /// The proxies of all profiles that have one, and whatever else runs, by profile.
    pub fn proxies(&self) -> Result<Vec<Proxy>, StoreError> {
        self.store.read(|connection| self.proxies_in(connection))
    }

    pub(crate) fn proxies_in(&self, connection: &Connection) -> Result<Vec<Proxy>, StoreError> {
        let known = proxies::list_in(connection)?.into_iter();
        let mut known: BTreeMap<Alias, Proxy> =
            known.map(|proxy| (proxy.profile.clone(), proxy)).collect();
        let mut all = BTreeMap::new();
        for profile in self.profiles.list_in(connection)? {
            let Published {
                alias, definition, ..
            } = profile.published;
            let proxy = known.remove(&alias);
            match proxy {
                None if !ProxyDefinition::of(&definition).enabled => {}
                proxy => {
                    let proxy = proxy.unwrap_or_else(|| Proxy::unknown(alias.clone()));
                    all.insert(alias, proxy);
                }
            }
        }
        let of_nobody = known
            .into_iter()
            .filter(|(_, proxy)| proxy.instance.is_some());
        all.extend(of_nobody);
        Ok(all.into_values().collect())
    }

    /// The way of a run to its provider. Starts the profile's proxy, if it has one.
    pub(crate) fn way_of(
        &self,
        profile: &Published,
        key: Option<Secret>,
        caller: Option<ProcessIdentity>,
    ) -> Result<Way, PrepareError> {
        let proxy = ProxyDefinition::of(&profile.definition);
        self.usage
            .is_proxied(&profile.alias, proxy.enabled)
            .map_err(ProxyFault::from)?;
        if !proxy.enabled {
            return Ok(Way::direct(key));
        }
        let plan = self.plan_of(profile, key, caller)?;
        let local_key = plan.local_key.clone();
        let instance = self.proxies.start(&profile.alias, plan, proxy.port)?;
        self.usage.follow_soon();
        Ok(Way {
            key: Some(local_key),
            through: Some(format!("http://127.0.0.1:{}", instance.port)),
        })
    }

    /// The address of a profile's proxy, as far as it is known while it may not run.
    pub(crate) fn way_shown(&self, alias: &Alias, definition: &Definition) -> Option<String> {
        let proxy = ProxyDefinition::of(definition);
        let known = self
            .proxies
            .get(alias)
            .ok()
            .and_then(|proxy| proxy.instance);
        let port = match (known, proxy.port) {
            (Some(instance), _) => instance.port.to_string(),
            (None, PortWish::Fixed(port)) => port.to_string(),
            (None, _) => "PORT".to_owned(),
        };
        proxy.enabled.then(|| format!("http://127.0.0.1:{port}"))
    }

    fn proxy_plan(
        &self,
        alias: &Alias,
        cli_pid: Option<u32>,
    ) -> Result<(Plan, PortWish), PrepareError> {
        let profile = self.profiles.runnable(alias)?;
        let proxy = ProxyDefinition::of(&profile.definition);
        if !proxy.enabled {
            return Err(ProxyFault::NotEnabled(alias.clone()).into());
        }
        let caller = cli_pid.and_then(ProcessIdentity::of);
        let key = self.key_of(&profile, caller)?;
        Ok((self.plan_of(&profile, key, caller)?, proxy.port))
    }

    fn plan_of(
        &self,
        profile: &Published,
        key: Option<Secret>,
        caller: Option<ProcessIdentity>,
    ) -> Result<Plan, PrepareError> {
        let definition = &profile.definition;
        let alias = &profile.alias;
        let proxy = ProxyDefinition::of(definition);
        let (agent, provider) = self.catalogue.of(definition)?;
        let providers: Vec<_> = self.catalogue.providers.current().all().cloned().collect();
        let wanted = provider.key.as_ref();
        if let Some(wanted) = wanted.filter(|wanted| wanted.required)
            && key.is_none()
        {
            return Err(launch::LaunchError::KeyMissing {
                provider: provider.id.as_str().to_owned(),
                variable: wanted.variable.clone(),
            }
            .into());
        }
        let in_use = self.proxies.plan_in_use(alias);
        // One in the shell of whoever ran the profile cannot be found again: it stays as it was.
        let keys_of = |id: &str| -> Result<Vec<Secret>, PrepareError> {
            let sources = proxy.keys.get(id).into_iter().flatten();
            let keys = sources.map(|source| self.key_from(alias, source, id, caller));
            match keys.collect() {
                Err(error) => match in_use.as_ref().and_then(|plan| plan.others.get(id)) {
                    Some(known) if caller.is_none() => Ok(known.keys.clone()),
                    _ => Err(error),
                },
                keys => keys,
            }
        };
        let own = provider.id.as_str();
        let mut others = BTreeMap::new();
        for id in proxy.rules.providers() {
            if id == own {
                continue;
            }
            let other = self.catalogue.providers.current().get(id).cloned();
            let Some(other) = other else { continue };
            let upstream = Upstream {
                keys: keys_of(id)?,
                auth: other.key.as_ref().map(|key| key.auth).unwrap_or_default(),
                bases: launch::addresses_of(&other, &definition.env)?,
            };
            others.insert(id.to_owned(), upstream);
        }
        Ok(Plan {
            profile: alias.to_string(),
            agent: agent.id.as_str().to_owned(),
            provider: own.to_owned(),
            local_key: self.proxies.local_key(alias)?,
            upstream: Upstream {
                keys: key.into_iter().chain(keys_of(own)?).collect(),
                auth: wanted.map(|wanted| wanted.auth).unwrap_or_default(),
                bases: launch::addresses(
                    &agent,
                    &provider,
                    definition.endpoint_id.as_deref(),
                    &definition.env,
                    &providers,
                )?,
            },
            others,
            over_budget: proxy.rules.ask_for_budget() && self.is_over_budget(alias),
            rules: proxy.rules,
            small_model: definition.small_model.clone(),
        })
    }

    /// Whether one of the budgets of `alias` is used up.
    fn is_over_budget(&self, alias: &Alias) -> bool {
        let Ok(zone) = self.usage.zone(None) else {
            return false;
        };
        let budgets = self.usage.budgets(&zone).unwrap_or_else(|error| {
            tracing::warn!(profile = %alias, "its budgets are not known: {error}");
            Vec::new()
        });
        budgets
            .iter()
            .any(|budget| budget.profile == *alias && budget.used.cost.total_cost >= budget.limit)
    }

    /// What the rules of `alias` make of a request, and why.
    pub fn explain_route(
        &self,
        alias: &Alias,
        body: &[u8],
        headers: &[(String, String)],
    ) -> Result<Explained, ExplainError> {
        let definition = self.profiles.get(alias)?.published.definition;
        let proxy = ProxyDefinition::of(&definition);
        let providers = self.catalogue.providers.current();
        let rules = proxy
            .rules
            .check(|id| providers.get(id).is_some())
            .map_err(|error| {
                ProfileError::invalid(format!("proxy_config.{}", error.place), error.message)
            })?;
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let mut facts = Facts::of(body, headers, definition.small_model.as_deref())?;
        facts.over_budget = proxy.rules.ask_for_budget() && self.is_over_budget(alias);
        let now = time::OffsetDateTime::now_utc();
        let zone = self.usage.zone(None);
        let offset = zone.map_or(0, |zone| zone.offset_at(now.unix_timestamp()));
        let offset = time::UtcOffset::from_whole_seconds(i32::try_from(offset).unwrap_or_default());
        let now = now.to_offset(offset.unwrap_or(time::UtcOffset::UTC));
        let mut explained = rules.explain(&facts, Moment::of(now));
        if explained.targets.is_empty() {
            explained.targets.push(Target::Model {
                provider: definition.provider_id,
                model: Some(facts.model).filter(|model| !model.is_empty()),
            });
        }
        Ok(explained)
    }

    /// Has instances whose rules ask for the budget know when it is used up, and when no longer.
    fn follow_budgets(&self) {
        for proxy in self.proxies().unwrap_or_default() {
            let alias = &proxy.profile;
            let Some(plan) = proxy.instance.and_then(|_| self.proxies.plan_in_use(alias)) else {
                continue;
            };
            if plan.rules.ask_for_budget() && plan.over_budget != self.is_over_budget(alias) {
                self.refresh_proxy(alias);
            }
        }
    }

    /// Has instances follow their profiles from now on, until [`Core::stop`]; those that died while
    /// no daemon ran are started again if their profiles' agents still run.
    pub fn follow_profiles(self: &Arc<Self>, died: Vec<Alias>) -> std::io::Result<JoinHandle<()>> {
        let changed = self.profiles.changes();
        let weak = Arc::downgrade(self);
        std::thread::Builder::new()
            .name("proxies".to_owned())
            .spawn(move || {
                for alias in died {
                    with(&weak, |core| core.revive(&alias));
                }
                // Profiles may have changed while no daemon ran.
                with(&weak, |core| {
                    for proxy in core.proxies().unwrap_or_default() {
                        core.refresh_proxy(&proxy.profile);
                    }
                });
                loop {
                    match changed.next_within(LOOK_AT_BUDGETS) {
                        Ok(Some(aliases)) => {
                            for alias in aliases {
                                with(&weak, |core| core.refresh_proxy(&alias));
                            }
                        }
                        Ok(None) => return,
                        Err(_) => with(&weak, Core::follow_budgets),
                    }
                }
            })
    }

    fn revive(&self, alias: &Alias) {
        if self.runs.running_count(alias).is_ok_and(|count| count > 0)
            && let Err(error) = self.start_proxy(alias, None)
        {
            tracing::warn!(profile = %alias, "its proxy is not started again: {error}");
        }
    }

    /// Has the instance of `alias`, if it runs, work by what its profile says now.
    fn refresh_proxy(&self, alias: &Alias) {
        let running = self
            .proxies
            .get(alias)
            .ok()
            .and_then(|proxy| proxy.instance);
        if running.is_none() {
            return;
        }
        let profile = match self.profiles.get(alias) {
            // A file that does not parse leaves all as it was.
            Ok(profile) if profile.fault.is_some() => return,
            Ok(profile) => Some(profile.published),
            Err(_) => None,
        };
        let wanted = profile.filter(|profile| ProxyDefinition::of(&profile.definition).enabled);
        let Some(profile) = wanted else {
            // An agent in the middle of its work keeps its way.
            if self.runs.running_count(alias).is_ok_and(|count| count == 0)
                && let Err(error) = self.proxies.stop(alias)
            {
                tracing::warn!(profile = %alias, "{error}");
            }
            return;
        };
        let provider = &profile.definition.provider_id;
        let in_use = || {
            let plan = self.proxies.plan_in_use(alias)?;
            let own = plan.provider == *provider;
            plan.upstream.keys.into_iter().next().filter(|_| own)
        };
        let key = match &profile.definition.key {
            // It is in the environment of whoever ran the profile, which is not known here.
            Some(KeySource::Env(_)) => {
                in_use().map_or_else(|| self.key_of(&profile, None), |key| Ok(Some(key)))
            }
            _ => self.key_of(&profile, None),
        };
        let key = key.unwrap_or_else(|error| {
            tracing::warn!(profile = %alias, "its proxy goes on with its old key: {error}");
            in_use()
        });
        let applied = self
            .plan_of(&profile, key, None)
            .and_then(|plan| Ok(self.proxies.apply(alias, plan)?));
        if let Err(error) = applied {
            tracing::warn!(profile = %alias, "its proxy goes on as it was: {error}");
        }
    }
}

/// How often it is looked whether a budget is used up.
const LOOK_AT_BUDGETS: Duration = Duration::from_secs(5);

/// It cannot be told who takes a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The profile, or its rules.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The request.
    #[error(transparent)]
    Request(#[from] FactsError),
}

fn with(core: &Weak<Core>, work: impl FnOnce(&Core)) {
    if let Some(core) = core.upgrade() {
        work(&core);
    }
}
