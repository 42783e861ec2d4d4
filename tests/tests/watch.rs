//! `clown watch` and `clown events` with the real daemon.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{World, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// A watcher that was there before anything happened.
struct Watcher {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watcher {
    /// Starts it at the end of history, and waits until it is connected.
    fn start(world: &World, arguments: &[&str]) -> Self {
        let mut child = world
            .clown(&[&["watch"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        wait_for_connections(world, 1);
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a line").unwrap()
    }

    /// What it printed and did not say yet, and how it ended.
    fn end(mut self) -> (Vec<String>, Option<i32>, String) {
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        let Output { status, stderr, .. } = self.child.wait_with_output().unwrap();
        (
            rest,
            status.code(),
            String::from_utf8_lossy(&stderr).into_owned(),
        )
    }
}

fn wait_for_connections(world: &World, wanted: u64) {
    wait_for("the connections", || {
        let daemon = world.get("/api/v1/daemon").json();
        (daemon["counts"]["connections"] == wanted).then_some(())
    });
}

fn run(world: &World, alias: &str) {
    let output = world.clown(&["run", alias]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

fn head(world: &World) -> u64 {
    world.get("/api/v1/state").json()["seq"].as_u64().unwrap()
}

#[test]
fn a_script_waits_for_the_end_of_a_run() {
    let world = World::with_agent("exit 3");
    world.create_profile("work");
    world.create_profile("opencode-trial");
    let awaited = "ProfileStopped:alias=opencode-trial";
    let format = "{type} {alias} {data.exit_code}";
    let arguments = ["--exit-on", awaited, "--format", format, "--timeout", "60s"];
    let watcher = Watcher::start(&world, &arguments);
    run(&world, "work");
    run(&world, "opencode-trial");
    let (lines, code, said) = watcher.end();
    let runs: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("ProfileSt"))
        .collect();
    let expected = [
        "ProfileStarted work -",
        "ProfileStopped work 3",
        "ProfileStarted opencode-trial -",
        "ProfileStopped opencode-trial 3",
    ];
    assert_eq!(runs, expected, "{lines:?}");
    assert_eq!((code, said.as_str()), (Some(0), ""));

    // The same question to history, and one whose answer is no.
    let ended = |condition: &str| {
        let arguments = ["events", "--since", "1h", "--json", "--exit-on", condition];
        world.clown(&arguments).output().unwrap().status.code()
    };
    assert_eq!(ended(awaited), Some(0));
    assert_eq!(ended("ProfileStopped:exit_code=0"), Some(1));
}

#[test]
fn commands_get_what_the_stream_sends() {
    let world = World::with_agent("exit 3");
    let command = "cat >> \"$CLOWN_EVENT_TYPE\"";
    let arguments = [
        "--events", "Profile*", "--count", "2", "--json", "--exec", command,
    ];
    let watcher = Watcher::start(&world, &arguments);
    world.create_profile("work");
    world.clown_ok(&["profiles", "set", "work", "model=other"]);
    let (lines, code, said) = watcher.end();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let written = |kind: &str| fs::read_to_string(world.path("work").join(kind)).unwrap();
    assert_eq!(written("ProfileCreated"), format!("{}\n", lines[0]));
    assert_eq!(written("ProfileUpdated"), format!("{}\n", lines[1]));
    let updated: Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(
        updated["data"],
        json!({"alias": "work", "changes": ["model"]})
    );
}

#[test]
fn both_tell_the_same_history_byte_for_byte() {
    let world = World::with_agent("exit 3");
    let begin = head(&world).to_string();
    for alias in ["one", "two", "three"] {
        world.create_profile(alias);
        run(&world, alias);
    }
    let end = head(&world).to_string();
    let print = |command: &str, more: &[&str]| {
        let range = [
            command, "--json", "--strict", "--since", &begin, "--until", &end,
        ];
        world.clown_ok(&[&range, more].concat())
    };
    let watched = print("watch", &[]);
    assert_eq!(watched, print("events", &[]));
    let mut stream = world.stream(&format!("?since={begin}"));
    for line in watched.lines() {
        assert_eq!(line, stream.next_text());
    }
    let starts = print(
        "events",
        &["--events", "ProfileStarted", "--profile", "two,three"],
    );
    assert_eq!(starts.lines().count(), 2);
    assert_eq!(
        print("watch", &["--limit", "1"]),
        format!("{}\n", watched.lines().next().unwrap())
    );
}

#[test]
fn a_number_of_another_journal_is_a_gap() {
    let world = World::with_agent("exit 3");
    world.create_profile("work");
    for command in ["watch", "events"] {
        let arguments = [command, "--since", "17", "--count", "1", "--json"];
        let output = world.clown(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(!output.stdout.is_empty());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("between 17 and"), "{said}");

        let strict = [&arguments[..], &["--strict"]].concat();
        let output = world.clown(&strict).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn a_watcher_whose_reader_has_gone_holds_nothing_back() {
    let world = World::with_agent("exit 3");
    let mut watcher = Watcher::start(&world, &["--json"]);
    world.create_profile("work");
    while !watcher.line().contains("ProfileCreated") {}
    // Nothing more happens, so that it never finds out by writing.
    drop(watcher.lines);
    let status = wait_for("the watcher's end", || watcher.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    wait_for_connections(&world, 0);
}

#[test]
fn time_runs_out_on_its_own_exit_code() {
    let world = World::with_agent("exit 3");
    let output = world
        .clown(&["watch", "--events", "ProxyError", "--timeout", "200ms"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(6), "{output:?}");
}

/// Another user of the machine, with the token and without.
#[test]
fn another_users_daemon_lets_in_who_has_its_token() {
    const STRANGER: u32 = 65534;

    if !rustix::process::geteuid().is_root() {
        clown_tests::cannot_run("run this as root, which can become another user");
        return;
    }
    let world = World::with_agent("exit 3");
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = home.path().join("clown");
    // By another process: one that this one holds open for writing could not be run.
    let copied = Command::new("cp")
        .args([&clown_tests::binaries().clown, &program])
        .status();
    assert!(copied.unwrap().success());
    chown(home.path(), Some(STRANGER), Some(STRANGER)).unwrap();
    let watch = |environment: &[(&str, &str)]| {
        let user = STRANGER.to_string();
        Command::new("setpriv")
            .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
            .arg(&program)
            .args(["watch", "--since", "0", "--count", "1", "--json"])
            .args(["--daemon", world.address()])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let stranger = watch(&[]);
    assert_eq!(stranger.status.code(), Some(5), "{stranger:?}");
    assert!(said(&stranger).contains("nothing was sent"), "{stranger:?}");

    let token = fs::read_to_string(world.path("state/token")).unwrap();
    let friend = watch(&[("CLOWN_TOKEN", token.trim())]);
    assert_eq!(friend.status.code(), Some(0), "{friend:?}");
    let event: Value = serde_json::from_slice(&friend.stdout).unwrap();
    assert!(event["seq"].is_u64(), "{event}");

    let wrong = watch(&[("CLOWN_TOKEN", &"x".repeat(token.trim().len()))]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(said(&wrong).contains("token"), "{wrong:?}");
    assert!(wrong.stdout.is_empty(), "{wrong:?}");
}
