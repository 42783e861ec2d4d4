//! Profiles changed by hand, by request, and while the daemon is away, seen on the stream.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{FakeAgent, Stream, World, cannot_run, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const GOOD: &str = "agent_id = \"claude\"\nprovider_id = \"self\"\nmodel = \"a\"\n";

/// The stream's next event of a profile.
fn next_of_profiles(stream: &mut Stream) -> (String, Value) {
    loop {
        let mut message = stream.next_message();
        let kind = message["type"].as_str().unwrap().to_owned();
        if kind.starts_with("Profile") {
            return (kind, message["data"].take());
        }
    }
}

/// Creates a marker profile, and returns what came before its event.
fn up_to_marker(world: &World, stream: &mut Stream, marker: &str) -> Vec<(String, Value)> {
    world.create_profile(marker);
    let mut events = Vec::new();
    loop {
        let (kind, data) = next_of_profiles(stream);
        if data["alias"] == marker {
            return events;
        }
        events.push((kind, data));
    }
}

fn updated() -> Vec<(String, Value)> {
    vec![(
        "ProfileUpdated".to_owned(),
        json!({"alias": "work", "changes": ["model"]}),
    )]
}

/// Saves `work` by `save` and checks that this is one ProfileUpdated and nothing else.
fn check_save(way: &str, save: impl FnOnce(&World)) {
    let world = World::with_agent("");
    fs::write(world.profile_file("work"), GOOD).unwrap();
    wait_for("the profile", || {
        (world.get("/api/v1/profiles/work").status == 200).then_some(())
    });
    let mut stream = world.stream("");
    save(&world);
    wait_for("the change", || {
        let profile = world.get("/api/v1/profiles/work").json();
        (profile["model"] == "b").then_some(())
    });
    assert_eq!(
        up_to_marker(&world, &mut stream, "marker"),
        updated(),
        "{way}"
    );
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

#[test]
fn sed_in_place_is_one_change() {
    check_save("sed -i", |world| {
        run(world
            .command("sed".as_ref())
            .args(["-i", "s/\"a\"/\"b\"/"])
            .arg(world.profile_file("work")));
    });
}

#[test]
fn vim_is_one_change() {
    if Command::new("vim").arg("--version").output().is_err() {
        return cannot_run("install vim");
    }
    // With `backupcopy=no` vim renames the old file away and creates a new one; with `yes` it
    // truncates and writes.
    for way in ["no", "yes"] {
        check_save(way, |world| {
            run(world
                .command("vim".as_ref())
                .args(["-es", "-u", "NONE", "-c"])
                .arg(format!("set backup writebackup backupcopy={way}"))
                .args(["-c", "%s/\"a\"/\"b\"/", "-c", "wq"])
                .arg(world.profile_file("work")));
        });
    }
}

#[test]
fn truncate_and_write_is_one_change() {
    // As VS Code saves.
    check_save("truncate and write", |world| {
        use std::io::Write as _;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(world.profile_file("work"))
            .unwrap();
        let text = GOOD.replace("\"a\"", "\"b\"");
        let (first, second) = text.split_at(20);
        file.write_all(first.as_bytes()).unwrap();
        file.sync_all().unwrap();
        file.write_all(second.as_bytes()).unwrap();
    });
}

#[test]
fn changes_while_the_daemon_is_away_are_told_once_when_it_is_back() {
    let mut world = World::with_agent("");
    for alias in ["kept", "changed", "gone"] {
        fs::write(world.profile_file(alias), GOOD).unwrap();
    }
    wait_for("the profiles", || {
        let list = world.get("/api/v1/profiles").json();
        (list["items"].as_array()?.len() == 3).then_some(())
    });
    let seq = world.get("/api/v1/state").json()["seq"].as_u64().unwrap();
    world.crash_daemon();

    fs::write(
        world.profile_file("changed"),
        GOOD.replace("\"a\"", "\"b\""),
    )
    .unwrap();
    fs::remove_file(world.profile_file("gone")).unwrap();
    fs::write(world.profile_file("new"), GOOD).unwrap();
    world.start();

    let mut stream = world.stream(&format!("?since={seq}"));
    let mut events = up_to_marker(&world, &mut stream, "marker");
    events.sort_by(|a, b| a.0.cmp(&b.0));
    let told: Vec<(&str, &Value)> = events
        .iter()
        .map(|(kind, data)| (kind.as_str(), &data["alias"]))
        .collect();
    assert_eq!(
        told,
        [
            ("ProfileCreated", &json!("new")),
            ("ProfileDeleted", &json!("gone")),
            ("ProfileUpdated", &json!("changed")),
        ]
    );
    world.crash_daemon();
    world.start();
    let mut stream = world.stream("?since=now");
    assert_eq!(up_to_marker(&world, &mut stream, "marker-2"), []);
}

#[test]
fn three_hundred_profiles_are_moved_away_and_back_in_silence() {
    let world = World::with_agent("");
    for number in 0..300 {
        fs::write(world.profile_file(&format!("p{number}")), GOOD).unwrap();
    }
    let count = || {
        world.get("/api/v1/profiles").json()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    wait_for("300 profiles", || (count() == 300).then_some(()));
    let mut stream = world.stream("");

    fs::rename(world.path("config/profiles"), world.path("config/away")).unwrap();
    let problem = wait_for("the problem to be told", || {
        let daemon = world.get("/api/v1/daemon").json();
        let problem = daemon["problems"].as_array()?.first()?.clone();
        Some(problem["message"].as_str()?.to_owned())
    });
    assert!(problem.contains("profiles"), "{problem}");
    assert_eq!(count(), 300);
    let refused = world.send(
        "POST",
        "/api/v1/profiles",
        &json!({"alias": "x", "agent_id": "claude"}),
    );
    assert_eq!(refused.status, 503, "{refused:?}");

    fs::rename(world.path("config/away"), world.path("config/profiles")).unwrap();
    wait_for("the problem to be over", || {
        let daemon = world.get("/api/v1/daemon").json();
        daemon["problems"].as_array()?.is_empty().then_some(())
    });
    assert_eq!(count(), 300);
    assert_eq!(up_to_marker(&world, &mut stream, "marker"), []);
}

#[test]
fn a_broken_file_is_told_with_its_place_and_left_alone() {
    let world = World::with_agent("exit 0");
    world.create_profile("work");
    let mut stream = world.stream("");
    let broken = "agent_id = \"claude\"\nmodel = oops\n";
    fs::write(world.profile_file("work"), broken).unwrap();
    let fault = wait_for("the fault", || {
        let profile = world.get("/api/v1/profiles/work").json();
        profile.get("fault").cloned()
    });
    assert_eq!(fault["line"], 2, "{fault}");
    assert!(fault["column"].is_u64(), "{fault}");

    let run = world.clown(&["run", "work"]).output().unwrap();
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let message = String::from_utf8_lossy(&run.stderr);
    assert!(message.contains("work.toml:2:"), "{message}");
    let prepared = world.send(
        "POST",
        "/api/v1/profiles/work/runs",
        &json!({"args": [], "cwd": "/", "path": "/bin", "cli_pid": std::process::id()}),
    );
    assert_eq!(prepared.status, 422, "{prepared:?}");
    let patched = world.send("PATCH", "/api/v1/profiles/work", &json!({"model": "x"}));
    assert_eq!(patched.status, 422, "{patched:?}");
    assert_eq!(
        fs::read_to_string(world.profile_file("work")).unwrap(),
        broken
    );
    assert_eq!(up_to_marker(&world, &mut stream, "marker"), []);
}

#[test]
fn a_request_keeps_comments_and_order() {
    let world = World::with_agent("");
    let text = "# mine\nmodel = \"a\" # good\nagent_id = \"claude\"\nprovider_id = \"self\"\n";
    fs::write(world.profile_file("work"), text).unwrap();
    wait_for("the profile", || {
        (world.get("/api/v1/profiles/work").status == 200).then_some(())
    });
    world.clown_ok(&["profiles", "set", "work", "model=b"]);
    let after = fs::read_to_string(world.profile_file("work")).unwrap();
    assert_eq!(after, text.replace("\"a\"", "\"b\""));
}

#[test]
fn three_hundred_profiles_by_request() {
    let mut world = World::new();
    world.install("claude", "1.0.0", FakeAgent::Script(""));
    world.start();
    let mut stream = world.stream("");
    for number in 0..300 {
        world.create_profile(&format!("p{number}"));
    }
    for number in 0..300 {
        let (kind, data) = next_of_profiles(&mut stream);
        assert_eq!(
            (kind.as_str(), &data["alias"]),
            ("ProfileCreated", &json!(format!("p{number}")))
        );
    }
    let state = world.get("/api/v1/state").json();
    assert_eq!(state["profiles"].as_array().unwrap().len(), 300);
}
