use super::{Environment, KeyError, Secret};
use crate::Alias;
use crate::process::{ProcessHandle, identity_of};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use zeroize::Zeroizing;

const LIMIT: Duration = Duration::from_secs(30);
/// How long output may take to arrive once the command has ended.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// What a command prints beyond this is not looked at.
const MAX_OUTPUT: u64 = 64 * 1024;

/// Runs a shell command and takes the first line that it prints. It gets no input and no terminal;
/// whatever it started in its process group ends with it.
pub(super) fn first_line_of(
    profile: &Alias,
    line: &str,
    environment: &Environment,
) -> Result<Secret, KeyError> {
    first_line_within(profile, line, environment, LIMIT)
}

pub(super) fn first_line_within(
    profile: &Alias,
    line: &str,
    environment: &Environment,
    limit: Duration,
) -> Result<Secret, KeyError> {
    let not_started = |source| KeyError::CommandNotStarted {
        profile: profile.clone(),
        source,
    };
    let mut child = Command::new("/bin/sh")
        .args(["-c", line])
        .env_clear()
        .envs(environment.iter())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(not_started)?;
    let outcome = run(&mut child, limit).map_err(not_started)?;
    let Some((status, output, complaints)) = outcome else {
        return Err(KeyError::CommandTimeout {
            profile: profile.clone(),
            seconds: limit.as_secs(),
            advice: how_to_unlock(line),
        });
    };
    if !status.success() {
        // A program that a shell did not find, or could not start, is not locked.
        let was_there = !matches!(status.code(), Some(126 | 127));
        return Err(KeyError::CommandFailed {
            profile: profile.clone(),
            how: describe(status),
            last_line: last_line(&complaints),
            advice: how_to_unlock(line).filter(|_| was_there),
        });
    }
    let text = std::str::from_utf8(&output).map_err(|_| KeyError::Unusable {
        profile: profile.clone(),
        origin: "its key command".to_owned(),
        flaw: "it is not UTF-8 text",
    })?;
    Ok(Secret::new(text.lines().next().unwrap_or_default().trim()))
}

type Printed = Zeroizing<Vec<u8>>;

/// None when the limit was over first.
fn run(child: &mut Child, limit: Duration) -> io::Result<Option<(ExitStatus, Printed, Printed)>> {
    let output = child.stdout.take().map(first_line_on_thread).transpose()?;
    let complaints = child.stderr.take().map(all_on_thread).transpose()?;
    // Not reaped before the group is ended, so its number cannot be another's by then.
    let handle = match identity_of(child.id())? {
        Some(identity) => ProcessHandle::open(identity)?,
        None => None,
    };
    let ended = match handle {
        Some(handle) => handle.wait(limit)?,
        None => true,
    };
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It fails when nothing of the group is left.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    let read = |printed: Option<Receiver<Printed>>| {
        printed
            .and_then(|printed| printed.recv_timeout(AFTERWARDS).ok())
            .unwrap_or_default()
    };
    let (output, complaints) = (read(output), read(complaints));
    Ok(ended.then_some((status, output, complaints)))
}

fn first_line_on_thread(pipe: impl Read + Send + 'static) -> io::Result<Receiver<Printed>> {
    read_on_thread(pipe, |pipe, bytes| pipe.read_until(b'\n', bytes))
}

fn all_on_thread(pipe: impl Read + Send + 'static) -> io::Result<Receiver<Printed>> {
    read_on_thread(pipe, |pipe, bytes| pipe.read_to_end(bytes))
}

/// A program that left the group can keep the pipe open for ever, so nobody waits for the thread.
fn read_on_thread<Pipe: Read + Send + 'static>(
    pipe: Pipe,
    read: fn(&mut dyn BufRead, &mut Vec<u8>) -> io::Result<usize>,
) -> io::Result<Receiver<Printed>> {
    let (sender, printed) = sync_channel(1);
    std::thread::Builder::new()
        .name("key-command".to_owned())
        .spawn(move || {
            let mut pipe = BufReader::with_capacity(512, pipe);
            // Reserved at once: a buffer that grows leaves copies of the key behind.
            let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
            // What was read before an error is all there is.
            let _ = read(&mut pipe.by_ref().take(MAX_OUTPUT), &mut bytes);
            let _ = sender.send(bytes);
            // The command may go on printing, and must not fail because nobody reads it.
            let _ = io::copy(&mut pipe, &mut io::sink());
        })?;
    Ok(printed)
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

/// For password managers that are known: the command has no terminal to ask at, and the daemon's
/// environment, not that of a shell in which somebody signed in.
fn how_to_unlock(line: &str) -> Option<&'static str> {
    let program = line.split_whitespace().find(|word| !word.contains('='))?;
    match program.rsplit('/').next()? {
        "op" => Some(
            "if 1Password is locked, unlock its app, with the integration of the command line switched on there, or start the daemon with OP_SERVICE_ACCOUNT_TOKEN",
        ),
        "pass" | "gopass" => Some(
            "if its key is locked, run the command once in a terminal: the agent that asks for the passphrase then keeps it for a while",
        ),
        _ => None,
    }
}

fn last_line(complaints: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaints);
    let last = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    match last {
        Some(line) => line.chars().filter(|c| !c.is_control()).take(300).collect(),
        None => "it gave no reason".to_owned(),
    }
}
