//! Agents that come, change and go while the daemon runs, as package managers do it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{Stream, World, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// The programs of the built-in agents, and what each prints as its version.
const PROGRAMS: [(&str, &str); 15] = [
    ("aider", "aider 1.0.0"),
    ("amp", "1.0.0 (released today)"),
    ("claude", "1.0.0 (Claude Code)"),
    ("codex", "codex-cli 1.0.0"),
    ("copilot", "GitHub Copilot CLI 1.0.0."),
    ("crush", "crush version v1.0.0"),
    ("cursor-agent", "2026.01.01-1"),
    ("droid", "1.0.0"),
    ("gemini", "1.0.0"),
    ("goose", " 1.0.0"),
    ("grok", "grok 1.0.0 (1)"),
    ("kimi", "1.0.0"),
    ("opencode", "1.0.0"),
    ("pi", "1.0.0"),
    ("qwen", "1.0.0"),
];

/// Writes a program that notes each of its runs.
fn write_program(world: &World, at: &str, prints: &str) {
    let path = world.path(at);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let source = world.path("program.source");
    let runs = world.path("runs");
    let text = format!(
        "#!/bin/sh\necho {at} >> {}\necho '{prints}'\n",
        runs.display()
    );
    fs::write(&source, text).unwrap();
    // By another process, as in World::install.
    let script = "cp \"$1\" \"$2.new\" && chmod 755 \"$2.new\" && mv \"$2.new\" \"$2\"";
    let done = Command::new("sh")
        .args(["-c", script, "sh"])
        .args([&source, &path])
        .status();
    assert!(done.unwrap().success());
}

fn runs(world: &World) -> usize {
    let runs = fs::read_to_string(world.path("runs")).unwrap_or_default();
    runs.lines().count()
}

/// The next event that is about an agent: its type, id and versions.
fn next(stream: &mut Stream) -> Value {
    let event = stream.next_message();
    let data = &event["data"];
    match event["type"].as_str().unwrap() {
        "AgentDetected" => json!([data["id"], data["version"]]),
        _ => json!([data["id"], data["old_version"], data["new_version"]]),
    }
}

#[test]
fn a_package_of_npm_is_installed_upgraded_downgraded_and_removed() {
    let mut world = World::new();
    // As after `npm config set prefix ~/npm`: nothing is there yet.
    fs::remove_dir(world.path("bin")).unwrap();
    world.start();
    let mut stream = world.stream("?events=AgentDetected,AgentUpdated");
    let package = "lib/node_modules/@anthropic-ai/claude-code";
    let link = || world.path("bin/claude");

    write_program(&world, &format!("{package}/cli.js"), "1.0.0 (Claude Code)");
    fs::create_dir_all(world.path("bin")).unwrap();
    symlink(format!("../{package}/cli.js"), link()).unwrap();
    assert_eq!(next(&mut stream), json!(["claude", "1.0.0"]));

    for (version, told) in [
        ("2.0.0", json!(["claude", "1.0.0", "2.0.0"])),
        ("1.5.0", json!(["claude", "2.0.0", "1.5.0"])),
    ] {
        let retired = world.path("lib/node_modules/@anthropic-ai/.claude-code-Xy3");
        fs::rename(world.path(package), &retired).unwrap();
        fs::remove_file(link()).unwrap();
        let prints = format!("{version} (Claude Code)");
        write_program(&world, &format!("{package}/cli.js"), &prints);
        symlink(format!("../{package}/cli.js"), link()).unwrap();
        fs::remove_dir_all(&retired).unwrap();
        assert_eq!(next(&mut stream), told);
    }

    fs::remove_file(link()).unwrap();
    fs::remove_dir_all(world.path(package)).unwrap();
    assert_eq!(next(&mut stream), json!(["claude", "1.5.0", null]));

    // No more than these: the next one that comes is another agent's.
    write_program(&world, "bin/codex", "codex-cli 3.0.0");
    assert_eq!(next(&mut stream), json!(["codex", "3.0.0"]));
}

#[test]
fn a_version_manager_that_switches_is_seen() {
    let mut world = World::new();
    fs::remove_dir(world.path("bin")).unwrap();
    for version in ["20", "22"] {
        let at = format!("versions/{version}/bin/claude");
        write_program(&world, &at, &format!("{version}.0.0 (Claude Code)"));
    }
    symlink("versions/20", world.path("current")).unwrap();
    symlink("current/bin", world.path("bin")).unwrap();
    world.start();
    let mut stream = world.stream("?since=0&events=AgentDetected,AgentUpdated");
    assert_eq!(next(&mut stream), json!(["claude", "20.0.0"]));
    let beside = world.path("new");
    symlink("versions/22", &beside).unwrap();
    fs::rename(beside, world.path("current")).unwrap();
    assert_eq!(next(&mut stream), json!(["claude", "20.0.0", "22.0.0"]));
}

#[test]
fn sixteen_agents_are_asked_once_and_never_again_while_nothing_changes() {
    let mut world = World::new();
    fs::create_dir_all(world.path("config/agents.d")).unwrap();
    let mine = "id = \"mine\"\nname = \"Mine\"\nbinaries = [\"mine\"]\nversion = { args = [], pattern = '(.+)' }\n";
    fs::write(world.path("config/agents.d/mine.toml"), mine).unwrap();
    for (program, prints) in PROGRAMS.into_iter().chain([("mine", "1.0.0")]) {
        write_program(&world, &format!("bin/{program}"), prints);
    }
    world.start();
    let installed = |world: &World| {
        let agents = world.get("/api/v1/agents").json();
        let agents = agents["items"].as_array().unwrap().clone();
        agents
            .into_iter()
            .filter(|agent| agent["version"] != Value::Null)
    };
    wait_for("16 agents", || {
        (installed(&world).count() == 16).then_some(())
    });
    assert!(installed(&world).all(|agent| agent["version"] != "unknown"));
    assert_eq!(runs(&world), 16);

    assert_eq!(
        world
            .send("POST", "/api/v1/agents/detect", &json!({}))
            .status,
        200
    );
    world.send("POST", "/api/v1/daemon/shutdown", &json!({}));
    world.daemon_ended();
    world.start();
    assert_eq!(
        world
            .send("POST", "/api/v1/agents/detect", &json!({}))
            .status,
        200
    );
    assert_eq!(installed(&world).count(), 16);
    assert_eq!(runs(&world), 16);
}
