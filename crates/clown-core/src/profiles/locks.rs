use crate::Alias;
use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// One lock an alias.
#[derive(Debug, Default)]
pub(super) struct AliasLocks {
    held: Mutex<HashSet<Alias>>,
    released: Condvar,
}

/// Keeps everyone else from reading, comparing, writing and committing a profile.
#[derive(Debug)]
pub(super) struct AliasGuard<'a> {
    locks: &'a AliasLocks,
    alias: Alias,
}

impl AliasLocks {
    /// Waits for the profile.
    pub(super) fn lock(&self, alias: &Alias) -> AliasGuard<'_> {
        let mut held = self.lock_held();
        while held.contains(alias) {
            held = self
                .released
                .wait(held)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.take(held, alias)
    }

    /// None while somebody else has it.
    pub(super) fn try_lock(&self, alias: &Alias) -> Option<AliasGuard<'_>> {
        let held = self.lock_held();
        (!held.contains(alias)).then(|| self.take(held, alias))
    }

    fn take(&self, mut held: MutexGuard<'_, HashSet<Alias>>, alias: &Alias) -> AliasGuard<'_> {
        held.insert(alias.clone());
        AliasGuard {
            locks: self,
            alias: alias.clone(),
        }
    }

    fn lock_held(&self) -> MutexGuard<'_, HashSet<Alias>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AliasGuard<'_> {
    fn drop(&mut self) {
        self.locks.lock_held().remove(&self.alias);
        self.locks.released.notify_all();
    }
}
