//! What a registry cannot make of a person's own things.

use super::{following, sync};
use clown_tests::{FakeAgent, World};
use std::fs;

/// A registry with one provider, `moon`, of this manifest's rest.
fn with_provider(world: &World, rest: &str) {
    let source = world.path("source/providers");
    fs::create_dir_all(&source).unwrap();
    let text = format!("id = \"moon\"\nname = \"Moon\"\n{rest}\n");
    fs::write(source.join("moon.toml"), text).unwrap();
    let (source, out) = (world.path("source"), world.path("served"));
    world.clown_ok(&[
        "registry",
        "build",
        "--out",
        out.to_str().unwrap(),
        source.to_str().unwrap(),
    ]);
}

#[test]
fn keys_in_the_shell_are_neither_sent_nor_taken_away_because_a_registry_names_them() {
    let (world, _server) = following("");
    world.install(
        "claude",
        "1.0.0",
        FakeAgent::Script("echo \"${MOON_API_KEY:-unset}\" > \"$CLOWN_TEST_ROOT/told\""),
    );
    with_provider(
        &world,
        "[key]\nvariable = \"MOON_API_KEY\"\n[check.paths]\nopenai-chat = \"/models\"\n[[endpoints]]\nid = \"here\"\nurls = { openai-chat = \"http://127.0.0.1:9/v1\" }",
    );
    assert_eq!(sync(&world).0, 200);
    assert_eq!(
        world.get("/api/v1/providers/moon").json()["from_registry"],
        true
    );
    assert_eq!(
        world
            .get("/api/v1/providers/openai")
            .json()
            .get("from_registry"),
        None
    );

    let mut command = world.clown(&["providers", "check", "moon", "--json"]);
    let output = command.env("MOON_API_KEY", "s3cret").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("no key is sent") && told.contains("--key-env MOON_API_KEY"),
        "{told}"
    );

    world.clown_ok(&["profiles", "create", "work", "--agent", "claude"]);
    let mut command = world.clown(&["run", "work"]);
    command.env("MOON_API_KEY", "s3cret");
    command.env("CLOWN_TEST_ROOT", world.path("work"));
    assert!(command.output().unwrap().status.success());
    let told = fs::read_to_string(world.path("work/told")).unwrap();
    assert_eq!(told, "s3cret\n");
}
