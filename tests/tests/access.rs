//! Who may connect, with real users: the daemon asks the kernel whose process is at the other end.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]
#![cfg(target_os = "linux")]

use clown_tests::{Stream, World, binaries, cannot_run, request, wait_for};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Users without a name, as an ordinary one and a second one.
const OWNER: u32 = 64_101;
const STRANGER: u32 = 64_102;
const ROOT: u32 = 0;

/// A daemon that runs as [`OWNER`], in folders of its own.
struct OwnersDaemon {
    root: tempfile::TempDir,
    process: Child,
    address: String,
}

impl OwnersDaemon {
    /// `None`, with a note, where this process may not become other users.
    fn start() -> Option<Self> {
        if !may_be_others() {
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        // Another user may not be able to reach the folder in which it was built.
        let program = root.path().join("clownd");
        fs::copy(&binaries().clownd, &program).unwrap();
        for name in ["home", "config", "config/profiles"] {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            chown(&path, Some(OWNER), Some(OWNER)).unwrap();
        }
        let log = fs::File::create(root.path().join("log")).unwrap();
        let process = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--log-level", "trace"])
            .env_clear()
            .env("HOME", root.path().join("home"))
            .env("PATH", "/usr/bin:/bin")
            .env("CLOWN_CONFIG_DIR", root.path().join("config"))
            .current_dir(root.path().join("home"))
            .uid(OWNER)
            .gid(OWNER)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Self {
            root,
            process,
            address: String::new(),
        };
        let file = daemon.state("daemon.json");
        daemon.address = wait_for("daemon.json", || {
            let found: Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            Some(found["address"].as_str()?.to_owned())
        });
        Some(daemon)
    }

    fn state(&self, name: &str) -> PathBuf {
        self.root.path().join("home/.local/state/clown").join(name)
    }

    fn token(&self) -> String {
        fs::read_to_string(self.state("token")).unwrap()
    }
}

impl Drop for OwnersDaemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn may_be_others() -> bool {
    if !geteuid().is_root() {
        cannot_run("run this test as root, which may start processes of other users");
        return false;
    }
    if Command::new("bash").arg("-c").arg("true").status().is_err() {
        cannot_run("install bash, whose own sockets the test uses");
        return false;
    }
    true
}

/// A process of `user` that runs `script`, in which 3 is a connection to the daemon, and which gets
/// `request` as its input.
fn connect_as(user: u32, address: &str, script: &str, request: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap();
    let mut process = Command::new("bash")
        .arg("-c")
        .arg(format!(
            "exec 3<>/dev/tcp/{host}/{port} && cat >&3 && {script}"
        ))
        .current_dir("/")
        .uid(user)
        .gid(user)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(request.as_bytes()).unwrap();
    drop(input);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The status that `user` gets.
fn status(user: u32, address: &str, request: &str) -> u16 {
    let line = connect_as(user, address, "head -n 1 <&3", request);
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Requests of every kind, with a place for a header, and the status of each when it is let in.
fn requests(address: &str, header: &str) -> Vec<(String, u16)> {
    let head = |line: &str, more: &str| {
        format!("{line} HTTP/1.1\r\nHost: {address}\r\n{header}{more}\r\n")
    };
    let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let body = "{}";
    let shutdown = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    vec![
        (head("GET /ws", socket), 101),
        (head("GET /ws?since=0", socket), 101),
        (head("GET /api/v1/state", ""), 200),
        (head("GET /api/v1/events", ""), 200),
        (
            head("GET /api/v1/events", "Accept: text/event-stream\r\n"),
            200,
        ),
        (head("GET /nothing", ""), 404),
        (
            head("POST /api/v1/agents/detect", "Content-Length: 0\r\n"),
            200,
        ),
        // Last, as it ends the daemon.
        (head("POST /api/v1/daemon/shutdown", &shutdown) + body, 202),
    ]
}

#[test]
fn another_user_needs_the_token_and_the_daemons_own_does_not() {
    let Some(daemon) = OwnersDaemon::start() else {
        return;
    };
    let address = &daemon.address;
    // The superuser is another user too. It can read the token, and nobody else can.
    for user in [STRANGER, ROOT] {
        for (request, _) in requests(address, "") {
            assert_eq!(status(user, address, &request), 401, "{user}: {request}");
        }
        let wrong = format!("Authorization: Bearer {}\r\n", "0".repeat(64));
        for (request, _) in requests(address, &wrong) {
            assert_eq!(status(user, address, &request), 401, "{user}: {request}");
        }
        let health = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
        assert_eq!(status(user, address, &health), 200);
        let reading = Command::new("cat")
            .arg(daemon.state("token"))
            .uid(user)
            .gid(user)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(reading.status.success(), user == ROOT);
    }
    let closing = "Connection: close\r\n";
    let request = &requests(address, closing)[2].0;
    let answer = connect_as(STRANGER, address, "cat <&3", request);
    assert!(answer.contains("\"code\":\"token_missing\""), "{answer}");
    assert!(
        answer
            .to_ascii_lowercase()
            .contains("\r\nwww-authenticate: bearer"),
        "{answer}"
    );

    let proxied = "Via: 1.1 proxy\r\n";
    assert_eq!(
        status(OWNER, address, &requests(address, proxied)[2].0),
        401
    );
    let bearer = format!("Authorization: Bearer {}\r\n", daemon.token());
    let pair = format!(
        "Sec-WebSocket-Protocol: clown.bearer, {}\r\n",
        daemon.token()
    );
    for (user, header) in [(STRANGER, bearer.as_str()), (STRANGER, &pair), (OWNER, "")] {
        let mut allowed = requests(address, header);
        allowed.pop();
        for (request, expected) in allowed {
            assert_eq!(
                status(user, address, &request),
                expected,
                "{user}: {request}"
            );
        }
    }
    let log = fs::read_to_string(daemon.root.path().join("log")).unwrap();
    assert!(!log.is_empty() && !log.contains(&daemon.token()));
    let (shutdown, expected) = requests(address, "").pop().unwrap();
    assert_eq!(status(OWNER, address, &shutdown), expected);
}

/// A process that is gone when the daemon looks has no owner any more, and the kernel shows what is
/// left of it as the superuser's.
#[test]
fn one_that_sends_and_closes_at_once_gets_nothing() {
    if !may_be_others() {
        return;
    }
    let create = |address: &str, alias: &str| {
        let body = json!({"alias": alias, "agent_id": "claude"}).to_string();
        format!(
            "POST /api/v1/profiles HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    // Once against a daemon of the superuser, for whose own the rest of a process could be taken.
    let world = World::with_agent("");
    let owners = OwnersDaemon::start().unwrap();
    let daemons = [
        (
            world.address(),
            ROOT,
            Pid::from_raw(i32::try_from(world.daemon_pid()).unwrap()),
        ),
        (
            &owners.address,
            OWNER,
            Some(Pid::from_child(&owners.process)),
        ),
    ];
    for (address, own, process) in daemons {
        let process = process.unwrap();
        kill_process(process, Signal::STOP).unwrap();
        for number in 0..20 {
            let sneak = create(address, &format!("sneaked-{number}"));
            connect_as(STRANGER, address, "true", &sneak);
        }
        // One that stays, of the daemon's own user: requests sent meanwhile are not lost.
        let stays = create(address, "stays");
        let script =
            "kill -CONT $PID; head -n 1 <&3".replace("$PID", &process.as_raw_nonzero().to_string());
        let line = connect_as(own, address, &script, &stays);
        assert!(line.contains(" 201 "), "{line}");
        let token = match own {
            ROOT => String::new(),
            _ => format!("Authorization: Bearer {}\r\n", owners.token()),
        };
        let list = format!(
            "GET /api/v1/profiles HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{token}\r\n"
        );
        wait_for("the end of all connections", || no_connection(address));
        let answer = connect_as(ROOT, address, "cat <&3", &list);
        assert!(answer.contains("\"stays\""), "{answer}");
        assert!(!answer.contains("sneaked"), "{answer}");
    }
}

/// Whether the kernel has no connection to `address` any more, by the table of proc_pid_net(5).
fn no_connection(address: &str) -> Option<()> {
    const LISTENING: &str = "0A";
    const TIME_WAIT: &str = "06";
    let port: u16 = address.rsplit_once(':')?.1.parse().ok()?;
    let ending = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let open = table.lines().skip(1).any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[1].ends_with(&ending) && ![LISTENING, TIME_WAIT].contains(&columns[3])
    });
    (!open).then_some(())
}

#[test]
fn the_token_is_made_once_for_its_owner_alone_and_replaced_when_others_may_know_it() {
    let mut world = World::new();
    world.start();
    let path = world.path("state/token");
    let token = || fs::read_to_string(&path).unwrap();
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let first = token();
    assert!(first.len() >= 32);
    assert_eq!(mode(), 0o600);
    let restart = |world: &mut World| {
        world.signal_daemon(Signal::TERM);
        assert_eq!(world.daemon_ended(), Some(0));
        world.start();
    };
    restart(&mut world);
    assert_eq!(token(), first);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    restart(&mut world);
    assert_ne!(token(), first);
    assert_eq!(mode(), 0o600);
    let said = fs::read_to_string(world.path("clownd.stderr")).unwrap();
    assert!(said.contains("a new token is made"), "{said}");
    assert!(!said.contains(&first) && !said.contains(&token()));
}

#[test]
fn a_daemon_of_this_user_lets_this_user_in() {
    let world = World::with_agent("");
    assert_eq!(world.get("/api/v1/state").status, 200);
    let mut stream = Stream::connect(world.address(), "?since=0");
    stream.until("DaemonStarted");
    let answer = request(
        world.address(),
        "POST",
        "/api/v1/daemon/shutdown",
        Some(&json!({})),
    );
    assert_eq!(answer.status, 202);
}
