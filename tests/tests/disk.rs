//! A disk without room: commands fail and say so, the daemon stays, and goes on when there is room.
#![cfg(target_os = "linux")]

use clown_tests::{OnDisk, SmallDisk, Stream, World, request, wait_for};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::{Value, json};
use std::fs;

/// Writes that fail for another reason than room, as on a disk with errors: here, a limit on the
/// length of the daemon's files.
#[test]
fn a_database_that_cannot_be_written_is_told_and_outlived() {
    let world = World::with_agent("exit 0");
    let address = world.address();
    let pid = Pid::from_raw(i32::try_from(world.daemon_pid()).unwrap()).unwrap();
    let limit_files_to = |bytes: Option<u64>| {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(pid), Resource::Fsize, limit).unwrap();
    };
    let create = |alias: &str| {
        let body = json!({"alias": alias, "agent_id": "claude"});
        request(address, "POST", "/api/v1/profiles", Some(&body))
    };
    let get = |path: &str| request(address, "GET", path, None).json();
    assert_eq!(create("before").status, 201);
    let mut stream = Stream::connect(address, "?since=0");
    stream.until("ProfileCreated");

    // Enough for a profile's file, and for no page of the database.
    limit_files_to(Some(1_024));
    let answer = create("refused");
    assert_eq!(answer.status, 503, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["code"], "database_unwritable", "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("nothing was changed") && detail.contains("permissions"),
        "{detail}"
    );
    assert!(
        !world.profile_file("refused").exists(),
        "a refused command has left a file"
    );
    assert_eq!(get("/healthz")["status"], "degraded");
    let doctor = world.clown(&["doctor"]).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written"), "{said}");
    // What needs no writing goes on, also for those who come now.
    assert_eq!(get("/api/v1/profiles")["items"][0]["alias"], "before");
    Stream::connect(address, "?since=0").until("ProfileCreated");

    limit_files_to(None);
    wait_for("a healthy daemon", || {
        (get("/healthz")["status"] == "ok").then_some(())
    });
    assert_eq!(create("after").status, 201);
    let told = stream.until("ProfileCreated").pop().unwrap();
    assert_eq!(told["data"]["alias"], "after");
}

#[test]
fn a_full_disk_is_told_and_outlived() {
    let Some(mut disk) = SmallDisk::start(World::new(), OnDisk::State) else {
        return;
    };
    assert_eq!(disk.get("/healthz"), json!({"status": "ok"}));
    let mut stream = Stream::connect(&disk.address, "?since=0");
    stream.until("DaemonStarted");
    let failed = disk.fill(0);

    let health = disk.get("/healthz");
    assert_eq!(health["status"], "degraded");
    let detail = health["detail"].as_str().unwrap();
    assert!(
        detail.contains("full") && detail.contains("make room"),
        "{detail}"
    );
    let problems = disk.get("/api/v1/daemon")["problems"].clone();
    let told = problems.as_array().unwrap().iter().any(|problem| {
        let text = |member: &str| problem[member].as_str().unwrap_or_default();
        text("path").ends_with("/clown.db") && text("message").contains("full")
    });
    assert!(told, "{problems}");
    // What needs no room goes on.
    assert_eq!(
        disk.get("/api/v1/profiles")["items"]
            .as_array()
            .unwrap()
            .len(),
        failed
    );

    disk.make_room();
    wait_for("a healthy daemon", || {
        (disk.get("/healthz")["status"] == "ok").then_some(())
    });
    let answer = disk.create(failed);
    assert_eq!(answer.status, 201, "{answer:?}");
    let aliases: Vec<Value> = (0..=failed)
        .map(|_| stream.until("ProfileCreated").pop().unwrap()["data"]["alias"].clone())
        .collect();
    let expected: Vec<Value> = (0..=failed)
        .map(|number| json!(format!("p{number}")))
        .collect();
    assert_eq!(aliases, expected);

    // The end cannot be recorded, and comes all the same.
    disk.fill(failed + 1);
    let pid = Pid::from_raw(i32::try_from(disk.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let (messages, code) = stream.rest();
    assert_eq!(code, 1001);
    assert!(
        messages
            .iter()
            .all(|message| message["type"] != "DaemonShuttingDown")
    );
    assert_eq!(disk.ended().code(), Some(0));
    let log = fs::read_to_string(disk.world.path("log")).unwrap();
    assert!(log.contains("cannot record that the daemon stops"), "{log}");
}
