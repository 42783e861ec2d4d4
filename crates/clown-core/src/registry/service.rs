use super::address::Address;
use super::built_in;
use super::ending::{self, Endings};
use super::error::RegistryError;
use super::index::{Channel, Commit, Kind, is_commit_prefix};
use super::layer::{Active, Layer};
use super::rows::{self, KeptIndex, State};
use super::signature::VerifyingKey;
use super::source::{Source, Stop};
use super::status::{self, RegistryStatus};
use super::storage::Storage;
use super::switch::{self, Ending};
use super::turn::{Answer, Turns};
use crate::fetch::Fetch;
use crate::store::{Store, StoreError};
use clown_events::{RegistrySyncStarted, Timestamp};
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Which registry, and how it is synced.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Where it is; None for the built-in set.
    pub address: Option<Address>,
    /// The channel that is followed.
    pub channel: Channel,
    /// Who must have signed it; None for nobody.
    pub key: Option<VerifyingKey>,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long a whole sync may take.
    pub limit: Duration,
    /// How many artifacts are fetched at the same time.
    pub parallel: usize,
}

impl Default for RegistrySettings {
    /// The built-in set.
    fn default() -> Self {
        Self {
            address: None,
            channel: Channel::stable(),
            key: None,
            timeout: Duration::from_secs(20),
            limit: Duration::from_secs(300),
            parallel: 16,
        }
    }
}

/// A sync is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncRequest {
    /// The channel to follow from now on; None for the one that is followed.
    pub channel: Option<Channel>,
    /// Whether everything is fetched anew, and an older index is taken too.
    pub force: bool,
    /// Whether nothing is fetched: what is kept is used.
    pub offline: bool,
}

/// What came of a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// The channel.
    pub channel: Channel,
    /// The commit in use now.
    pub commit: Commit,
    /// The commit that was in use before; None where it is the same.
    pub previous: Option<Commit>,
    /// Whether what was kept was good enough.
    pub from_cache: bool,
    /// How many artifacts were fetched.
    pub artifacts_downloaded: u64,
    /// What people should know beside it.
    pub note: Option<String>,
}

/// A sync, with its channel looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) channel: Channel,
    pub(super) force: bool,
    pub(super) offline: bool,
}

/// The registry: the manifests between the built-in ones and people's own.
#[derive(Debug)]
pub struct Registry {
    pub(super) store: Arc<Store>,
    pub(super) storage: Storage,
    pub(super) fetcher: Arc<dyn Fetch>,
    pub(super) settings: RegistrySettings,
    pub(super) active: Arc<Active>,
    /// Why what was in use cannot be used any more.
    pub(super) problem: Mutex<Option<String>>,
    pub(super) turns: Turns<Asked, Synced>,
    pub(super) endings: Arc<Endings>,
    /// When a sync could not even begin, as the database did not take that.
    not_begun: Mutex<Option<(Timestamp, String)>>,
    pub(super) stop: Stop,
}

/// An index that is kept, with its content.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) row: KeptIndex,
    pub(super) layer: Arc<Layer>,
}

/// What is to be in use.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The newest index of the channel, as far as it is known.
    pub(super) newest: Option<KeptIndex>,
    /// The content of `newest`, where it is not in use already.
    pub(super) layer: Option<Arc<Layer>>,
    /// The index of the pin, where it was not in use.
    pub(super) pinned: Option<Loaded>,
    pub(super) from_cache: bool,
    pub(super) downloaded: u64,
    pub(super) note: Option<String>,
}

impl Registry {
    /// The registry whose files are in `folder`. What was in use before is in use again, if it is
    /// of the same place and still whole.
    pub fn open(
        store: Arc<Store>,
        folder: &Path,
        fetcher: Arc<dyn Fetch>,
        settings: RegistrySettings,
    ) -> Result<Self, RegistryError> {
        let registry = Self {
            endings: Arc::new(Endings::new(Arc::clone(&store))),
            store,
            storage: Storage::open(folder)?,
            fetcher,
            settings,
            active: Arc::default(),
            problem: Mutex::default(),
            turns: Turns::default(),
            not_begun: Mutex::default(),
            stop: Stop::default(),
        };
        registry.take_up()?;
        Ok(registry)
    }

    /// Where manifests of the registry in use are read from.
    pub fn active(&self) -> &Arc<Active> {
        &self.active
    }

    /// Closes a sync that an earlier daemon began and did not end.
    pub fn recover(&self) -> Result<(), RegistryError> {
        self.endings.close("the daemon ended before the sync did")
    }

    /// Ends a sync that is under way, and lets none begin.
    pub fn stop(&self) {
        self.stop.set();
        self.endings.stop();
        if let Err(error) = self.endings.close(&RegistryError::Stopped.in_full()) {
            tracing::error!("cannot record that a sync was ended: {}", error.in_full());
        }
    }

    /// Which registry is in use.
    pub fn status(&self) -> Result<RegistryStatus, RegistryError> {
        Ok(self.store.read(|connection| self.status_in(connection))?)
    }

    /// The same, in a transaction that reads more.
    pub fn status_in(&self, connection: &Connection) -> Result<RegistryStatus, StoreError> {
        // Before the database: what is recorded meanwhile is then told from there.
        let unrecorded = self.endings.unrecorded();
        let problem = self.lock_problem().clone();
        let not_begun = self.lock_not_begun().clone();
        let layer = self.active.layer();
        let mut status = status::read(
            connection,
            &self.settings,
            &layer,
            problem,
            unrecorded.as_ref(),
        )?;
        // The database knows nothing of it: nobody was told that it began.
        if not_begun.is_some() {
            status.failure = not_begun;
        }
        Ok(status)
    }

    /// Whether the registry that `status` tells of has a manifest of this id: the built-in set, where
    /// that is in use.
    pub fn has(&self, status: &RegistryStatus, kind: Kind, id: &str) -> bool {
        match status.active {
            Some(_) => self.active.layer().files(kind).any(|file| file.id == id),
            None => built_in::has(kind, id),
        }
    }

    /// What is wrong with what was in use, for people.
    pub fn problem(&self) -> Option<String> {
        self.lock_problem().clone()
    }

    /// When the next sync is due that nobody asks for; None where there is nothing to fetch.
    /// `chance` is from 0 to 1.
    pub fn next_sync_in(&self, chance: f64) -> Result<Option<Duration>, RegistryError> {
        if self.settings.address.is_none() {
            return Ok(None);
        }
        let state = self
            .store
            .read(|connection| Ok::<_, StoreError>(rows::state(connection)?))?;
        let not_begun = self.lock_not_begun().as_ref().map(|(at, _)| *at);
        let failed =
            not_begun.is_some() || state.failure.is_some() || self.endings.unrecorded().is_some();
        Ok(Some(super::schedule::pause(
            not_begun.max(state.tried_at),
            failed,
            Timestamp::now(),
            chance,
        )))
    }

    /// Fetches what is new, and answers when it is in use. Whoever asks for the same as is under
    /// way gets that one's answer.
    pub fn sync(&self, request: &SyncRequest) -> Answer<Synced> {
        let state = self.state()?;
        let asked = Asked {
            channel: request
                .channel
                .clone()
                .unwrap_or_else(|| self.channel_of(&state)),
            force: request.force,
            offline: request.offline,
        };
        self.turns.take(Some(asked.clone()), || {
            self.run(&asked, |state| self.fetch(&asked, state))
        })
    }

    /// Uses this commit until it is unpinned. It is fetched if it is not kept.
    pub fn pin(&self, commit: &str) -> Answer<Synced> {
        if !is_commit_prefix(commit) {
            let shown = commit.chars().take(80).collect();
            return Err(Arc::new(RegistryError::InvalidCommit(shown)));
        }
        if self.settings.address.is_none() {
            return Err(Arc::new(RegistryError::NoRegistry));
        }
        self.turns.take(None, || self.pin_now(commit))
    }

    /// Uses the newest commit of the channel that is kept.
    pub fn unpin(&self) -> Answer<Synced> {
        self.turns.take(None, || self.unpin_now())
    }

    /// Tells of the beginning, does `work`, and tells of the end.
    pub(super) fn run(
        &self,
        asked: &Asked,
        work: impl FnOnce(&State) -> Result<Outcome, RegistryError>,
    ) -> Result<Synced, RegistryError> {
        self.stop.check()?;
        let begun = self.begin(asked);
        *self.lock_not_begun() = match &begun {
            Ok(_) => None,
            Err(error) => Some((Timestamp::now(), error.in_full())),
        };
        let state = begun?;
        let outcome = work(&state).and_then(|outcome| self.end(asked, &state, outcome));
        if let Err(error) = &outcome {
            self.endings.fail(&state, error);
        }
        outcome
    }

    fn begin(&self, asked: &Asked) -> Result<State, RegistryError> {
        let (channel, force) = (asked.channel.clone(), asked.force);
        let unrecorded = self.endings.unrecorded();
        let earlier = unrecorded.clone();
        let begun = self.store.commit(move |tx| {
            let mut state = rows::state(tx)?;
            // One whose end could not be recorded.
            match earlier {
                _ if state.syncing.is_none() => {}
                Some(earlier) => earlier.end_in(tx, &mut state)?,
                None => {
                    let what = "the end of an earlier sync could not be recorded";
                    let now = tx.now();
                    ending::fail_in(tx, &mut state, now, what)?;
                }
            }
            state.syncing = Some(channel.as_str().to_owned());
            state.tried_at = Some(tx.now());
            rows::set_state(tx, &state)?;
            tx.publish(RegistrySyncStarted::new(channel.as_str(), force));
            Ok::<_, RegistryError>(state)
        })?;
        if let Some(unrecorded) = unrecorded {
            self.endings.forget(&unrecorded);
        }
        Ok(begun)
    }

    /// Makes the outcome what is in use, and tells of it.
    fn end(&self, asked: &Asked, began: &State, outcome: Outcome) -> Result<Synced, RegistryError> {
        // One that failed may have fetched what nothing names any more.
        let may_litter = !outcome.from_cache || began.failure.is_some();
        let ending = Ending {
            channel: asked.channel.clone(),
            newest: outcome.newest,
            pinned: outcome.pinned.as_ref().map(|loaded| loaded.row.clone()),
            from_cache: outcome.from_cache,
            downloaded: outcome.downloaded,
            built_in: built_in::commit(),
        };
        let layer = outcome.pinned.map(|loaded| loaded.layer).or(outcome.layer);
        let done = self.switch(layer, move |tx| switch::end(tx, &ending))?;
        if may_litter || done.has_removed {
            self.sweep(&done.kept);
        }
        Ok(Synced {
            channel: asked.channel.clone(),
            note: done.note.or(outcome.note),
            commit: done.commit,
            previous: done.previous,
            from_cache: outcome.from_cache,
            artifacts_downloaded: outcome.downloaded,
        })
    }

    /// Whoever hears of the new registry finds it in use, so it is so a moment before; if it
    /// cannot be recorded, the one before is in use again.
    fn switch<T: Send + 'static>(
        &self,
        layer: Option<Arc<Layer>>,
        record: impl FnOnce(&mut crate::store::Tx<'_>) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let before = layer.map(|layer| self.active.switch(layer));
        let done = self.store.commit(record);
        match (&done, before) {
            (Ok(_), Some(_)) => *self.lock_problem() = None,
            (Err(_), Some(before)) => drop(self.active.switch(before)),
            (_, None) => {}
        }
        done
    }

    pub(super) fn source<'a>(&'a self, address: &'a Address) -> Source<'a> {
        Source {
            address,
            fetcher: &*self.fetcher,
            timeout: self.settings.timeout,
            deadline: Instant::now() + self.settings.limit,
            limit: self.settings.limit,
            stop: &self.stop,
        }
    }

    pub(super) fn is_active(&self, state: &State, commit: &Commit) -> Result<bool, RegistryError> {
        let active = self
            .store
            .read(|connection| Ok::<_, StoreError>(switch::active(connection, state)?))?;
        Ok(active.is_some_and(|row| row.commit == *commit))
    }

    pub(super) fn state(&self) -> Result<State, RegistryError> {
        Ok(self
            .store
            .read(|connection| Ok::<_, StoreError>(rows::state(connection)?))?)
    }

    pub(super) fn channel_of(&self, state: &State) -> Channel {
        state
            .channel
            .parse()
            .unwrap_or_else(|_| self.settings.channel.clone())
    }

    #[cfg(test)]
    pub(super) fn store_for_tests(&self) -> &Store {
        &self.store
    }

    fn lock_not_begun(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, String)>> {
        self.not_begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_problem(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.endings.stop();
    }
}
