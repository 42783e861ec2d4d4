//! The daemon's own life: one for each user, found, started in the background, and stopped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{FakeAgent, World, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;

#[test]
fn the_default_stream_is_the_documented_form_and_nothing_else() {
    let world = World::with_agent("");
    let mut stream = world.stream("");
    world.create_profile("work");
    let text = loop {
        let text = stream.next_text();
        if text.contains("ProfileCreated") {
            break text;
        }
    };
    let value: Value = serde_json::from_str(&text).unwrap();
    let members: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(members, ["type", "timestamp", "data"]);
    let envelope: clown_events::Envelope = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&envelope).unwrap(), text);
}

#[test]
fn a_stop_by_signal_is_told_before_the_connection_is_closed() {
    for (signal, name) in [(Signal::TERM, "signal"), (Signal::INT, "signal")] {
        let mut world = World::with_agent("");
        let mut stream = world.stream("");
        world.signal_daemon(signal);
        let (messages, code) = stream.rest();
        let last = messages.last().unwrap();
        assert_eq!(last["type"], "DaemonShuttingDown");
        assert_eq!(last["data"], json!({"reason": name}));
        assert_eq!(code, 1001);
        assert_eq!(world.daemon_ended(), Some(0));
        assert!(!world.path("state/daemon.json").exists());
    }
}

#[test]
fn a_stop_by_request_is_told() {
    let mut world = World::with_agent("");
    let mut stream = world.stream("");
    let answer = world.send("POST", "/api/v1/daemon/shutdown", &json!({}));
    assert_eq!(answer.status, 202, "{answer:?}");
    let (messages, code) = stream.rest();
    assert_eq!(
        messages.last().unwrap()["data"],
        json!({"reason": "requested"})
    );
    assert_eq!(code, 1001);
    assert_eq!(world.daemon_ended(), Some(0));
}

#[test]
fn a_second_daemon_says_who_is_first() {
    let world = World::with_agent("");
    let second = world
        .command(&clown_tests::binaries().clownd)
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains(&world.daemon_pid().to_string()), "{said}");
    assert_eq!(world.get("/healthz").status, 200);
}

#[test]
fn the_first_event_after_a_start_by_hand_is_retained() {
    let mut world = World::with_agent("");
    let pid = world.daemon_pid();
    let started = |world: &World| {
        let page = world
            .get("/api/v1/events?since=0&events=DaemonStarted")
            .json();
        page["items"].as_array().unwrap().clone()
    };
    assert_eq!(started(&world)[0]["data"]["pid"], pid);
    world.crash_daemon();
    world.start();
    let both = started(&world);
    assert_eq!(both.len(), 2);
    assert!(both[0]["seq"].as_u64() < both[1]["seq"].as_u64());
}

#[test]
fn commands_start_one_daemon_between_them() {
    let mut world = World::new();
    world.install("claude", "1.0.0", FakeAgent::Script(""));
    let lists: Vec<_> = (0..4)
        .map(|_| {
            world
                .clown(&["profiles", "list", "--json"])
                .env("CLOWN_LISTEN", "127.0.0.1:0")
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for list in lists {
        let output = list.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    world.find_daemon();
    let history = world
        .get("/api/v1/events?since=0&events=DaemonStarted")
        .json();
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
    world.clown_ok(&["daemon", "stop"]);
    wait_for("the daemon's end", || {
        (!world.path("state/daemon.json").exists()).then_some(())
    });
}

#[test]
fn status_never_starts_a_daemon_and_says_that_none_runs() {
    let world = World::new();
    for arguments in [
        &["daemon", "status"][..],
        &["--no-start", "profiles", "list"],
    ] {
        let output = world.clown(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{output:?}");
    }
    assert!(!world.path("state/daemon.json").exists());
}

#[test]
fn an_idle_daemon_stops_and_says_so_but_not_while_someone_looks() {
    let mut world = World::new();
    fs::write(world.path("config/config.toml"), "idle_timeout = \"1s\"\n").unwrap();
    world.start();
    let mut looking = world.stream("?keepalive=true");
    let mut listening = world.stream("?since=now");
    // Longer than the timeout, which a keepalive client holds back.
    let until = std::time::Instant::now() + std::time::Duration::from_millis(1_500);
    wait_for("time to pass", || {
        (std::time::Instant::now() > until).then_some(())
    });
    world.create_profile("still-here");
    looking.until("ProfileCreated");
    drop(looking);
    let (messages, code) = listening.rest();
    assert_eq!(
        messages.last().unwrap()["data"],
        json!({"reason": "idle_timeout"})
    );
    assert_eq!(code, 1001);
    assert_eq!(world.daemon_ended(), Some(0));
}

#[test]
fn a_setting_that_does_not_exist_is_named() {
    let world = World::new();
    fs::write(
        world.path("config/config.toml"),
        "listen = \"127.0.0.1:0\"\nidel_timeout = \"1s\"\n",
    )
    .unwrap();
    let output = world
        .command(&clown_tests::binaries().clownd)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("idel_timeout") && said.contains("config.toml"),
        "{said}"
    );
}

#[test]
fn an_agent_whose_version_hangs_holds_nothing_up() {
    let mut world = World::new();
    world.install("claude", "", FakeAgent::HangingVersion);
    world.install("codex", "codex-cli 0.1.0", FakeAgent::Script(""));
    let begun = std::time::Instant::now();
    world.start();
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(4),
        "the start waited for the agent"
    );
    let mut stream = world.stream("?since=0");
    let mut detected = Vec::new();
    while detected.len() < 2 {
        let message = stream.next_message();
        if message["type"] == "AgentDetected" {
            detected.push(message["data"].clone());
        }
    }
    detected.sort_by_key(|data| data["id"].to_string());
    assert_eq!(detected[0]["id"], "claude");
    assert_eq!(detected[0]["version"], "unknown");
    assert_eq!(detected[1]["id"], "codex");
    // What the version command started is ended with it.
    let bin = world.path("bin");
    wait_for("the end of what the version command started", || {
        let left = fs::read_dir("/proc").ok()?.flatten().any(|entry| {
            fs::read(entry.path().join("environ")).is_ok_and(|environment| {
                let path = bin.as_os_str().as_encoded_bytes();
                environment.windows(path.len()).any(|window| window == path)
                    && fs::read_to_string(entry.path().join("comm"))
                        .is_ok_and(|name| name.trim() == "sleep")
            })
        });
        (!left).then_some(())
    });
}

#[test]
fn an_agent_that_is_upgraded_and_removed_is_told() {
    let world = World::with_agent("");
    let mut stream = world.stream("?since=0");
    let detected = stream.until("AgentDetected").pop().unwrap();
    assert_eq!(detected["data"]["version"], "1.0.0");
    world.install("claude", "2.0.0", FakeAgent::Script(""));
    let updated = stream.until("AgentUpdated").pop().unwrap();
    assert_eq!(
        updated["data"],
        json!({"id": "claude", "old_version": "1.0.0", "new_version": "2.0.0"})
    );
    fs::remove_file(world.path("bin/claude")).unwrap();
    let gone = stream.until("AgentUpdated").pop().unwrap();
    assert_eq!(
        gone["data"],
        json!({"id": "claude", "old_version": "2.0.0", "new_version": null})
    );
    world.install("claude", "2.0.0", FakeAgent::Script(""));
    stream.until("AgentDetected");
}

#[test]
fn watch_resumes_over_a_crash_without_a_gap() {
    use std::io::{BufRead as _, BufReader};
    let mut world = World::with_agent("");
    let mut watch = world
        .clown(&["watch", "--json", "--since", "now"])
        .stdout(std::process::Stdio::piped())
        .stderr(fs::File::create(world.path("watch.stderr")).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    wait_for("watch to connect", || {
        let daemon = world.get("/api/v1/daemon").json();
        (daemon["counts"]["connections"] == 1).then_some(())
    });
    world.create_profile("one");
    world.crash_daemon();
    world.start();
    world.create_profile("two");
    let mut seen = Vec::new();
    while !seen.contains(&"two".to_owned()) {
        let line = lines.next().unwrap().unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["type"] == "ProfileCreated" {
            seen.push(event["data"]["alias"].as_str().unwrap().to_owned());
        } else if event["type"] == "DaemonStarted" {
            seen.push("restart".to_owned());
        }
    }
    assert_eq!(seen, ["one", "restart", "two"]);
    watch.kill().unwrap();
    watch.wait().unwrap();
    let said = fs::read_to_string(world.path("watch.stderr")).unwrap();
    assert!(!said.is_empty());
}

#[test]
fn the_demo_shows_itself_and_leaves_nothing() {
    let world = World::new();
    let temporary = world.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let demo = world
        .command(&clown_tests::binaries().clown)
        .arg("demo")
        .env("TMPDIR", &temporary)
        .env_remove("CLOWN_CONFIG_DIR")
        .env_remove("CLOWN_STATE_DIR")
        .output()
        .unwrap();
    assert!(demo.status.success(), "{demo:?}");
    let shown = String::from_utf8(demo.stdout).unwrap();
    for kind in [
        "DaemonStarted",
        "AgentDetected",
        "AgentUpdated",
        "ProfileCreated",
        "ProfileUpdated",
        "ProfileStarted",
        "ProfileStopped",
        "ProfileDeleted",
        "UsageUpdated",
        "UsageImported",
        "RegistrySyncStarted",
        "RegistrySyncFailed",
        "RegistrySyncCompleted",
        "ProxyStarted",
        "ProxyStopped",
        "ProxyError",
        "UsageUpdated",
        "DaemonShuttingDown",
    ] {
        assert!(shown.contains(kind), "no {kind} in:\n{shown}");
    }
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert_eq!(fs::read_dir(world.path("home")).unwrap().count(), 0);
}

/// How often the threads of a process have gone to sleep.
fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .filter_map(|status| {
            let line = status
                .lines()
                .find(|line| line.starts_with("voluntary_ctxt_switches"))?;
            line.rsplit('\t').next()?.trim().parse::<u64>().ok()
        })
        .sum()
}

#[test]
fn a_daemon_with_nothing_to_do_sleeps() {
    let world = World::with_agent("");
    world.create_profile("work");
    world.stream("?since=0").until("AgentDetected");
    let span = std::time::Duration::from_millis(1_500);
    let quietest = (0..4)
        .map(|_| {
            let before = switches(world.daemon_pid());
            let until = std::time::Instant::now() + span;
            wait_for("time to pass", || {
                (std::time::Instant::now() > until).then_some(())
            });
            switches(world.daemon_pid()) - before
        })
        .min();
    // Looking at folders that look back woke it some 10,000 times a second.
    assert!(quietest < Some(100), "{quietest:?} wake-ups in {span:?}");
}
