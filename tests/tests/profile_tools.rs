//! Hooks and MCP servers of a profile, from the command line to the agent's own file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{FakeAgent, World};
use serde_json::{Value, json};
use std::fs;

fn refused(world: &World, arguments: &[&str], code: i32, part: &str) {
    let output = world.clown(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(stderr.contains(part), "{arguments:?}: {stderr}");
}

fn agents_file(world: &World, name: &str) -> Value {
    let path = world.path("state/homes/work/claude").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn hooks_are_added_listed_and_removed() {
    let world = World::with_agent("exit 0");
    world.create_profile("work");
    world.clown_ok(&["hooks", "add", "work", "Stop", "notify 'it is done'"]);
    let check = [
        "hooks",
        "add",
        "work",
        "PreToolUse",
        "./check",
        "--matcher",
        "Bash",
    ];
    world.clown_ok(&check);
    // Again: nothing to do.
    assert!(world.clown_ok(&check).contains("already"));
    let listed = world.clown_ok(&["hooks", "list", "work"]);
    assert!(
        listed.contains("Bash") && listed.contains("./check"),
        "{listed}"
    );
    let told: Value =
        serde_json::from_str(&world.clown_ok(&["hooks", "list", "work", "--json"])).unwrap();
    assert_eq!(
        told["PreToolUse"],
        json!([{"matcher": "Bash", "hooks": [{"type": "command", "command": "./check"}]}])
    );
    world.clown_ok(&["run", "work"]);
    assert_eq!(agents_file(&world, "settings.json")["hooks"], told);

    refused(&world, &["hooks", "add", "work", "Stp", "x"], 2, "Stop");
    refused(
        &world,
        &["hooks", "remove", "work", "Stop", "x"],
        3,
        "no such hook",
    );
    refused(&world, &["hooks", "remove", "work", "Stop"], 2, "COMMAND");
    refused(&world, &["hooks", "list", "nobody"], 3, "nobody");
    world.clown_ok(&["profiles", "create", "open", "--agent", "opencode"]);
    refused(
        &world,
        &["hooks", "add", "open", "Stop", "x"],
        2,
        "no hooks",
    );

    // An agent with a form of its own is told how, and what is written so is listed and removed.
    world.clown_ok(&["profiles", "create", "flat", "--agent", "crush"]);
    refused(
        &world,
        &["hooks", "add", "flat", "PreToolUse", "x"],
        2,
        "clown profiles set flat 'hooks_config={\"PreToolUse\":[…]}'",
    );
    let own = r#"hooks_config={"PreToolUse":[{"command":"./own.sh"}]}"#;
    world.clown_ok(&["profiles", "set", "flat", own]);
    let listed = world.clown_ok(&["hooks", "list", "flat"]);
    assert!(listed.contains(r#"{"command":"./own.sh"}"#), "{listed}");
    world.clown_ok(&["hooks", "remove", "flat", "PreToolUse", "--all"]);

    world.clown_ok(&["hooks", "remove", "work", "PreToolUse", "./check"]);
    world.clown_ok(&["hooks", "remove", "work", "Stop", "--all"]);
    let profile = world.get("/api/v1/profiles/work").json();
    assert_eq!(profile.get("hooks_config"), None);
    world.clown_ok(&["run", "work"]);
    assert_eq!(agents_file(&world, "settings.json").get("hooks"), None);
}

#[test]
fn hooks_that_are_added_at_the_same_time_are_all_there() {
    let world = World::with_agent("exit 0");
    world.create_profile("work");
    let children: Vec<_> = (0..6)
        .map(|number| {
            let command = format!("hook-{number}");
            let arguments = ["hooks", "add", "work", "Stop", &command];
            world.clown(&arguments).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let listed = world.clown_ok(&["hooks", "list", "work"]);
    for number in 0..6 {
        assert!(listed.contains(&format!("hook-{number}")), "{listed}");
    }
}

#[test]
fn mcp_servers_are_added_listed_and_removed() {
    let world = World::with_agent("exit 0");
    world.create_profile("work");
    let mut add = world.clown(&[
        "mcp",
        "add",
        "work",
        "github",
        "--env",
        "MY_TOKEN",
        "--env",
        "A=1",
        "--",
        "npx",
        "-y",
        "some server",
    ]);
    let output = add.env("MY_TOKEN", "ghp-0123456789").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    world.clown_ok(&[
        "mcp",
        "add",
        "work",
        "search",
        "--url",
        "https://mcp.example/x?token=s3cret-1",
        "--header",
        "X-A: b",
    ]);
    let listed = world.clown_ok(&["mcp", "list", "work"]);
    assert!(listed.contains("MY_TOKEN=********"), "{listed}");
    assert!(listed.contains("npx -y 'some server'"), "{listed}");
    assert!(
        listed.contains("https://mcp.example/x?token=********"),
        "{listed}"
    );
    let shown = world.clown_ok(&["profiles", "show", "work"]);
    let planned = world.clown_ok(&["run", "work", "--dry-run"]);
    for text in [listed, shown, planned] {
        assert!(!text.contains("ghp-") && !text.contains("s3cret"), "{text}");
    }

    world.clown_ok(&["run", "work"]);
    let servers = agents_file(&world, ".claude.json")["mcpServers"].clone();
    assert_eq!(servers["github"]["env"]["MY_TOKEN"], "ghp-0123456789");
    assert_eq!(servers["search"]["headers"]["X-A"], "b");
    assert_eq!(
        servers["search"]["url"],
        "https://mcp.example/x?token=s3cret-1"
    );

    refused(
        &world,
        &["mcp", "add", "work", "github", "--", "x"],
        4,
        "--replace",
    );
    refused(&world, &["mcp", "add", "work", "a b", "--", "x"], 2, "a b");
    refused(
        &world,
        &["mcp", "add", "work", "x", "--url", "ftp://x"],
        2,
        "http://",
    );
    refused(
        &world,
        &["mcp", "add", "work", "x", "--url", "https://me:pw@x"],
        2,
        "give them in a header",
    );
    refused(
        &world,
        &["mcp", "add", "work", "x", "--env", "NOT_SET", "--", "x"],
        2,
        "NOT_SET",
    );
    refused(&world, &["mcp", "remove", "work", "nothing"], 3, "nothing");
    // What an answer shows is not taken for a value.
    let masked = world.get("/api/v1/profiles/work").json()["mcp_servers"].clone();
    let back = world.send(
        "PATCH",
        "/api/v1/profiles/work",
        &json!({"mcp_servers": masked}),
    );
    assert_eq!(back.status, 422, "{back:?}");

    world.clown_ok(&["mcp", "add", "work", "github", "--replace", "--", "other"]);
    world.clown_ok(&["mcp", "remove", "work", "search"]);
    let file = fs::read_to_string(world.profile_file("work")).unwrap();
    assert!(file.contains("other") && !file.contains("ghp-"), "{file}");
    world.clown_ok(&["run", "work"]);
    let servers = agents_file(&world, ".claude.json")["mcpServers"].clone();
    assert_eq!(
        servers,
        json!({"github": {"type": "stdio", "command": "other"}})
    );
}

#[test]
fn an_agent_that_takes_neither_servers_nor_a_small_model_is_refused_them() {
    let world = World::new();
    fs::create_dir_all(world.path("config/agents.d")).unwrap();
    fs::write(
        world.path("config/agents.d/bare.toml"),
        "id = \"bare\"\nname = \"Bare\"\nbinaries = [\"bare\"]\n[version]\nargs = []\npattern = '(.)'\n",
    )
    .unwrap();
    let mut world = world;
    world.install("bare", "1.0.0", FakeAgent::Script("exit 0"));
    world.start();
    world.clown_ok(&["profiles", "create", "bare", "--agent", "bare"]);
    refused(
        &world,
        &["mcp", "add", "bare", "x", "--", "y"],
        2,
        "no MCP servers",
    );
    let body = json!({"mcp_servers": {"x": {"command": "y"}}});
    let answer = world.send("PATCH", "/api/v1/profiles/bare", &body);
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(answer.json()["code"], "invalid_profile");
    let created = [
        "profiles",
        "create",
        "b",
        "--agent",
        "bare",
        "--small-model",
        "s",
    ];
    refused(&world, &created, 2, "no model for small requests");
    let set = ["profiles", "set", "bare", "small_model=s"];
    refused(&world, &set, 2, "no model for small requests");
    // By hand it is told, and does not run.
    fs::write(
        world.profile_file("bare"),
        "agent_id = \"bare\"\n[mcp_servers.x]\ncommand = \"y\"\n",
    )
    .unwrap();
    clown_tests::wait_for("the fault", || {
        let profile = world.get("/api/v1/profiles/bare").json();
        let fault = profile.get("fault")?["message"].as_str()?.to_owned();
        fault.contains("no MCP servers").then_some(())
    });
    refused(&world, &["run", "bare"], 2, "no MCP servers");
}
