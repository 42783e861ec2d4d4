//! Stored keys: shared by profiles of one provider, rotated without touching them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::World;
use serde_json::{Value, json};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

/// Runs `clown` with this on its standard input.
fn with_input(world: &World, arguments: &[&str], input: &str) -> Output {
    let mut child = world
        .clown(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    match pipe.write_all(input.as_bytes()) {
        // One that refuses may have ended before it reads.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.unwrap(),
    }
    drop(pipe);
    child.wait_with_output().unwrap()
}

fn ok(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

fn refused(output: &Output, code: i32, part: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(part), "{stderr}");
}

fn create(world: &World, alias: &str, provider: &str, key: &str) -> Output {
    world
        .clown(&[
            "profiles",
            "create",
            alias,
            "--agent",
            "claude",
            "--provider",
            provider,
            "--key",
            key,
        ])
        .output()
        .unwrap()
}

#[test]
fn one_key_for_several_profiles_is_rotated_without_touching_them() {
    let world = World::with_agent("printf %s \"$ANTHROPIC_API_KEY\"");
    ok(&with_input(
        &world,
        &["keys", "set", "team", "--provider", "anthropic"],
        "sk-first\n",
    ));
    ok(&create(&world, "work", "anthropic", "store:team"));
    ok(&create(&world, "review", "anthropic", "store:team"));
    assert_eq!(world.clown_ok(&["run", "work"]), "sk-first");
    let files = ["work", "review"].map(|alias| fs::read(world.profile_file(alias)).unwrap());
    let before = world.get("/api/v1/state").json();

    let rotated = with_input(&world, &["keys", "rotate", "team"], "sk-second");
    ok(&rotated);
    assert!(String::from_utf8_lossy(&rotated.stdout).contains("review, work"));
    assert_eq!(world.clown_ok(&["run", "work"]), "sk-second");
    assert_eq!(world.clown_ok(&["run", "review"]), "sk-second");
    let after = ["work", "review"].map(|alias| fs::read(world.profile_file(alias)).unwrap());
    assert_eq!(files, after);
    let since = before["seq"].as_u64().unwrap();
    let told = world.get(&format!(
        "/api/v1/events?since={since}&events=ProfileUpdated"
    ));
    assert_eq!(told.json()["items"], json!([]));

    let listed: Value = serde_json::from_str(&world.clown_ok(&["keys", "list", "--json"])).unwrap();
    let key = &listed["items"][0];
    assert_eq!(key["name"], "team");
    assert_eq!(key["provider_id"], "anthropic");
    assert_eq!(key["profiles"], json!(["review", "work"]));
    assert!(
        key["set_at"].is_string() && !listed.to_string().contains("sk-"),
        "{listed}"
    );
    assert!(world.clown_ok(&["keys", "list"]).contains("team"));

    // It stays when its profiles go, and goes when it is told to.
    let delete = |arguments: &[&str]| world.clown(arguments).output().unwrap();
    refused(&delete(&["keys", "delete", "team"]), 4, "review, work");
    ok(&delete(&["profiles", "delete", "work"]));
    assert_eq!(world.clown_ok(&["run", "review"]), "sk-second");
    ok(&delete(&["profiles", "delete", "review"]));
    assert!(world.clown_ok(&["keys", "list"]).contains("team"));
    ok(&delete(&["keys", "delete", "team"]));
    refused(&delete(&["keys", "delete", "team"]), 3, "team");
}

#[test]
fn a_key_is_for_one_provider_only() {
    let world = World::with_agent("printf %s \"$ANTHROPIC_AUTH_TOKEN$ANTHROPIC_API_KEY\"");
    ok(&with_input(
        &world,
        &["keys", "set", "team", "--provider", "anthropic"],
        "sk-anthropic",
    ));
    let other = create(&world, "other", "openrouter", "store:team");
    refused(&other, 2, "belongs to the provider anthropic");
    refused(
        &create(&world, "none", "anthropic", "store:nobody"),
        2,
        "no stored key",
    );
    ok(&create(&world, "work", "anthropic", "store:team"));
    let moved = world
        .clown(&["profiles", "set", "work", "provider_id=openrouter"])
        .output()
        .unwrap();
    refused(&moved, 2, "belongs to the provider anthropic");
    let set = |arguments: &[&str]| with_input(&world, arguments, "sk-x");
    refused(
        &set(&["keys", "set", "team", "--provider", "openrouter"]),
        4,
        "rotate",
    );
    refused(
        &set(&["keys", "set", "x", "--provider", "nobody"]),
        2,
        "nobody",
    );
    refused(
        &set(&["keys", "set", "x", "--provider", "self"]),
        2,
        "takes no key",
    );
    refused(&set(&["keys", "rotate", "x"]), 3, "no stored key");
    refused(
        &set(&["keys", "set", "../x", "--provider", "anthropic"]),
        2,
        "letters",
    );
    let put = world.send(
        "PUT",
        "/api/v1/keys/team",
        &json!({"provider_id": "openrouter", "value": "sk-x"}),
    );
    assert_eq!(put.json()["code"], "key_of_other_provider", "{put:?}");
    let put = world.send("PUT", "/api/v1/keys/new", &json!({"value": "sk-x"}));
    assert_eq!(put.json()["code"], "provider_missing", "{put:?}");
    let put = world.send("PUT", "/api/v1/keys/team", &json!({"value": "two\nlines"}));
    assert_eq!(put.status, 422, "{put:?}");

    // By hand it is told, and does not run.
    fs::write(
        world.profile_file("hand"),
        "agent_id = \"claude\"\nprovider_id = \"openrouter\"\nkey = { store = \"team\" }\n",
    )
    .unwrap();
    clown_tests::wait_for("the fault", || {
        let profile = world.get("/api/v1/profiles/hand").json();
        let fault = profile.get("fault")?["message"].as_str()?.to_owned();
        fault
            .contains("belongs to the provider anthropic")
            .then_some(())
    });
    let run = world.clown(&["run", "hand"]).output().unwrap();
    refused(&run, 2, "belongs to the provider anthropic");
    assert_eq!(run.stdout, b"");
    assert_eq!(world.clown_ok(&["run", "work"]), "sk-anthropic");
}

#[test]
fn a_profiles_own_key_goes_with_it_unless_others_use_it() {
    let world = World::with_agent("printf %s \"$ANTHROPIC_API_KEY\"");
    ok(&with_input(
        &world,
        &[
            "profiles",
            "create",
            "work",
            "--agent",
            "claude",
            "--provider",
            "anthropic",
            "--key-stdin",
        ],
        "sk-own",
    ));
    ok(&create(&world, "second", "anthropic", "store:work"));
    world.clown_ok(&["profiles", "delete", "work"]);
    assert_eq!(world.clown_ok(&["run", "second"]), "sk-own");
    // A new profile of that name does not take the key over.
    let again = with_input(
        &world,
        &[
            "profiles",
            "create",
            "work",
            "--agent",
            "claude",
            "--provider",
            "anthropic",
            "--key-stdin",
        ],
        "sk-new",
    );
    refused(&again, 4, "by second");
    assert_eq!(world.clown_ok(&["run", "second"]), "sk-own");
    world.clown_ok(&["profiles", "delete", "second"]);
    assert!(!world.clown_ok(&["keys", "list"]).contains("work"));
    for folder in ["state/secrets", "state/keys"] {
        let left = fs::read_dir(world.path(folder)).unwrap().count();
        assert_eq!(left, 0, "{folder}");
    }
}

#[test]
fn sources_in_short_and_the_modes_of_files() {
    let world = World::with_agent("printf %s \"$ANTHROPIC_API_KEY\"");
    fs::write(world.path("key"), "sk-file\n").unwrap();
    let file = format!("file:{}", world.path("key").display());
    for (alias, source, expected) in [
        ("a", "env:SOME_KEY", "sk-env"),
        ("b", "command:printf sk-command", "sk-command"),
        ("c", file.as_str(), "sk-file"),
    ] {
        ok(&create(&world, alias, "anthropic", source));
        let mut run = world.clown(&["run", alias]);
        let output = run.env("SOME_KEY", "sk-env").output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{source}"
        );
    }
    let wrong = create(&world, "d", "anthropic", "sk-0123");
    refused(&wrong, 2, "--key-stdin");
    assert!(!String::from_utf8_lossy(&wrong.stderr).contains("sk-0123"));
    ok(&with_input(
        &world,
        &["keys", "set", "team", "--provider", "anthropic"],
        "sk-first",
    ));
    for path in ["state/secrets/team", "state/keys/team"] {
        let mode = fs::metadata(world.path(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
    assert!(
        !fs::read_to_string(world.path("state/keys/team"))
            .unwrap()
            .contains("sk-")
    );
}
