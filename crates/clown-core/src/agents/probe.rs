//! Asking a program for its version, without ever waiting for it longer than the limit, and
//! without leaving anything of it behind.

use super::VersionCommand;
use crate::process::{self, ProcessIdentity};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What an agent's version is called when it does not tell.
pub const UNKNOWN_VERSION: &str = "unknown";

/// More of what a program prints is read, but not kept.
const MAX_OUTPUT: usize = 64 * 1024;
/// Carried by everything that a version command starts, whatever group or session it moves to.
const MARK: &str = "CLOWN_PROBE";

/// Runs the version command of `binary` and picks the version from what it prints. It gets no
/// input and the environment `env`. When it has ended, or after `limit`, everything that it started
/// is ended too.
pub fn probe_version(
    binary: &Path,
    command: &VersionCommand,
    env: &[(OsString, OsString)],
    limit: Duration,
) -> Option<String> {
    probe_until(binary, command, env, limit, || false)
}

/// The same, ended also when `is_over`, which is asked all the time, says so.
pub fn probe_until(
    binary: &Path,
    command: &VersionCommand,
    env: &[(OsString, OsString)],
    limit: Duration,
    is_over: impl FnMut() -> bool,
) -> Option<String> {
    match run(binary, &command.args, env, limit, is_over) {
        Ok(output) => output
            .iter()
            .find_map(|stream| command.pattern.version_in(&String::from_utf8_lossy(stream))),
        Err(error) => {
            tracing::warn!("cannot ask {} for its version: {error}", binary.display());
            None
        }
    }
}

/// What it printed to both of its streams.
fn run(
    binary: &Path,
    args: &[String],
    env: &[(OsString, OsString)],
    limit: Duration,
    mut is_over: impl FnMut() -> bool,
) -> io::Result<[Vec<u8>; 2]> {
    let deadline = Instant::now() + limit;
    let mark = new_mark();
    let mut command = Command::new(binary);
    command
        .args(args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .env(MARK, &mark)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let child = start(&mut command, deadline)?;
    let mut running = Running { child, mark };
    let mut streams = [
        Stream::new(running.child.stdout.take())?,
        Stream::new(running.child.stderr.take())?,
    ];
    while !running.has_ended()? && Instant::now() < deadline && !is_over() {
        wait_readable(&streams);
        streams.iter_mut().for_each(Stream::drain);
    }
    streams.iter_mut().for_each(Stream::drain);
    drop(running);
    Ok(streams.map(|stream| stream.kept))
}

/// A program that somebody still writes cannot be started yet.
fn start(command: &mut Command, deadline: Instant) -> io::Result<Child> {
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// Other daemons of this user may be probing too.
fn new_mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let start = identity_of(process).map_or(0, |identity| identity.start);
    format!("{process}-{start}-{number}")
}

/// Ends the program and what it started when it is dropped.
struct Running {
    child: Child,
    mark: String,
}

impl Running {
    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Leaves it a zombie: while it is one, its number, and so that of its group, is no other's.
    fn has_ended(&self) -> io::Result<bool> {
        let Some(pid) = self.pid() else {
            return Ok(true);
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match rustix::process::waitid(WaitId::Pid(pid), options) {
            Ok(status) => Ok(status.is_some()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(pid) = self.pid() else { return };
        let mut strays = descendants_of(self.child.id());
        let mut rounds = 0..5;
        // Again, since what is ended may have started another one just before.
        while rounds.next().is_some() {
            // Fails when nothing is left in the group, which is what is wanted.
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            strays.extend(marked(&self.mark));
            strays.retain(ProcessIdentity::is_alive);
            for stray in &strays {
                if let Some(pid) = i32::try_from(stray.pid).ok().and_then(Pid::from_raw) {
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                }
            }
            if strays.is_empty() {
                break;
            }
        }
        reap(&mut self.child);
    }
}

/// A killed process ends at once, but for one that hangs in the kernel: that is left behind as a
/// zombie rather than waited for.
fn reap(child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while let Ok(None) = child.try_wait() {
        if Instant::now() >= deadline {
            tracing::warn!(
                "process {} cannot be ended, it hangs in the kernel",
                child.id()
            );
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One of the program's streams. What others that hold its end do with it makes nobody wait.
struct Stream {
    pipe: Option<File>,
    kept: Vec<u8>,
}

impl Stream {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> io::Result<Self> {
        let pipe = pipe.map(|pipe| File::from(pipe.into()));
        if let Some(pipe) = &pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Self {
            pipe,
            kept: Vec::new(),
        })
    }

    /// Reads what is there, but only so much: a pipe that is filled all the time would keep us
    /// here beyond the limit.
    fn drain(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..64 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = MAX_OUTPUT - self.kept.len();
                    self.kept.extend_from_slice(&buffer[..count.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}

/// Waits until there is something to read, but not longer than a step.
fn wait_readable(streams: &[Stream; 2]) {
    let mut waiting: Vec<PollFd<'_>> = streams
        .iter()
        .filter_map(|stream| Some(PollFd::new(stream.pipe.as_ref()?, PollFlags::IN)))
        .collect();
    let step = Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    // Whatever comes of it, the streams are read next.
    let _ = poll(&mut waiting, Some(&step));
}

/// What descends from a process, as far as it can still be seen: one whose parent has ended has
/// another one then.
fn descendants_of(root: u32) -> Vec<ProcessIdentity> {
    let parents: Vec<(u32, u32)> = processes()
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = parents
            .iter()
            .filter(|(_, its_parent)| *its_parent == parent);
        found.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    found.into_iter().skip(1).filter_map(identity_of).collect()
}

/// The processes that carry this mark.
fn marked(mark: &str) -> Vec<ProcessIdentity> {
    processes()
        .filter_map(identity_of)
        .filter(|identity| {
            process::environment_of(identity, MARK).is_some_and(|found| found == mark)
        })
        .collect()
}

fn identity_of(pid: u32) -> Option<ProcessIdentity> {
    process::identity_of(pid).ok().flatten()
}

fn parent_of(pid: u32) -> Option<u32> {
    let line = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Every process there is; none where the system has no `/proc`, and only the group is ended then.
fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
