use crate::Alias;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One lock an alias. Two aliases may share one: no thread ever holds two.
#[derive(Debug)]
pub(super) struct AliasLocks {
    locks: [Mutex<()>; 64],
    hasher: RandomState,
}

impl Default for AliasLocks {
    fn default() -> Self {
        Self {
            locks: [const { Mutex::new(()) }; 64],
            hasher: RandomState::new(),
        }
    }
}

impl AliasLocks {
    /// Keeps everyone else from reading, comparing, writing and committing this profile.
    pub(super) fn lock(&self, alias: &Alias) -> MutexGuard<'_, ()> {
        let index = self.hasher.hash_one(alias) % self.locks.len() as u64;
        // The lock guards no data that a panic could have left half changed.
        self.locks[index as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
