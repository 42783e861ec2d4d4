//! Proxy instances: processes of their own, each of which stands between a profile's agent and its
//! provider.
//!
//! What has become of them is recorded, and the events follow from the difference. An instance goes
//! on when the daemon is killed; the next daemon finds it by its folder and takes it over.

mod definition;
mod error;
mod folder;
mod launcher;
mod ports;
mod restarts;
mod rows;
mod supervisor;
mod transition;

pub use definition::ProxyDefinition;
pub use error::ProxyFault;
pub use launcher::{
    Ending, Found, Health, Launcher, NoLauncher, Plan, TargetHealth, Upstream, Worked,
};
pub use ports::PortWish;
pub use rows::list_in;
pub use transition::Observed;

use crate::Alias;
use crate::files;
use crate::keys::Secret;
use crate::process::{ProcessHandle, ProcessIdentity, ProcessWatcher, WatchToken, is_ours};
use crate::store::{Store, StoreError};
use clown_events::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use supervisor::{Adopted, Message, Start};

/// The service.
#[derive(Debug)]
pub struct Proxies {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<Store>,
    launcher: Arc<dyn Launcher>,
    folder: PathBuf,
    first_port: u16,
    supervisors: Mutex<Supervisors>,
    watched: Mutex<HashMap<WatchToken, SyncSender<Message>>>,
    watcher: OnceLock<ProcessWatcher>,
}

#[derive(Default)]
struct Supervisors {
    by_alias: BTreeMap<Alias, SyncSender<Message>>,
    /// None is started any more.
    closed: bool,
}

/// How instances come about, and where.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Starts and steers them.
    pub launcher: Arc<dyn Launcher>,
    /// The folder of their folders.
    pub folder: PathBuf,
    /// The first port that is tried where a profile names none; 0 is any free one.
    pub first_port: u16,
}

/// The last that is known of a profile's proxy instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The profile.
    pub profile: Alias,
    /// Its process, while it runs.
    pub instance: Option<Instance>,
    /// The code of the last one that ended.
    pub exit_code: Option<i32>,
    /// What last went wrong, while none has started since.
    pub error: Option<String>,
    /// When the last one began to accept connections.
    pub started_at: Option<Timestamp>,
    /// When the last one ended.
    pub stopped_at: Option<Timestamp>,
}

/// A process that accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// The process.
    pub pid: u32,
    /// The port.
    pub port: u16,
}

impl Proxies {
    /// The instances of `settings.folder`, recorded in `store`. Call [`Proxies::recover`] before
    /// anything is asked of it.
    pub fn new(store: Arc<Store>, settings: ProxySettings) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            store,
            launcher: settings.launcher,
            folder: settings.folder,
            first_port: settings.first_port,
            supervisors: Mutex::default(),
            watched: Mutex::default(),
            watcher: OnceLock::new(),
        });
        // Weak, or the thread would keep what owns it.
        let weak = Arc::downgrade(&inner);
        let watcher = ProcessWatcher::start(move |token| {
            let watching = weak.upgrade();
            let told = watching.and_then(|inner| lock(&inner.watched).remove(&token));
            if let Some(told) = told {
                // Its supervisor has ended only where the daemon does.
                let _ = told.send(Message::Ended(token));
            }
        })?;
        let _ = inner.watcher.set(watcher);
        Ok(Self { inner })
    }

    /// Records what was seen of the instance of `profile`, and publishes what is new about it.
    pub fn record(&self, profile: &Alias, observed: Observed) -> Result<(), StoreError> {
        self.inner.record(profile, observed)
    }

    /// Takes over what an earlier daemon has left: instances that live go on, those that do not are
    /// told to have ended. Gives the profiles whose instance died and was not meant to.
    pub fn recover(&self) -> Result<Vec<Alias>, ProxyFault> {
        let mut known = BTreeMap::new();
        for proxy in self.inner.store.read(list_in)? {
            known.insert(proxy.profile.clone(), proxy);
        }
        let mut aliases: BTreeSet<Alias> = known.keys().cloned().collect();
        aliases.extend(self.inner.folders());
        let mut died = Vec::new();
        for alias in aliases {
            let before = known.get(&alias).and_then(|proxy| proxy.instance);
            if self.adopt(&alias)? {
                continue;
            }
            let Some(before) = before else { continue };
            let ending = self.inner.launcher.ending(&self.inner.folder_of(&alias));
            let ending = ending.filter(|ending| ending.pid == before.pid);
            let code = ending.map_or(-1, |ending| ending.code);
            self.record(&alias, Observed::Gone(code))?;
            if !ending.is_some_and(|ending| ending.asked) {
                self.record(&alias, Observed::Failed(error::died(code)))?;
                died.push(alias);
            }
        }
        Ok(died)
    }

    /// False if no instance of `alias` lives.
    fn adopt(&self, alias: &Alias) -> Result<bool, ProxyFault> {
        let folder = self.inner.folder_of(alias);
        let found = match self.inner.launcher.find(&folder) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(false),
            Err(error) => {
                tracing::warn!(profile = %alias, "the proxy cannot be taken over: {}", supervisor::in_full(&error));
                return Ok(false);
            }
        };
        let identity = ProcessIdentity::of(found.pid).filter(|_| is_ours(found.pid));
        let handle = identity.map(ProcessHandle::open);
        let (Some(Ok(Some(handle))), Some((port, plan))) = (handle, found.works) else {
            // Its daemon was killed before it had told it what to do.
            let _ = self.inner.launcher.stop(&folder, found.pid);
            return Ok(false);
        };
        let adopted = Box::new(Adopted {
            instance: Instance {
                pid: found.pid,
                port,
            },
            handle: Arc::new(handle),
            plan,
        });
        self.ask(alias, |answer| Message::Adopt(adopted, answer))?;
        Ok(true)
    }

    /// Has the instance of `alias` run and work by `plan`: starts it, or tells the one that runs.
    /// Blocks until it answers.
    pub fn start(&self, alias: &Alias, plan: Plan, wish: PortWish) -> Result<Instance, ProxyFault> {
        let start = Start { plan, wish };
        self.ask(alias, |answer| Message::Start(start, answer))?
    }

    /// Stops it, and starts it again. Blocks until it answers.
    pub fn restart(
        &self,
        alias: &Alias,
        plan: Plan,
        wish: PortWish,
    ) -> Result<Instance, ProxyFault> {
        let start = Start { plan, wish };
        self.ask(alias, |answer| Message::Restart(start, answer))?
    }

    /// Has it work by `plan` if it runs. What is open goes on as it began.
    pub fn apply(&self, alias: &Alias, plan: Plan) -> Result<(), ProxyFault> {
        if !lock(&self.inner.supervisors).by_alias.contains_key(alias) {
            return Ok(());
        }
        self.ask(alias, |answer| Message::Apply(Box::new(plan), answer))
    }

    /// What the instance of `alias` works by, if it runs.
    pub fn plan_in_use(&self, alias: &Alias) -> Option<Plan> {
        if !lock(&self.inner.supervisors).by_alias.contains_key(alias) {
            return None;
        }
        self.ask(alias, Message::Tell).ok()?
    }

    /// How the targets of the instance of `alias` stand; nothing where none runs, or does not tell.
    pub fn health(&self, alias: &Alias) -> Health {
        let instance = self.get(alias).ok().and_then(|proxy| proxy.instance);
        let told = instance.map(|instance| {
            let folder = self.inner.folder_of(alias);
            self.inner.launcher.health(&folder, instance.pid)
        });
        told.and_then(Result::ok).unwrap_or_default()
    }

    /// Stops it once what is open has ended, for which it has 10 s. Blocks until it is gone. One
    /// that does not run is as good.
    pub fn stop(&self, alias: &Alias) -> Result<(), ProxyFault> {
        if !lock(&self.inner.supervisors).by_alias.contains_key(alias) {
            return Ok(());
        }
        self.ask(alias, Message::Stop)?
    }

    /// Stops all of them, at the same time; none is started from now on.
    pub fn stop_all(&self) {
        let all = {
            let mut supervisors = lock(&self.inner.supervisors);
            supervisors.closed = true;
            std::mem::take(&mut supervisors.by_alias)
        };
        let mut answers = Vec::new();
        for (alias, told) in all {
            let (answer, answered) = sync_channel(1);
            if told.send(Message::Stop(answer)).is_ok() {
                answers.push((alias, answered));
            }
        }
        for (alias, answered) in answers {
            if let Ok(Err(fault)) = answered.recv() {
                tracing::warn!(profile = %alias, "{fault}");
            }
        }
    }

    /// Lets go of all of them: they go on, and the next daemon takes them over.
    pub fn leave(&self) {
        {
            let mut supervisors = lock(&self.inner.supervisors);
            supervisors.closed = true;
            supervisors.by_alias.clear();
        }
        lock(&self.inner.watched).clear();
    }

    /// How many run.
    pub fn running_count(&self) -> Result<u64, StoreError> {
        let all = self.inner.store.read(list_in)?;
        let running = all.iter().filter(|proxy| proxy.instance.is_some());
        Ok(running.count() as u64)
    }

    /// What is known of the instance of `alias`.
    pub fn get(&self, alias: &Alias) -> Result<Proxy, StoreError> {
        let known = self
            .inner
            .store
            .read(|connection| rows::get(connection, alias))?;
        Ok(known.unwrap_or_else(|| Proxy::unknown(alias.clone())))
    }

    /// The local key of `alias`'s instance.
    pub fn local_key(&self, alias: &Alias) -> Result<Secret, ProxyFault> {
        self.inner.local_key(alias)
    }

    /// The last of what the instance of `alias` has metered, the oldest first; of that, what came
    /// after the request `after`.
    pub fn log(
        &self,
        alias: &Alias,
        lines: usize,
        after: Option<&str>,
    ) -> Result<Vec<Value>, ProxyFault> {
        self.inner.log(alias, lines, after)
    }

    fn ask<T>(
        &self,
        alias: &Alias,
        message: impl FnOnce(SyncSender<T>) -> Message,
    ) -> Result<T, ProxyFault> {
        let told = self.inner.supervisor(alias)?;
        let (answer, answered) = sync_channel(1);
        told.send(message(answer))
            .map_err(|_| ProxyFault::Stopping)?;
        answered.recv().map_err(|_| ProxyFault::Stopping)
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Inner {
    fn record(&self, profile: &Alias, observed: Observed) -> Result<(), StoreError> {
        let profile = profile.clone();
        self.store.commit(move |tx| {
            let before = rows::get(tx, &profile)?.unwrap_or_else(|| Proxy::unknown(profile));
            let (after, events) = transition::observe(&before, observed, tx.now());
            if after != before {
                rows::put(tx, &after)?;
            }
            for event in events {
                tx.publish(event);
            }
            Ok(())
        })
    }

    /// The supervisor of `alias`, who is there from now on.
    fn supervisor(self: &Arc<Self>, alias: &Alias) -> Result<SyncSender<Message>, ProxyFault> {
        let mut supervisors = lock(&self.supervisors);
        if supervisors.closed {
            return Err(ProxyFault::Stopping);
        }
        if let Some(told) = supervisors.by_alias.get(alias) {
            return Ok(told.clone());
        }
        // Whoever asks waits for the answer, so that there are never many.
        let (tell, told) = sync_channel(8);
        supervisor::spawn(Arc::clone(self), alias.clone(), told).map_err(|source| {
            ProxyFault::NotStarted {
                alias: alias.clone(),
                reason: format!("a thread cannot be started ({source})"),
            }
        })?;
        supervisors.by_alias.insert(alias.clone(), tell.clone());
        Ok(tell)
    }

    fn watch(&self, alias: &Alias, handle: Arc<ProcessHandle>) -> Option<WatchToken> {
        let told = lock(&self.supervisors).by_alias.get(alias).cloned();
        // Told on another thread, which waits for the lock that is held here.
        let mut watched = lock(&self.watched);
        let token = self.watcher.get()?.watch(handle);
        if let Some(told) = told {
            watched.insert(token, told);
        }
        Some(token)
    }

    fn forget(&self, token: WatchToken) {
        lock(&self.watched).remove(&token);
        if let Some(watcher) = self.watcher.get() {
            watcher.forget(token);
        }
    }

    /// Where the instances of other profiles listen.
    fn ports_of_others(&self, alias: &Alias) -> Result<BTreeSet<u16>, StoreError> {
        let all = self.store.read(list_in)?;
        let others = all.iter().filter(|proxy| proxy.profile != *alias);
        Ok(others
            .filter_map(|proxy| Some(proxy.instance?.port))
            .collect())
    }

    fn folders(&self) -> Vec<Alias> {
        files::sweep(&self.folder);
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Inner")
            .field("launcher", &self.launcher)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// What is behind these locks is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Nothing is known yet.
    pub(crate) fn unknown(profile: Alias) -> Self {
        Self {
            profile,
            instance: None,
            exit_code: None,
            error: None,
            started_at: None,
            stopped_at: None,
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
