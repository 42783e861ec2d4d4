//! Runs of a fake agent by the real command line, with everything killed that can be killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{Stream, World, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::process::{Child, Command, Stdio};

/// Says its pid in the working folder, then waits until it may go on.
const PATIENT: &str =
    "echo $$ > pid.new; mv pid.new pid; while [ ! -e go ]; do sleep 0.02; done; exit 7";

fn started(world: &World, command: &mut Command) -> (Child, u32) {
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = wait_for("the agent's pid", || {
        fs::read_to_string(world.path("work/pid"))
            .ok()?
            .trim()
            .parse()
            .ok()
    });
    (child, pid)
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

fn go_on(world: &World) {
    fs::write(world.path("work/go"), "").unwrap();
}

/// The events of runs that the journal holds.
fn run_events(world: &World) -> Vec<Value> {
    let page = world
        .get("/api/v1/events?events=ProfileStarted,ProfileStopped&limit=1000")
        .json();
    page["items"].as_array().unwrap().clone()
}

fn stopped(world: &World) -> Value {
    wait_for("ProfileStopped", || {
        run_events(world)
            .into_iter()
            .find(|event| event["type"] == "ProfileStopped")
    })
}

/// Exactly one ProfileStarted with `pid` and one ProfileStopped with `code`, in this order.
fn check_told_once(world: &World, pid: u32, code: i64) {
    let stopped = stopped(world);
    assert_eq!(stopped["data"]["exit_code"], code, "{stopped}");
    let events = run_events(world);
    let types: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["ProfileStarted", "ProfileStopped"], "{events:?}");
    assert_eq!(events[0]["data"]["pid"], pid);
    let runs = world.get("/api/v1/runs").json();
    let open = runs["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["state"] != "exited")
        .count();
    assert_eq!(open, 0, "{runs}");
}

fn types(stream: &mut Stream, last: &str) -> Vec<String> {
    stream
        .until(last)
        .iter()
        .map(|message| message["type"].as_str().unwrap().to_owned())
        .filter(|kind| kind.starts_with("Profile"))
        .collect()
}

#[test]
fn a_run_is_seen_live_and_exits_with_the_agents_code() {
    let world = World::with_agent("printf '%s|' \"$@\" > arguments; exit 42");
    world.create_profile("work");
    let mut stream = world.stream("");
    let run = world
        .clown(&["run", "work", "--", "-p", "two words", "--json"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(42), "{run:?}");
    assert!(run.stdout.is_empty() && run.stderr.is_empty(), "{run:?}");
    assert_eq!(
        types(&mut stream, "ProfileStopped"),
        ["ProfileStarted", "ProfileStopped"]
    );
    let arguments = fs::read_to_string(world.path("work/arguments")).unwrap();
    assert_eq!(arguments, "-p|two words|--json|");
}

#[test]
fn the_pid_told_is_the_agents() {
    let world = World::with_agent(PATIENT);
    world.create_profile("work");
    let (mut cli, pid) = started(&world, &mut world.clown(&["run", "work"]));
    let deleted = world.send("DELETE", "/api/v1/profiles/work", &Value::Null);
    assert_eq!(deleted.status, 409, "{deleted:?}");
    go_on(&world);
    assert_eq!(cli.wait().unwrap().code(), Some(7));
    check_told_once(&world, pid, 7);
}

#[test]
fn keys_of_the_caller_do_not_leak_in_and_the_profiles_key_does_not_leak_out() {
    let world = World::with_agent("env > environment");
    let body = serde_json::json!({
        "alias": "work", "agent_id": "claude", "provider_id": "anthropic",
        "key": {"env": "WORK_KEY"}, "env": {"EXTRA": "1"}
    });
    assert_eq!(world.send("POST", "/api/v1/profiles", &body).status, 201);
    let run = world
        .clown(&["run", "work"])
        .env("ANTHROPIC_API_KEY", "callers-own")
        .env("OPENAI_API_KEY", "callers-other")
        .env("WORK_KEY", "the-profiles")
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    let environment = fs::read_to_string(world.path("work/environment")).unwrap();
    assert!(!environment.contains("callers-own"), "{environment}");
    assert!(environment.contains("the-profiles"), "{environment}");
    assert!(environment.contains("EXTRA=1"), "{environment}");
    let home = world.path("state/homes/work");
    assert!(
        environment.contains(&format!("CLAUDE_CONFIG_DIR={}", home.display())),
        "{environment}"
    );
    for place in [
        "/api/v1/state",
        "/api/v1/events?since=0&limit=10000",
        "/api/v1/profiles/work",
        "/api/v1/runs",
    ] {
        let told = world.get(place).body;
        assert!(!told.contains("the-profiles"), "{place}: {told}");
    }
    let log = fs::read_to_string(world.path("clownd.stderr")).unwrap();
    assert!(!log.contains("the-profiles"), "{log}");
}

#[test]
fn a_key_given_on_standard_input_reaches_the_agent_and_no_file_of_the_profile() {
    use std::io::Write as _;
    let world = World::with_agent("env > environment");
    let mut create = world
        .clown(&[
            "profiles",
            "create",
            "work",
            "--agent",
            "claude",
            "--provider",
            "anthropic",
            "--key-stdin",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    create
        .stdin
        .take()
        .unwrap()
        .write_all(b"sk-secret-1\n")
        .unwrap();
    let created = create.wait_with_output().unwrap();
    assert!(created.status.success(), "{created:?}");
    let said = String::from_utf8_lossy(&created.stdout) + String::from_utf8_lossy(&created.stderr);
    assert!(
        said.contains("keyring") || said.contains("secrets"),
        "{said}"
    );
    let file = fs::read_to_string(world.profile_file("work")).unwrap();
    assert!(!file.contains("sk-secret-1"), "{file}");
    world.clown_ok(&["run", "work"]);
    let environment = fs::read_to_string(world.path("work/environment")).unwrap();
    assert!(environment.contains("=sk-secret-1"), "{environment}");
}

#[test]
fn a_killed_agent_is_told_with_its_signal() {
    let world = World::with_agent(PATIENT);
    world.create_profile("work");
    let (mut cli, pid) = started(&world, &mut world.clown(&["run", "work"]));
    kill(pid, Signal::KILL);
    assert_eq!(cli.wait().unwrap().code(), Some(137));
    check_told_once(&world, pid, 137);
}

#[test]
fn signals_to_the_command_line_reach_the_agent() {
    let world = World::with_agent(&format!("trap 'exit 9' TERM; {PATIENT}"));
    world.create_profile("work");
    let (mut cli, pid) = started(&world, &mut world.clown(&["run", "work"]));
    kill(cli.id(), Signal::TERM);
    assert_eq!(cli.wait().unwrap().code(), Some(9));
    check_told_once(&world, pid, 9);
}

#[test]
fn a_killed_command_line_leaves_the_agent_watched() {
    let world = World::with_agent(PATIENT);
    world.create_profile("work");
    let (mut cli, pid) = started(&world, &mut world.clown(&["run", "work"]));
    kill(cli.id(), Signal::KILL);
    cli.wait().unwrap();
    go_on(&world);
    let stopped = stopped(&world);
    // 7 where the kernel tells (PIDFD_GET_INFO with exit codes, since Linux 6.15), else unknown.
    let code = stopped["data"]["exit_code"].as_i64().unwrap();
    assert!(code == 7 || code == -1, "{stopped}");
    check_told_once(&world, pid, code);
}

#[test]
fn a_killed_daemon_hears_of_the_exit_from_the_next_report() {
    let mut world = World::with_agent(PATIENT);
    world.create_profile("work");
    let (mut cli, pid) = started(&world, &mut world.clown(&["run", "work"]));
    world.crash_daemon();
    world.start();
    go_on(&world);
    assert_eq!(cli.wait().unwrap().code(), Some(7));
    check_told_once(&world, pid, 7);
}

#[test]
fn an_exit_while_the_daemon_is_away_still_arrives() {
    let mut world = World::with_agent(PATIENT);
    world.create_profile("work");
    let (mut cli, pid) = started(&world, &mut world.clown(&["--no-start", "run", "work"]));
    world.crash_daemon();
    go_on(&world);
    assert_eq!(cli.wait().unwrap().code(), Some(7));
    world.start();
    check_told_once(&world, pid, 7);
    let records = world.path("state/runs");
    wait_for("the record to be cleared away", || {
        let left = fs::read_dir(&records).map_or(0, Iterator::count);
        (left == 0).then_some(())
    });
}

#[test]
fn everything_killed_at_once_is_told_by_the_next_daemon() {
    let mut world = World::with_agent(PATIENT);
    world.create_profile("work");
    let (mut cli, pid) = started(&world, &mut world.clown(&["run", "work"]));
    world.crash_daemon();
    kill(cli.id(), Signal::KILL);
    kill(pid, Signal::KILL);
    cli.wait().unwrap();
    world.start();
    // 137 while the kernel still has the dead agent, whose new parent has not asked for it yet.
    let code = stopped(&world)["data"]["exit_code"].as_i64().unwrap();
    assert!(code == 137 || code == -1, "{code}");
    check_told_once(&world, pid, code);
}

#[test]
fn many_runs_of_one_profile_at_once() {
    let world = World::with_agent("exit 5");
    world.create_profile("work");
    let runs: Vec<Child> = (0..8)
        .map(|_| world.clown(&["run", "work"]).spawn().unwrap())
        .collect();
    for mut run in runs {
        assert_eq!(run.wait().unwrap().code(), Some(5));
    }
    let events = run_events(&world);
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(
        (count("ProfileStarted"), count("ProfileStopped")),
        (8, 8),
        "{events:?}"
    );
}

#[test]
fn a_run_that_cannot_be_says_why() {
    let world = World::with_agent("exit 0");
    let check = |arguments: &[&str], code: i32, part: &str| {
        let run = world.clown(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    };
    check(&["run", "nothing"], 3, "nothing");
    check(&["run", "../etc"], 2, "../etc");
    world.clown_ok(&[
        "profiles",
        "create",
        "keyless",
        "--agent",
        "claude",
        "--provider",
        "anthropic",
    ]);
    check(&["run", "keyless"], 1, "key");
    world.clown_ok(&[
        "profiles",
        "create",
        "absent",
        "--agent",
        "codex",
        "--provider",
        "self",
    ]);
    check(&["run", "absent"], 1, "codex");
    assert_eq!(run_events(&world).len(), 0);
}
