//! Whether the daemon that left its file in a state folder is still there.
//!
//! A daemon that was killed leaves `daemon.json` behind, and the port in it may belong to any program
//! by now: another user's, or another state folder's daemon.

use clown_api::DaemonFile;
use std::fs::{File, TryLockError};
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;

/// The file that a daemon keeps locked for as long as it lives, whatever becomes of the rest.
const LOCK_FILE: &str = "clownd.lock";

/// Whether the daemon that wrote `file` can still be running. What cannot be told counts as yes.
pub(crate) fn may_run(state_dir: &Path, file: &DaemonFile) -> bool {
    // The number comes first: it is asked for without disturbing anybody, whereas a daemon that
    // starts while the lock is tried would find it taken.
    is_process(file.pid) && is_locked(&state_dir.join(LOCK_FILE))
}

/// Whether somebody holds the lock. It is taken to find out, and released at once.
fn is_locked(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
        },
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

#[cfg(unix)]
fn is_process(pid: u32) -> bool {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};

    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    test_kill_process(pid) != Err(Errno::SRCH)
}

#[cfg(not(unix))]
fn is_process(_pid: u32) -> bool {
    true
}

/// Whether an address is this machine's, which a daemon's always is. Sends nothing.
pub(crate) fn is_here(host: &str) -> bool {
    // A socket can be bound to the machine's own addresses only.
    host.parse::<IpAddr>()
        .is_ok_and(|ip| ip.to_canonical().is_loopback() || UdpSocket::bind((ip, 0)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_runs_while_its_process_lives_and_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let file = |pid: u32| DaemonFile {
            pid,
            address: "127.0.0.1:1".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: "2026-01-08T10:30:00Z".parse().unwrap(),
        };
        let own = file(std::process::id());
        assert!(!may_run(dir.path(), &own), "there is no lock");
        let lock = File::create(dir.path().join(LOCK_FILE)).unwrap();
        assert!(!may_run(dir.path(), &own), "nobody holds it");
        lock.lock().unwrap();
        assert!(may_run(dir.path(), &own));
        for gone in [0, u32::MAX, i32::MAX as u32] {
            assert!(!may_run(dir.path(), &file(gone)), "{gone}");
        }
        drop(lock);
        assert!(!may_run(dir.path(), &own));
    }

    #[test]
    fn whose_address_it_is() {
        let check = |host: &str, expected: bool| assert_eq!(is_here(host), expected, "{host}");
        check("127.0.0.1", true);
        check("127.8.9.10", true);
        check("::1", true);
        check("::ffff:127.0.0.1", true);
        // Of the range for documentation: no machine has it.
        check("192.0.2.1", false);
        check("2001:db8::1", false);
        check("example.org", false);
    }
}
