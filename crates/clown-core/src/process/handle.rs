use super::{ProcessIdentity, ProcessState, identity_of, state_of};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// A hold on one process: tells when it ends, and can tell its code afterwards.
#[derive(Debug)]
pub struct ProcessHandle {
    identity: ProcessIdentity,
    /// None where the system has no pidfd; then the process is asked for again and again.
    pidfd: Option<OwnedFd>,
}

/// How often a process is asked for where the system does not tell by itself.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(250);

impl ProcessHandle {
    /// Takes hold of a process. None when it is gone; an ended one that its parent has not asked
    /// for yet can still be held.
    pub fn open(identity: ProcessIdentity) -> io::Result<Option<Self>> {
        let pidfd = match open_pidfd(identity.pid) {
            Ok(pidfd) => Some(pidfd),
            Err(Errno::SRCH) => return Ok(None),
            Err(Errno::NOSYS | Errno::PERM) => None,
            Err(error) => return Err(error.into()),
        };
        // Asked after opening: from here on the descriptor stays with whom it was opened for, so
        // if that is the right one now, it always is.
        match identity_of(identity.pid)? {
            Some(found) if found == identity => Ok(Some(Self { identity, pidfd })),
            _ => Ok(None),
        }
    }

    /// Who it is.
    pub fn identity(&self) -> ProcessIdentity {
        self.identity
    }

    /// Whether the process has ended, reaped or not.
    pub fn has_ended(&self) -> bool {
        match self.pidfd() {
            Some(pidfd) => wait_readable(pidfd, Some(Duration::ZERO)).unwrap_or(false),
            None => state_of(&self.identity) != ProcessState::Alive,
        }
    }

    /// Waits until the process has ended. False when `limit` was over before that.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let Some(pidfd) = self.pidfd() else {
            return Ok(self.wait_asking(limit));
        };
        wait_readable(pidfd, Some(limit))
    }

    fn wait_asking(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while !self.has_ended() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(ASK_AGAIN));
        }
        true
    }

    /// The code that the process ended with, 128+N for signal N, if the kernel tells. It does so
    /// while the process is a zombie, and from Linux 6.15 on also afterwards.
    #[cfg(target_os = "linux")]
    pub fn exit_code(&self) -> Option<i32> {
        let after_reaping = || self.pidfd().and_then(super::exit_info::exit_code);
        // Asked a second time for when it was reaped in between.
        after_reaping()
            .or_else(|| super::system::zombie_exit_code(&self.identity))
            .or_else(after_reaping)
    }

    /// Not told on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn exit_code(&self) -> Option<i32> {
        None
    }

    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(OwnedFd::as_fd)
    }
}

#[cfg(target_os = "linux")]
fn open_pidfd(pid: u32) -> Result<OwnedFd, Errno> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pidfd_open(pid.ok_or(Errno::SRCH)?, PidfdFlags::empty())
}

#[cfg(not(target_os = "linux"))]
fn open_pidfd(_pid: u32) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

fn wait_readable(descriptor: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut descriptors = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
