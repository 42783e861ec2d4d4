//! How a sync ends that fails: told at once, or as soon as the database takes it.

use super::error::RegistryError;
use super::rows::{self, State};
use super::switch;
use crate::store::{Store, Tx};
use clown_events::{RegistrySyncFailed, Timestamp};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Before it is tried again to record an end; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Ends syncs, and remembers the end that could not be recorded.
#[derive(Debug)]
pub(super) struct Endings {
    store: Arc<Store>,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    unrecorded: Option<Unrecorded>,
    is_trying: bool,
    is_stopped: bool,
}

/// The end of a sync that is not in the database yet.
#[derive(Debug, Clone)]
pub(super) struct Unrecorded {
    /// When the sync began, by which it is known.
    began: Timestamp,
    at: Timestamp,
    why: String,
    /// Why it is not recorded.
    obstacle: String,
}

impl Endings {
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            waiting: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Tells that the sync that began as `began` says has failed. If that cannot be recorded now,
    /// it is as soon as it can.
    pub fn fail(self: &Arc<Self>, began: &State, why: &RegistryError) {
        let Some(began) = began.tried_at else {
            return;
        };
        let (at, why) = (Timestamp::now(), why.in_full());
        let Err(error) = self.record(Some(began), at, &why) else {
            return;
        };
        let obstacle = error.in_full();
        tracing::error!("a sync failed ({why}), and that cannot be recorded yet: {obstacle}");
        let mut waiting = self.lock();
        waiting.unrecorded = Some(Unrecorded {
            began,
            at,
            why,
            obstacle,
        });
        if waiting.is_trying || waiting.is_stopped {
            return;
        }
        let endings = Arc::clone(self);
        let started = std::thread::Builder::new()
            .name("registry-end".to_owned())
            .spawn(move || endings.try_again());
        match started {
            Ok(_) => waiting.is_trying = true,
            // The next sync tells of it, or the daemon's end.
            Err(error) => tracing::error!("cannot try again: {error}"),
        }
    }

    /// Ends whatever sync is under way: `why`, where nothing else is known.
    pub fn close(&self, why: &str) -> Result<(), RegistryError> {
        match self.unrecorded() {
            Some(known) => self.record(None, known.at, &known.why),
            None => self.record(None, Timestamp::now(), why),
        }
    }

    /// Tries nothing again from now on.
    pub fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }

    pub fn unrecorded(&self) -> Option<Unrecorded> {
        self.lock().unrecorded.clone()
    }

    /// It is recorded, by this or by whoever began the next sync.
    pub fn forget(&self, unrecorded: &Unrecorded) {
        let mut waiting = self.lock();
        if waiting
            .unrecorded
            .as_ref()
            .is_some_and(|other| other.began == unrecorded.began)
        {
            waiting.unrecorded = None;
        }
    }

    fn try_again(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let waiting = self.lock();
            let (mut waiting, _) = self
                .changed
                .wait_timeout_while(waiting, pause, |waiting| !waiting.is_stopped)
                .unwrap_or_else(PoisonError::into_inner);
            let unrecorded = waiting.unrecorded.clone();
            let Some(unrecorded) = unrecorded.filter(|_| !waiting.is_stopped) else {
                waiting.is_trying = false;
                return;
            };
            drop(waiting);
            let Unrecorded { began, at, why, .. } = &unrecorded;
            match self.record(Some(*began), *at, why) {
                Ok(()) => self.forget(&unrecorded),
                Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// Records and tells that a sync has failed: the one that began then, or whichever is under way.
    fn record(
        &self,
        began: Option<Timestamp>,
        at: Timestamp,
        why: &str,
    ) -> Result<(), RegistryError> {
        let why = why.to_owned();
        self.store.commit(move |tx| {
            let mut state = rows::state(tx)?;
            let is_another = began.is_some() && began != state.tried_at;
            if state.syncing.is_none() || is_another {
                return Ok(());
            }
            fail_in(tx, &mut state, at, &why)?;
            Ok(rows::set_state(tx, &state)?)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unrecorded {
    /// Ends the sync in the transaction that begins the next one.
    pub fn end_in(&self, tx: &mut Tx<'_>, state: &mut State) -> rusqlite::Result<()> {
        fail_in(tx, state, self.at, &self.why)
    }

    /// When and why the sync failed that the database takes to be under way; None where it knows
    /// better by now.
    pub fn in_place_of(
        &self,
        connection: &rusqlite::Connection,
        state: &State,
    ) -> rusqlite::Result<Option<(Timestamp, String)>> {
        if state.syncing.is_none() || state.tried_at != Some(self.began) {
            return Ok(None);
        }
        let told = in_full(connection, state, &self.why)?;
        let told = format!(
            "{told}; clients are told when this can be recorded ({})",
            self.obstacle
        );
        Ok(Some((self.at, told)))
    }
}

/// Ends the sync under way, and tells of it.
pub(super) fn fail_in(
    tx: &mut Tx<'_>,
    state: &mut State,
    at: Timestamp,
    why: &str,
) -> rusqlite::Result<()> {
    let told = in_full(tx, state, why)?;
    state.syncing = None;
    state.failure = Some((at, told.clone()));
    tx.publish(RegistrySyncFailed::new(told));
    Ok(())
}

/// Why a sync failed, and what stays in use.
fn in_full(
    connection: &rusqlite::Connection,
    state: &State,
    why: &str,
) -> rusqlite::Result<String> {
    Ok(match switch::active(connection, state)? {
        Some(index) => format!(
            "{why}; commit {} of channel {} stays in use",
            index.commit.short(),
            index.channel
        ),
        None => format!("{why}; the built-in set stays in use"),
    })
}
