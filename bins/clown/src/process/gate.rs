//! A child that has its number but runs its program only once it is let through.
//!
//! So the daemon can be told of the process before it does anything, and a process that nobody was
//! told of never does anything: when this program is killed, the gate's pipe closes and the child
//! ends without having run the agent.

use rustix::io::{Errno, read, write};
use rustix::process::{Signal, getpid, kill_process};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

const GO: u8 = b'g';
const TURN_BACK: u8 = b'x';

/// The child at the gate.
#[derive(Debug)]
pub(crate) struct Gated {
    pid: u32,
    gate: Gate,
    /// What became of the start, once the gate was opened.
    outcome: Receiver<io::Result<()>>,
}

type Gate = Arc<Mutex<Option<PipeWriter>>>;

/// Makes the child and waits until it stands at the gate. An error is that there is no child, or
/// that it could not enter its folder.
pub(crate) fn start_behind_gate(mut command: Command) -> io::Result<Gated> {
    let (gate_read, gate_write) = io::pipe()?;
    let (mut pid_read, pid_write) = io::pipe()?;
    let gate: Gate = Arc::new(Mutex::new(Some(gate_write)));
    let gate_of_child = Arc::clone(&gate);
    before_program(&mut command, move || {
        // The child's own end would keep the pipe open when this program is gone. Nobody holds the
        // lock while there is no number yet.
        if let Ok(mut gate) = gate_of_child.try_lock() {
            drop(gate.take());
        }
        stand_at_gate(&pid_write, &gate_read)
    });
    let (sender, outcome) = sync_channel(1);
    // The standard library answers only when the program runs, so it is asked on a thread.
    std::thread::Builder::new()
        .name("agent-start".to_owned())
        .spawn(move || {
            let spawned = command.spawn();
            // The pipes close with it, which ends the waiting for a number that does not come.
            drop(command);
            let _ = sender.send(spawned.map(drop));
        })?;
    let mut pid = [0; 4];
    match pid_read.read_exact(&mut pid) {
        Ok(()) => Ok(Gated {
            pid: u32::from_ne_bytes(pid),
            gate,
            outcome,
        }),
        Err(error) => match outcome.recv() {
            Ok(Err(reason)) => Err(reason),
            _ => Err(error),
        },
    }
}

impl Gated {
    /// The child's number, which becomes the agent's.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets the child run the program, and waits until it does. An error is that it cannot; then
    /// the child is gone.
    pub(crate) fn open(self) -> io::Result<()> {
        self.answer(GO)
    }

    /// Sends the child home. The program never runs.
    pub(crate) fn turn_back(self) {
        // It is gone either way.
        let _ = self.answer(TURN_BACK);
    }

    fn answer(&self, answer: u8) -> io::Result<()> {
        let gate = self
            .gate
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut gate) = gate {
            // Fails when the child was killed at the gate; the outcome tells.
            let _ = gate.write_all(&[answer]);
        }
        self.outcome
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that starts it has ended")))
    }
}

/// Runs in the child, between fork and exec: nothing here allocates or waits for a lock.
fn stand_at_gate(pid: &PipeWriter, gate: &PipeReader) -> io::Result<()> {
    let own = getpid().as_raw_nonzero().get();
    write(pid, &own.to_ne_bytes())?;
    let mut answer = [0];
    loop {
        match read(gate, &mut answer) {
            Err(Errno::INTR) => {}
            Ok(1) if answer[0] == GO => return Ok(()),
            // Nobody is there to be told by. The standard library would want to tell the parent of
            // an error, and abort loudly in the person's terminal when it cannot.
            Ok(0) => kill_process(getpid(), Signal::KILL)?,
            // Told to turn back.
            _ => return Err(Errno::CANCELED.into()),
        }
    }
}

#[expect(
    unsafe_code,
    reason = "the standard library has no safe way to do something between fork and exec"
)]
fn before_program(
    command: &mut Command,
    work: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: `work` is the closure above. It makes system calls that are async-signal-safe (close,
    // getpid, write, read, kill), tries a lock without waiting, and makes errors from plain numbers; it
    // allocates nothing.
    unsafe {
        command.pre_exec(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn touch(path: &Path) -> Command {
        let mut command = Command::new("touch");
        command.arg(path);
        command
    }

    /// The signal that ended it, if one did.
    fn reap(pid: u32) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
        let waited = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        waited.unwrap().unwrap().1.terminating_signal()
    }

    #[test]
    fn nothing_runs_before_the_gate_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let gated = start_behind_gate(touch(&file)).unwrap();
        let pid = gated.pid();
        let parent = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(
            parent.contains(&format!("PPid:\t{}", std::process::id())),
            "{parent}"
        );
        assert!(!file.exists());
        gated.open().unwrap();
        reap(pid);
        assert!(file.exists());
    }

    #[test]
    fn who_is_turned_back_never_runs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let gated = start_behind_gate(touch(&file)).unwrap();
        let pid = gated.pid();
        gated.turn_back();
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "and is gone");
        assert!(!file.exists());
    }

    #[test]
    fn a_gate_that_closes_ends_the_child() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let gated = start_behind_gate(touch(&file)).unwrap();
        // As when this program is killed: the last end of the pipe is gone.
        gated.gate.lock().unwrap().take();
        // At once and silently: no error that the standard library would want to tell somebody.
        assert_eq!(reap(gated.pid()), Some(9));
        assert!(!file.exists());
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let gated = start_behind_gate(Command::new(folder.path().join("none"))).unwrap();
        assert_eq!(gated.open().unwrap_err().kind(), io::ErrorKind::NotFound);
        let mut command = Command::new("true");
        command.current_dir(folder.path().join("none"));
        assert_eq!(
            start_behind_gate(command).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
