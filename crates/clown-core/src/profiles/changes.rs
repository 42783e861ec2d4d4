//! Which profiles may have changed, for whoever follows them.

use crate::Alias;
use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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

    /// Waits until something may have changed. None when nobody is to wait any more.
    pub(crate) fn next(&self) -> Option<BTreeSet<Alias>> {
        let mut state = self.lock();
        while state.aliases.is_empty() && !state.is_closed {
            state = self
                .woken
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        (!state.is_closed).then(|| std::mem::take(&mut state.aliases))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
