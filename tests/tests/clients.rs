//! The two clients that the reference prints, as it prints them but for the port.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{World, clients, wait_for};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// What a run of one profile, from its creation on, publishes.
const TYPES: [&str; 6] = [
    "ProfileCreated",
    "ProfileStarted",
    "ProfileStopped",
    "ProfileUpdated",
    "ProfileDeleted",
    "DaemonShuttingDown",
];

fn with_port(world: &World, name: &str) -> std::path::PathBuf {
    let text = fs::read_to_string(Path::new(FOLDER).join(name)).unwrap();
    assert!(text.contains("127.0.0.1:8765"));
    let path = world.path(name);
    fs::write(&path, text.replace("127.0.0.1:8765", world.address())).unwrap();
    path
}

fn start(world: &World, command: &mut Command, name: &str) -> Child {
    let file = |kind: &str| fs::File::create(world.path(&format!("{name}.{kind}"))).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(file("out"))
        .stderr(file("err"))
        .spawn()
        .unwrap()
}

fn lines(world: &World, file: &str) -> Vec<String> {
    let text = fs::read_to_string(world.path(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn live_a_profile_through(world: &mut World) {
    world.create_profile("my-project");
    let output = world
        .clown(&["run", "my-project", "--", "x"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    world.clown_ok(&["profiles", "set", "my-project", "model=other"]);
    world.clown_ok(&["profiles", "delete", "my-project"]);
    world.signal_daemon(rustix::process::Signal::TERM);
    assert_eq!(world.daemon_ended(), Some(0));
}

fn wait_for_connections(world: &World, wanted: u64) {
    wait_for("the client's connection", || {
        let daemon = world.get("/api/v1/daemon").json();
        (daemon["counts"]["connections"] == wanted).then_some(())
    });
}

#[test]
fn the_python_client_sees_a_real_run() {
    let Some(installed) = clients() else { return };
    let mut world = World::with_agent("exit 3");
    let script = with_port(&world, "reference.py");
    let mut command = Command::new(installed.join("venv/bin/python"));
    command.arg("-u").arg(&script);
    let mut client = start(&world, &mut command, "python");
    wait_for_connections(&world, 1);
    live_a_profile_through(&mut world);
    wait_for("the client's end", || client.try_wait().unwrap());

    let output = lines(&world, "python.out");
    let types: Vec<&str> = output
        .iter()
        .filter_map(|line| line.strip_prefix("Event: "))
        .filter(|kind| !kind.starts_with("Agent"))
        .collect();
    assert_eq!(types, TYPES, "{output:?}");
    let data = |prefix: &str| {
        output
            .iter()
            .find(|line| line.starts_with(prefix))
            .unwrap_or_else(|| panic!("no {prefix} in {output:?}"))
    };
    data("Data: {'alias': 'my-project', 'agent_id': 'claude', 'provider_id': 'self', 'model':");
    data("Data: {'alias': 'my-project', 'exit_code': 3, 'runtime_secs': ");
    data("Data: {'alias': 'my-project', 'changes': ['model']}");
    data("Data: {'reason': 'signal'}");
}

#[test]
fn the_javascript_client_sees_a_real_run() {
    let Some(installed) = clients() else { return };
    let mut world = World::with_agent("exit 3");
    let script = with_port(&world, "reference.js");
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", installed.join("node_modules"))
        .arg("--require")
        .arg(Path::new(FOLDER).join("browser-names.js"))
        .arg(&script);
    let mut client = start(&world, &mut command, "node");
    wait_for_connections(&world, 1);
    live_a_profile_through(&mut world);
    wait_for("the client's end", || client.try_wait().unwrap());

    assert_eq!(
        lines(&world, "node.out"),
        [
            "Connected to ringlet daemon",
            "Profile my-project created",
            "Disconnected from ringlet daemon"
        ]
    );
    let seen = lines(&world, "node.err");
    let types: Vec<&str> = seen
        .iter()
        .map(String::as_str)
        .filter(|kind| !kind.starts_with("Agent"))
        .collect();
    assert_eq!(types, TYPES);
}
