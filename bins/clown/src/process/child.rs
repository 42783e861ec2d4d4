use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, waitid};
use std::io;

/// Waits until the child has ended, and gives its code: 128+N when signal N ended it. When it is
/// stopped, this program stops too, so that the shell sees the whole job stopped.
///
/// The child is still to be reaped: `reap` asks for that, once its code is safe.
pub(crate) fn wait(child: Pid) -> io::Result<i32> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    loop {
        let status = match waitid(WaitId::Pid(child), options) {
            Err(Errno::INTR) => continue,
            Ok(status) => status.ok_or(Errno::CHILD)?,
            Err(error) => return Err(error.into()),
        };
        if status.stopped() {
            // Taken, so that the same stop is not told again.
            let taken = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
            let stopped = matches!(waitid(WaitId::Pid(child), taken), Ok(Some(_)));
            // After Ctrl-Z both are stopped by the terminal; when this runs, it is all over.
            if stopped && is_stopped(child) {
                kill_process(getpid(), Signal::STOP)?;
            }
            continue;
        }
        return Ok(code(status.exit_status(), status.terminating_signal()));
    }
}

/// Gives the ended child's number back to the system.
pub(super) fn reap(child: Pid) {
    while let Err(Errno::INTR) = waitid(WaitId::Pid(child), WaitIdOptions::EXITED) {}
}

fn code(exited: Option<i32>, signal: Option<i32>) -> i32 {
    match (exited, signal) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    }
}

/// Whether the process is stopped now. Where the system does not tell, it is taken to be.
pub(super) fn is_stopped(process: Pid) -> bool {
    stat_field(process, 3).is_none_or(|state| state.starts_with(['T', 't']))
}

/// One of the fields of `/proc/<pid>/stat` behind the name, numbered as in proc(5).
pub(crate) fn stat_field(process: Pid, number: usize) -> Option<String> {
    let path = format!("/proc/{}/stat", process.as_raw_nonzero());
    let line = std::fs::read(path).ok()?;
    // The name is in parentheses and can hold anything, parentheses too.
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
    let field = rest.split_ascii_whitespace().nth(number - 3)?;
    Some(field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn codes_of_ended_children() {
        let check = |script: &str, expected: i32| {
            let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            let pid = Pid::from_child(&child);
            assert_eq!(wait(pid).unwrap(), expected, "{script}");
            assert_eq!(stat_field(pid, 3).unwrap(), "Z", "not reaped yet");
            reap(pid);
            assert_eq!(stat_field(pid, 3), None);
            assert!(child.wait().is_err(), "nobody is left to be asked for");
        };
        check("exit 0", 0);
        check("exit 255", 255);
        check("kill -KILL $$", 137);
        check("kill -TERM $$", 143);
    }
}
