use clown_client::Received;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::process::{ExitStatus, Stdio};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs a shell command for an event: the event's JSON and a line end on its standard input, its
/// type, number and profile in the environment. Dropping the future ends the command and what it has
/// started. An error is how it failed.
pub(super) async fn run(command: &str, received: &Received) -> Result<(), String> {
    match status(command, received).await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(format!("`sh` cannot be run: {error}")),
    }
}

async fn status(command: &str, received: &Received) -> io::Result<ExitStatus> {
    let envelope = &received.envelope;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .env("CLOWN_EVENT_TYPE", envelope.event.name())
        .env(
            "CLOWN_EVENT_PROFILE",
            envelope.event.profile().unwrap_or_default(),
        )
        .env(
            "CLOWN_EVENT_SEQ",
            envelope.seq.map(|seq| seq.to_string()).unwrap_or_default(),
        )
        .stdin(Stdio::piped())
        .process_group(0);
    let mut child = shell.spawn()?;
    let mut group = Group(child.id());
    let mut stdin = child.stdin.take();
    let text = format!("{}\n", received.text);
    let feed = async move {
        if let Some(mut stdin) = stdin.take() {
            // A command need not read what it is given.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
    };
    // Beside each other: a command may write before it reads, and end before it has read all.
    tokio::pin!(feed);
    let mut is_fed = false;
    loop {
        tokio::select! {
            status = child.wait() => {
                // What it has left running on purpose goes on.
                group.0 = None;
                return status;
            }
            () = &mut feed, if !is_fed => is_fed = true,
        }
    }
}

/// The processes of a command that is under way; ended when this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|pid| i32::try_from(pid).ok());
        if let Some(leader) = leader.and_then(Pid::from_raw) {
            // Fails when nothing is left of it, which is what is wanted. The shell itself is not
            // reaped yet, so the number is still its own.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}
