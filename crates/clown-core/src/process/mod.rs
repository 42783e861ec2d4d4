//! Processes of this machine that are not necessarily our children: who they are, whether they
//! still exist, when they end and with what code.
//!
//! A number alone does not name a process, since numbers are used again. [`ProcessIdentity`] adds
//! the start time, and [`boot_id`] says to which run of the system both belong.

mod exit_info;
mod handle;
mod stat;
mod system;
mod watcher;

pub use handle::ProcessHandle;
pub use system::{
    boot_id, booted_at, environment_of, identity_of, is_ours, state_of, variable_names_of,
};
pub use watcher::{ProcessWatcher, WatchToken};

/// One process, and no later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the system did.
    pub start: u64,
}

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// It exists.
    Alive,
    /// It has ended and waits for its parent to ask for its code.
    Zombie,
    /// There is no such process, or the number is another's by now.
    Gone,
}

impl ProcessIdentity {
    /// Who has this number now, as far as the system tells.
    pub fn of(pid: u32) -> Option<Self> {
        identity_of(pid).ok().flatten()
    }

    /// Whether the process exists and has not ended.
    pub fn is_alive(&self) -> bool {
        state_of(self) == ProcessState::Alive
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
