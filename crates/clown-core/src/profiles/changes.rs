//! Which profiles may have changed, for whoever follows them.

use crate::Alias;
use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Profiles that may have changed since they were last asked for: never more than there are.
#[derive(Debug, Default)]
pub struct Changes {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    aliases: BTreeSet<Alias>,
    is_closed: bool,
}

/// Nothing has changed in that time.
#[derive(Debug)]
pub(crate) struct TimedOut;

impl Changes {
    pub(super) fn note(&self, alias: &Alias) {
        self.lock().aliases.insert(alias.clone());
        self.woken.notify_all();
    }

    /// Nobody is to wait any more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.woken.notify_all();
    }

    /// Waits until something may have changed, but no longer than that; `Err` then. None when nobody is
    /// to wait any more.
    pub(crate) fn next_within(&self, limit: Duration) -> Result<Option<BTreeSet<Alias>>, TimedOut> {
        let (mut state, waited) = self
            .woken
            .wait_timeout_while(self.lock(), limit, |state| {
                state.aliases.is_empty() && !state.is_closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return Ok(None);
        }
        if waited.timed_out() && state.aliases.is_empty() {
            return Err(TimedOut);
        }
        Ok(Some(std::mem::take(&mut state.aliases)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
