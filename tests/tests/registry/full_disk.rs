//! A disk that is full in the middle of a sync.

use super::server::Server;
use super::{build, configure};
use clown_tests::{OnDisk, SmallDisk, Stream, World, request, wait_for};
use serde_json::json;

#[test]
fn a_sync_that_ends_on_a_full_disk_is_known_to_have_ended_and_told_when_there_is_room() {
    let world = World::new();
    let server = Server::start(&world.path("served"));
    // Filling the disk may take its time.
    configure(&world, &server.url(), "timeout_secs = 200");
    build(&world, "stable", None, &[("moon", "Moon")]);
    let Some(disk) = SmallDisk::start(world, OnDisk::State) else {
        return;
    };
    let mut stream = Stream::connect(&disk.address, "");
    server.close();
    let address = disk.address.clone();
    let asking = std::thread::spawn(move || {
        let path = "/api/v1/registry/sync";
        request(&address, "POST", path, Some(&json!({})))
    });
    stream.until("RegistrySyncStarted");
    wait_for("the sync's wait for an artifact", || {
        server.is_asked("/artifacts/").then_some(())
    });
    disk.fill(0);
    server.open();
    let answer = asking.join().unwrap();
    assert_eq!(answer.status, 500, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["code"], "registry_folder_failed", "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("No space left on device"), "{detail}");

    let status = disk.get("/api/v1/registry");
    assert_eq!(status["syncing"], false, "{status}");
    let told = status["last_failure"]["error"].as_str().unwrap();
    assert!(told.starts_with(detail), "{told}\n{detail}");
    for part in ["stays in use", "when this can be recorded", "is full"] {
        assert!(told.contains(part), "{part}: {told}");
    }

    disk.make_room();
    let failed = stream.until("RegistrySyncFailed").pop().unwrap();
    let expected = format!("{detail}; the built-in set stays in use");
    assert_eq!(failed["data"]["error"], expected);
    wait_for("the same in the status", || {
        let status = disk.get("/api/v1/registry");
        (status["last_failure"]["error"] == expected).then_some(())
    });
    let answer = request(
        &disk.address,
        "POST",
        "/api/v1/registry/sync",
        Some(&json!({})),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let events = disk.get("/api/v1/events?events=RegistrySync*");
    assert_eq!(events["items"].as_array().unwrap().len(), 4, "{events}");
}
