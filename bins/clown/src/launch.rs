use crate::detach::in_own_session;
use crate::failure::{Failure, NOT_REACHABLE};
use crate::places::Places;
use anyhow::Context as _;
use clown_client::Client;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a daemon may take to serve. It opens a database and reads a folder.
const START_LIMIT: Duration = Duration::from_secs(20);

const POLL_PAUSE: Duration = Duration::from_millis(20);

/// A daemon that nobody asked for by name does not stay for ever.
const IDLE_TIMEOUT: &str = "15m";

/// How much of the log is shown when the daemon does not start.
const LOG_LINES: usize = 10;

/// How much of its stderr is read. One that says more than this has started.
const STDERR_BYTES: usize = 64 * 1024;

/// What the daemon gets of this environment: what finds programs, folders, the keyring and the
/// network, and its own settings. Keys in the shell of whoever came first are not among it.
const PASSED_ON: [&str; 32] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "SSH_AUTH_SOCK",
    "GNUPGHOME",
    "GPG_TTY",
    "PASSWORD_STORE_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_BACKTRACE",
    "CLOWN_LISTEN",
    "CLOWN_IDLE_TIMEOUT",
    "CLOWN_LOG",
    "CLOWN_LOG_FORMAT",
    "LD_LIBRARY_PATH",
];
const PASSED_ON_PREFIXES: [&str; 2] = ["LC_", "XDG_"];

/// Starts `clownd` in the background and waits until it serves. When several commands do this at
/// once, one of them starts it and the others find it.
pub(crate) async fn start_in_background(places: &Places, client: &Client) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    let _turn = take_turn(places, client, deadline).await?;
    if client.health().await.is_ok() {
        return Ok(());
    }
    let program = find_program()?;
    let said = Said::from_now(places)?;
    let mut child = command(&program, places)
        .stderr(said.stderr_of_child()?)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let outcome = wait_until_it_serves(&mut child, client, deadline).await;
    // Whoever stays (a `clown watch`) must not keep its daemon as a zombie when that ends.
    std::thread::spawn(move || child.wait());
    match outcome {
        Outcome::Serves => Ok(()),
        Outcome::Ended(status) => Err(failure(
            &format!("{} ended at once ({status})", program.display()),
            &said,
            places,
        )),
        Outcome::Late => Err(failure(
            &format!(
                "{} does not serve after {} s",
                program.display(),
                START_LIMIT.as_secs()
            ),
            &said,
            places,
        )),
    }
}

/// Held while a daemon is being started from this state folder.
async fn take_turn(
    places: &Places,
    client: &Client,
    deadline: Instant,
) -> anyhow::Result<Option<File>> {
    let dir = &places.state_dir;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AlreadyExists => "it is there and is no folder".to_owned(),
            _ => error.to_string(),
        };
        let text = format!(
            "cannot make the state folder {}: {why}; --state-dir names another",
            dir.display()
        );
        Failure::new(NOT_REACHABLE, text)
    })?;
    let path = dir.join("start.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                if client.health().await.is_ok() {
                    return Ok(None);
                }
                sleep(POLL_PAUSE).await;
            }
            Err(TryLockError::WouldBlock) => {
                anyhow::bail!("another command is still starting the daemon; try again")
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    }
}

enum Outcome {
    Serves,
    Ended(ExitStatus),
    Late,
}

async fn wait_until_it_serves(child: &mut Child, client: &Client, deadline: Instant) -> Outcome {
    loop {
        if client.health().await.is_ok() {
            return Outcome::Serves;
        }
        if let Ok(Some(status)) = child.try_wait() {
            // Perhaps it gave way to one that a person started at the same moment.
            return if serves_soon(client).await {
                Outcome::Serves
            } else {
                Outcome::Ended(status)
            };
        }
        if Instant::now() >= deadline {
            // It is left alone: it may be busy with a database of a large past.
            return Outcome::Late;
        }
        sleep(POLL_PAUSE).await;
    }
}

async fn serves_soon(client: &Client) -> bool {
    const GIVING_WAY_LIMIT: Duration = Duration::from_secs(1);

    let deadline = Instant::now() + GIVING_WAY_LIMIT;
    while Instant::now() < deadline {
        if client.health().await.is_ok() {
            return true;
        }
        sleep(POLL_PAUSE).await;
    }
    false
}

/// `clownd` beside this program, else on the PATH.
pub(crate) fn find_program() -> anyhow::Result<PathBuf> {
    const NAME: &str = "clownd";

    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| own.canonicalize().ok())
        .map(|own| own.with_file_name(NAME))
        .filter(|path| path.is_file());
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join(NAME))
            .find(|candidate| candidate.is_file())
    };
    beside.or_else(on_path).ok_or_else(|| {
        let text =
            "cannot find clownd, neither beside this program nor on the PATH; install it there";
        Failure::new(NOT_REACHABLE, text).into()
    })
}

fn command(program: &Path, places: &Places) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--config-dir")
        .arg(&places.config_dir)
        .arg("--state-dir")
        .arg(&places.state_dir)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_passed_on(name)))
        .env("CLOWN_BACKGROUND", "1")
        // A daemon in a folder would keep its file system from being unmounted.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if std::env::var_os("CLOWN_IDLE_TIMEOUT").is_none_or(|value| value.is_empty()) {
        command.arg("--idle-timeout").arg(IDLE_TIMEOUT);
    }
    in_own_session(&mut command);
    command
}

fn is_passed_on(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    PASSED_ON.contains(&name)
        || PASSED_ON_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn failure(what: &str, said: &Said, places: &Places) -> anyhow::Error {
    let lines = said.lines();
    let mut message = what.to_owned();
    if lines.is_empty() {
        message.push_str(" and said nothing");
    } else {
        message.push_str(" and said:");
        for line in lines {
            message.push_str("\n    ");
            message.push_str(&crate::table::printable(&line));
        }
    }
    message.push_str(&format!(
        "\nRun it in the foreground to see more: clownd --config-dir {} --state-dir {}",
        shell_word(places.config_dir.as_os_str()),
        shell_word(places.state_dir.as_os_str()),
    ));
    Failure::new(NOT_REACHABLE, message).into()
}

/// The text as one word of a shell's line.
pub(crate) fn shell_word(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let is_plain = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '/' | '.' | '_' | '-' | '+' | ':')
    };
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// What a daemon that does not come up says about it.
struct Said {
    log: LogMark,
    /// Without a name, so that it leaves nothing behind. Not a pipe: what the daemon writes when
    /// nobody reads any more would fail, and end it.
    stderr: File,
}

impl Said {
    fn from_now(places: &Places) -> anyhow::Result<Self> {
        let dir = &places.state_dir;
        Ok(Self {
            log: LogMark::set(&places.log_file()),
            stderr: tempfile::tempfile_in(dir)
                .with_context(|| format!("cannot write in the state folder {}", dir.display()))?,
        })
    }

    fn stderr_of_child(&self) -> anyhow::Result<File> {
        self.stderr
            .try_clone()
            .context("cannot give the daemon a file for its errors")
    }

    /// The last lines on stderr, where the reason for an early end stands, else in the log.
    fn lines(&self) -> Vec<String> {
        // Read by position: the place of writing is the child's too.
        let mut bytes = vec![0; STDERR_BYTES];
        let len = self.stderr.read_at(&mut bytes, 0).unwrap_or_default();
        let lines = last_lines(bytes.get(..len).unwrap_or_default(), LOG_LINES);
        if lines.is_empty() {
            self.log.lines_since()
        } else {
            lines
        }
    }
}

/// The end of the log before the daemon was started.
struct LogMark {
    path: PathBuf,
    len: u64,
}

impl LogMark {
    fn set(path: &Path) -> Self {
        let len = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Self {
            path: path.to_owned(),
            len,
        }
    }

    /// The last lines that were written since.
    fn lines_since(&self) -> Vec<String> {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            // A log that has become shorter was rotated.
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(if len < self.len { 0 } else { self.len }))?;
            file.read_to_end(&mut bytes)
        });
        if read.is_err() {
            return Vec::new();
        }
        last_lines(&bytes, LOG_LINES)
    }
}

/// The last lines of a text.
pub(crate) fn last_lines(bytes: &[u8], count: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(count))
        .map(|&line| line.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_gets_no_keys_of_a_shell() {
        let names = [
            "PATH",
            "HOME",
            "LC_ALL",
            "XDG_RUNTIME_DIR",
            "CLOWN_LISTEN",
            "ANTHROPIC_API_KEY",
            "OPENAI_API_KEY",
            "CLOWN_DAEMON",
            "CLAUDE_CONFIG_DIR",
            "AWS_PROFILE",
        ];
        let expected = ["PATH", "HOME", "LC_ALL", "XDG_RUNTIME_DIR", "CLOWN_LISTEN"];
        let passed_on: Vec<_> = names
            .into_iter()
            .filter(|name| is_passed_on(name.as_ref()))
            .collect();
        assert_eq!(passed_on, expected);
    }

    #[test]
    fn words_for_a_shell() {
        let check = |text: &str, expected: &str| assert_eq!(shell_word(text.as_ref()), expected);
        check("/home/me/.config", "/home/me/.config");
        check("", "''");
        check("a b", "'a b'");
        check("it's", r"'it'\''s'");
        check("$(x)", "'$(x)'");
    }

    #[test]
    fn only_what_the_new_daemon_logged_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clownd.log");
        let mark = LogMark::set(&path);
        assert_eq!(mark.lines_since(), Vec::<String>::new());
        std::fs::write(&path, "old\n").unwrap();
        let mark = LogMark::set(&path);
        std::fs::write(&path, "old\nnew 1\nnew 2\n").unwrap();
        assert_eq!(mark.lines_since(), ["new 1", "new 2"]);
        std::fs::write(&path, "r\n").unwrap();
        assert_eq!(mark.lines_since(), ["r"]);
        assert_eq!(last_lines(b"1\n2\n3", 2), ["2", "3"]);
    }
}
