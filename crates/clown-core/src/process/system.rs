//! What the system tells of its processes.

#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(not(target_os = "linux"))]
pub use other::*;

#[cfg(target_os = "linux")]
mod linux {
    use crate::process::stat::{Stat, code_of_wait_status};
    use crate::process::{ProcessIdentity, ProcessState};
    use std::ffi::{OsStr, OsString};
    use std::fs;
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;
    use zeroize::Zeroizing;

    /// Names this run of the system; another after each boot.
    pub fn boot_id() -> io::Result<String> {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        Ok(text.trim().to_owned())
    }

    /// When the system started, in milliseconds of Unix time, as far as it tells.
    pub fn booted_at() -> Option<i64> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?;
        seconds.trim().parse::<i64>().ok()?.checked_mul(1000)
    }

    /// Who has this number now; none when nobody has. An ended process has its number until its
    /// parent has asked for its code.
    pub fn identity_of(pid: u32) -> io::Result<Option<ProcessIdentity>> {
        Ok(read_stat(pid)?.map(|stat| ProcessIdentity {
            pid,
            start: stat.start,
        }))
    }

    /// What became of the process.
    pub fn state_of(identity: &ProcessIdentity) -> ProcessState {
        match read_stat(identity.pid) {
            Ok(Some(stat)) if stat.start == identity.start => {
                if stat.is_ended() {
                    ProcessState::Zombie
                } else {
                    ProcessState::Alive
                }
            }
            _ => ProcessState::Gone,
        }
    }

    /// Whether the process runs as the user that we run as.
    pub fn is_ours(pid: u32) -> bool {
        // The owner of the folder would be root for programs that forbid dumps.
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
            return false;
        };
        let real = status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .and_then(|ids| ids.split_ascii_whitespace().next())
            .and_then(|id| id.parse().ok());
        real == Some(rustix::process::getuid().as_raw())
    }

    /// The value of a variable as the process was started with. None also when the process is not
    /// ours, or is gone.
    pub fn environment_of(identity: &ProcessIdentity, variable: &str) -> Option<OsString> {
        environment_block(identity)?
            .split(|byte| *byte == 0)
            .find_map(|entry| {
                let value = entry
                    .strip_prefix(variable.as_bytes())?
                    .strip_prefix(b"=")?;
                Some(OsStr::from_bytes(value).to_owned())
            })
    }

    /// The names of the variables that the process was started with. None also when the process
    /// is not ours, or is gone.
    pub fn variable_names_of(identity: &ProcessIdentity) -> Option<Vec<String>> {
        let block = environment_block(identity)?;
        let names = block.split(|byte| *byte == 0).filter_map(|entry| {
            let end = entry.iter().position(|byte| *byte == b'=')?;
            let name = std::str::from_utf8(entry.get(..end)?).ok()?;
            (!name.is_empty()).then(|| name.to_owned())
        });
        Some(names.collect())
    }

    fn environment_block(identity: &ProcessIdentity) -> Option<Zeroizing<Vec<u8>>> {
        if !is_ours(identity.pid) {
            return None;
        }
        let block = Zeroizing::new(fs::read(format!("/proc/{}/environ", identity.pid)).ok()?);
        // Asked afterwards: what was read is this process's only if the number is still its own.
        (state_of(identity) == ProcessState::Alive).then_some(block)
    }

    /// The code of an ended process whose parent has not yet asked for it.
    pub(in crate::process) fn zombie_exit_code(identity: &ProcessIdentity) -> Option<i32> {
        let stat = read_stat(identity.pid).ok()??;
        if stat.start != identity.start || !stat.is_ended() {
            return None;
        }
        // The kernel shows 0 to those who may not look into the process. They may not read this
        // link either; all others are told that a zombie has none.
        match fs::read_link(format!("/proc/{}/exe", identity.pid)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => return None,
        }
        stat.wait_status.map(code_of_wait_status)
    }

    fn read_stat(pid: u32) -> io::Result<Option<Stat>> {
        match fs::read(format!("/proc/{pid}/stat")) {
            Ok(line) => Ok(Stat::parse(&line)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // The process ended between the opening and the reading.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Systems without `/proc`: `ps` tells what there is to know.
#[cfg(not(target_os = "linux"))]
mod other {
    use crate::process::{ProcessIdentity, ProcessState};
    use std::ffi::OsString;
    use std::hash::{DefaultHasher, Hasher as _};
    use std::io;
    use std::process::Command;

    /// Names this run of the system, as far as it can be told: a process of an earlier one has
    /// another start time.
    pub fn boot_id() -> io::Result<String> {
        Ok("unknown".to_owned())
    }

    /// Not told here.
    pub fn booted_at() -> Option<i64> {
        None
    }

    /// Who has this number now.
    pub fn identity_of(pid: u32) -> io::Result<Option<ProcessIdentity>> {
        Ok(ask(pid, "lstart=")?.map(|start| {
            let mut hasher = DefaultHasher::new();
            hasher.write(start.as_bytes());
            // Kept in a database whose integers are signed.
            ProcessIdentity {
                pid,
                start: hasher.finish() >> 1,
            }
        }))
    }

    /// What became of the process.
    pub fn state_of(identity: &ProcessIdentity) -> ProcessState {
        match identity_of(identity.pid) {
            Ok(Some(found)) if found == *identity => match ask(identity.pid, "stat=") {
                Ok(Some(state)) if state.starts_with('Z') => ProcessState::Zombie,
                Ok(Some(_)) => ProcessState::Alive,
                _ => ProcessState::Gone,
            },
            _ => ProcessState::Gone,
        }
    }

    /// Whether the process runs as the user that we run as.
    pub fn is_ours(pid: u32) -> bool {
        let real = ask(pid, "ruid=").ok().flatten();
        real.and_then(|id| id.parse().ok()) == Some(rustix::process::getuid().as_raw())
    }

    /// Not to be had here.
    pub fn environment_of(_identity: &ProcessIdentity, _variable: &str) -> Option<OsString> {
        None
    }

    /// Not to be had here.
    pub fn variable_names_of(_identity: &ProcessIdentity) -> Option<Vec<String>> {
        None
    }

    fn ask(pid: u32, column: &str) -> io::Result<Option<String>> {
        let output = Command::new("ps")
            .args(["-o", column, "-p", &pid.to_string()])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((output.status.success() && !text.is_empty()).then_some(text))
    }
}
