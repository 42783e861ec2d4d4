//! The real program: what it says when it cannot start, and how it ends.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

struct Folders(tempfile::TempDir);

impl Folders {
    fn new() -> Self {
        let folders = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(folders.path("config/profiles")).unwrap();
        folders
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clownd"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", self.path("bin"))
            .env("CLOWN_CONFIG_DIR", self.path("config"))
            .env("CLOWN_STATE_DIR", self.path("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it and waits until it serves; the address.
    fn start(&self, command: &mut Command) -> (Child, String) {
        let child = command.spawn().unwrap();
        let file = self.path("state/daemon.json");
        let pid = child.id();
        let address = eventually("daemon.json", || {
            let found: serde_json::Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            (found["pid"] == pid).then(|| found["address"].as_str().unwrap().to_owned())
        });
        (child, address)
    }
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_keeps_it_from_starting_is_one_sentence_with_a_way_out() {
    let folders = Folders::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let taken_address = format!("127.0.0.1:{port}");
    let check = |arguments: &[&str], parts: &[&str]| {
        let output = folders.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = said(&output);
        assert!(said.starts_with("clownd: "), "{said}");
        assert_eq!(said.matches("clownd: ").count(), 1, "{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    };
    let own_pid = std::process::id().to_string();
    check(
        &["--listen", &taken_address],
        &[&port.to_string(), &own_pid, "--listen"],
    );
    check(
        &["--listen", "everywhere"],
        &["everywhere", "127.0.0.1:8765"],
    );
    check(&["--idle-timeout", "soon"], &["soon", "15m"]);
    check(&["--log-level", "=x=y="], &["=x=y=", "debug"]);
    check(&["--log-format", "xml"], &["xml", "json"]);
    fs::write(
        folders.path("config/config.toml"),
        "\n[journal]\nkeep_event = 1\n",
    )
    .unwrap();
    check(&[], &["config.toml", "line 3", "keep_event"]);
    fs::write(
        folders.path("config/config.toml"),
        "[access]\nhosts = [\"http://x\"]\n",
    )
    .unwrap();
    check(&["--listen", "127.0.0.1:0"], &["http://x"]);
    fs::remove_file(folders.path("config/config.toml")).unwrap();
    fs::write(folders.path("state-is-a-file"), "").unwrap();
    let file = folders.path("state-is-a-file");
    check(
        &["--state-dir", file.to_str().unwrap()],
        &["state-is-a-file"],
    );
    let output = folders.command(&["--no-such-flag"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_damaged_database_is_set_aside_and_told() {
    let folders = Folders::new();
    let (mut child, _) = folders.start(&mut folders.command(&["--listen", "127.0.0.1:0"]));
    let mode = fs::metadata(folders.path("state"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    signal(&child, rustix::process::Signal::TERM);
    assert!(child.wait().unwrap().success());
    fs::write(
        folders.path("state/clown.db"),
        "this is no database, and long enough to be read as one",
    )
    .unwrap();
    let (mut child, _) = folders.start(&mut folders.command(&["--listen", "127.0.0.1:0"]));
    let kept = fs::read_dir(folders.path("state"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("damaged"))
        .any(|entry| fs::read(entry.path()).is_ok_and(|bytes| bytes.starts_with(b"this is no")));
    assert!(kept, "the damaged file is gone");
    signal(&child, rustix::process::Signal::TERM);
    assert!(child.wait().unwrap().success());
}

#[test]
fn in_the_background_it_logs_to_its_file_also_why_it_failed() {
    let folders = Folders::new();
    let (mut child, _) = folders.start(
        folders
            .command(&["--listen", "127.0.0.1:0", "--log-format", "json"])
            .env("CLOWN_BACKGROUND", "1"),
    );
    // The two write one file at the same time, in whichever order.
    let second = folders
        .command(&["--log-format", "json"])
        .env("CLOWN_BACKGROUND", "1")
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains(&child.id().to_string()));
    signal(&child, rustix::process::Signal::TERM);
    assert!(child.wait().unwrap().success());
    let log = fs::read_to_string(folders.path("state/clownd.log")).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().any(|line| line["level"] == "INFO"), "{log}");
    let why = lines.iter().find(|line| line["level"] == "ERROR").unwrap();
    assert!(why.to_string().contains("runs already as process"), "{log}");
}

#[test]
fn an_impatient_person_is_let_go_at_once() {
    use rustix::process::Signal;
    let folders = Folders::new();
    let (mut child, address) = folders.start(&mut folders.command(&["--listen", "127.0.0.1:0"]));
    // A client that reads its event and never answers the close frame holds the stop up for a
    // while: time for a second Ctrl-C.
    let mut client = TcpStream::connect(&address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    client.write_all(handshake.as_bytes()).unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4_096];
    while !String::from_utf8_lossy(&seen).contains("\r\n\r\n") {
        let count = client.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..count]);
    }
    signal(&child, Signal::INT);
    while !String::from_utf8_lossy(&seen).contains("DaemonShuttingDown") {
        let count = client.read(&mut buffer).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    signal(&child, Signal::INT);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(!folders.path("state/daemon.json").exists());
}

#[test]
fn sighup_without_a_terminal_changes_nothing() {
    let folders = Folders::new();
    let (mut child, address) = folders.start(&mut folders.command(&["--listen", "127.0.0.1:0"]));
    signal(&child, rustix::process::Signal::HUP);
    let mut stderr = child.stderr.take().unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 1_024];
    while !String::from_utf8_lossy(&seen).contains("SIGHUP") {
        let count = stderr.read(&mut buffer).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    TcpStream::connect(&address).unwrap();
    signal(&child, rustix::process::Signal::TERM);
    assert!(child.wait().unwrap().success());
}
