//! What a run would do, told before it is done: `--dry-run` and `profiles env`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{World, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const KEY: &str = "sk-dry-run-0123456789";
const TOKEN: &str = "ghp-mcp-0123456789";

fn with_profile() -> World {
    let world = World::with_agent("exec env");
    // Whatever is found later would be an event of its own.
    wait_for("the agent", || {
        let agent = world.get("/api/v1/agents/claude").json();
        (agent["installed"] == true).then_some(())
    });
    let body = json!({
        "alias": "work", "agent_id": "claude", "provider_id": "anthropic", "model": "a",
        "small_model": "s", "key": {"value": KEY}, "env": {"DB_PASSWORD": "hunter22", "A": "it's"},
        "hooks_config": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]},
        "mcp_servers": {"github": {"command": "npx", "args": ["-y"], "env": {"TOKEN": TOKEN}}},
    });
    let answer = world.send("POST", "/api/v1/profiles", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    world
}

/// Every file below the folder, with its content.
fn files_in(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

fn without_secrets(text: &str) {
    for secret in [KEY, TOKEN, "hunter22"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_dry_run_shows_everything_and_changes_nothing() {
    let world = with_profile();
    let seq = world.get("/api/v1/state").json()["seq"].clone();
    let before = (
        files_in(&world.path("config")),
        files_in(&world.path("state/homes")),
    );

    let check = |arguments: &[&str], parts: &[&str]| {
        let output = world.clown(arguments).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
        without_secrets(&format!("{stdout}{stderr}"));
        for part in parts {
            assert!(stdout.contains(part), "{part:?} in {stdout}");
        }
        assert!(stderr.contains("nothing was changed"), "{stderr}");
    };
    let settings = "state/homes/work/claude/settings.json";
    let settings = world.path(settings).display().to_string();
    check(
        &["run", "work", "--dry-run", "--", "-p", "two words"],
        &[
            &format!("new file {settings}"),
            "+ hooks.Stop = ",
            "+ mcpServers.github.env.TOKEN = ********",
            "ANTHROPIC_API_KEY=********",
            "ANTHROPIC_MODEL=a",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL=s",
            "DB_PASSWORD=********",
            "A=it's",
            "unset ",
            " OPENAI_API_KEY",
            "/bin/claude -p 'two words'",
        ],
    );
    check(
        &[
            "profiles",
            "set",
            "work",
            "model=b",
            "small_model=",
            "--dry-run",
        ],
        &[
            &world.profile_file("work").display().to_string(),
            "~ model = a -> b",
            "- small_model = s",
            "ANTHROPIC_MODEL=b",
        ],
    );
    check(
        &[
            "profiles",
            "create",
            "new",
            "--agent",
            "claude",
            "--provider",
            "anthropic",
            "--key-env",
            "SOME_KEY",
            "--env",
            "MY_TOKEN=hunter22",
            "--dry-run",
        ],
        &[
            &format!("new file {}", world.profile_file("new").display()),
            "+ agent_id = claude",
            "MY_TOKEN=********",
        ],
    );
    assert_eq!(world.get("/api/v1/profiles/new").status, 404);
    let after = (
        files_in(&world.path("config")),
        files_in(&world.path("state/homes")),
    );
    assert_eq!(before, after);
    assert_eq!(world.get("/api/v1/state").json()["seq"], seq);
    assert_eq!(world.get("/api/v1/runs").json()["items"], json!([]));
}

#[test]
fn a_dry_run_fails_where_the_thing_itself_would() {
    let world = with_profile();
    let check = |arguments: &[&str], code: i32, part: &str| {
        let output = world.clown(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    };
    check(&["run", "nobody", "--dry-run"], 3, "nobody");
    check(
        &[
            "profiles",
            "create",
            "work",
            "--agent",
            "claude",
            "--dry-run",
        ],
        4,
        "exists",
    );
    check(
        &["profiles", "set", "work", "agent_id=cluade", "--dry-run"],
        2,
        "cluade",
    );
    check(
        &["profiles", "set", "work", "modle=x", "--dry-run"],
        2,
        "modle",
    );
    world.clown_ok(&["profiles", "create", "absent", "--agent", "codex"]);
    check(&["run", "absent", "--dry-run"], 1, "not installed");
    world.clown_ok(&[
        "profiles",
        "create",
        "keyless",
        "--agent",
        "claude",
        "--provider",
        "anthropic",
    ]);
    check(&["run", "keyless", "--dry-run"], 1, "needs a key");
    let both = json!({"create": {}, "patch": {}, "cwd": "/", "path": "", "cli_pid": 1});
    let answer = world.send("POST", "/api/v1/profiles/work/plan", &both);
    assert_eq!(answer.status, 422, "{answer:?}");
}

#[test]
fn a_dry_run_tells_what_a_run_then_does() {
    let world = with_profile();
    let plan: Value =
        serde_json::from_str(&world.clown_ok(&["run", "work", "--dry-run", "--json"])).unwrap();
    let ran = world.clown_ok(&["run", "work"]);
    for (name, value) in plan["env"].as_object().unwrap() {
        let line = ran
            .lines()
            .find(|line| line.starts_with(&format!("{name}=")));
        match value.as_str() {
            None => assert_eq!(line, None, "{name}"),
            Some("********") => assert!(line.is_some(), "{name}"),
            Some(value) => assert_eq!(line, Some(format!("{name}={value}").as_str())),
        }
    }
    let file = plan["files"][0]["path"].as_str().unwrap();
    let written: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for change in plan["files"][0]["changes"].as_array().unwrap() {
        let member = change["member"].as_array().unwrap();
        let path: Vec<&str> = member.iter().filter_map(Value::as_str).collect();
        let found = written.pointer(&format!("/{}", path.join("/"))).unwrap();
        if change["after"] != "********" {
            assert_eq!(*found, change["after"], "{path:?}");
        }
    }
    assert_eq!(written["mcpServers"]["github"]["env"]["TOKEN"], TOKEN);
    // All of it is there now.
    let plan: Value =
        serde_json::from_str(&world.clown_ok(&["run", "work", "--dry-run", "--json"])).unwrap();
    assert_eq!(plan["files"], json!([]));
    // What is taken out again, with its old value masked.
    let cleared = [
        "profiles",
        "set",
        "work",
        "mcp_servers=",
        "--dry-run",
        "--json",
    ];
    let text = world.clown_ok(&cleared);
    without_secrets(&text);
    assert!(text.contains("mcpServers"), "{text}");
}

#[test]
fn the_environment_of_a_run_for_a_shell() {
    let world = with_profile();
    let clown = world.clown(&[]).get_program().to_owned();
    let clown = Path::new(&clown).display().to_string();
    let script = format!(
        "export OPENAI_API_KEY=mine; eval \"$('{clown}' profiles env work)\"; \
         printf '%s|%s|%s|%s' \"$ANTHROPIC_API_KEY\" \"$A\" \"${{OPENAI_API_KEY-unset}}\" \"$CLOWN_PROFILE\""
    );
    let output = world
        .command(Path::new("/bin/sh"))
        .args(["-c", &script])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{KEY}|it's|unset|work"),
        "{output:?}"
    );
    let settings = world.path("state/homes/work/claude/settings.json");
    assert!(
        settings.is_file(),
        "the agent's files are as a run has them"
    );

    let json = world.clown_ok(&["profiles", "env", "work", "--shell", "json"]);
    let env: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(env["ANTHROPIC_API_KEY"], KEY);
    assert_eq!(env["OPENAI_API_KEY"], Value::Null);
    assert_eq!(world.clown_ok(&["profiles", "env", "work", "--json"]), json);
    assert_eq!(world.get("/api/v1/runs").json()["items"], json!([]));
}

#[test]
fn members_of_tools_are_shown_masked_and_told_by_name() {
    let world = with_profile();
    let shown = world.clown_ok(&["profiles", "show", "work"]);
    without_secrets(&shown);
    for part in [
        "small model",
        "hook",
        "MCP server",
        "github: TOKEN=******** npx -y",
    ] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    // A profile's variables are told to programs as they stand in its file.
    for told in [
        world.clown_ok(&["profiles", "show", "work", "--json"]),
        world.clown_ok(&["profiles", "list", "--json"]),
        world.get("/api/v1/state").json().to_string(),
    ] {
        assert!(!told.contains(TOKEN) && !told.contains(KEY), "{told}");
    }

    let mut stream = world.stream("");
    let servers = r#"mcp_servers={"search":{"url":"https://mcp.example"}}"#;
    world.clown_ok(&["profiles", "set", "work", "small_model=t", servers]);
    let told = wait_for("the event", || {
        let mut message = stream.next_message();
        (message["type"] == "ProfileUpdated").then(|| message["data"].take())
    });
    assert_eq!(
        told,
        json!({"alias": "work", "changes": ["small_model", "mcp_servers"]})
    );
    let file = fs::read_to_string(world.profile_file("work")).unwrap();
    assert!(
        file.contains("https://mcp.example") && file.contains(TOKEN),
        "{file}"
    );
    let history = world.get("/api/v1/events?since=0").json().to_string();
    without_secrets(&history);
}

#[test]
fn secrets_that_stand_where_none_belongs_are_not_shown() {
    let world = World::with_agent("");
    let text = "agent_id = \"claude\"\nargs = [\"--header\", \"X-Api-Key: s3cret-1\", \"--token\", \"s3cret-2\"]\n\
                [env]\nDATABASE_URL = \"postgres://me:s3cret-3@host/db\"\nGPG_PASSPHRASE = \"s3cret-4\"\n\
                ANTHROPIC_CUSTOM_HEADERS = \"X-Who: s3cret-5\"\nPROFILE_NAME = \"shown\"\n\
                [hooks_config]\nStop = [{ hooks = [{ type = \"command\", command = \"x --token=s3cret-6\" }] }]\n\
                [mcp_servers.a]\nurl = \"https://x/s/s3cretk3n8fQz71LmVw0aTr9e/mcp\"\n\
                [mcp_servers.b]\ncommand = \"x\"\nargs = [\"--api-key=s3cret-7\"]\n";
    fs::write(world.profile_file("work"), text).unwrap();
    wait_for("the profile", || {
        (world.get("/api/v1/profiles/work").status == 200).then_some(())
    });
    for arguments in [
        &["run", "work", "--dry-run"][..],
        &["run", "work", "--dry-run", "--json"],
        &["profiles", "show", "work"],
        &["mcp", "list", "work"],
    ] {
        let shown = world.clown_ok(arguments);
        assert!(shown.contains("********"), "{arguments:?}: {shown}");
        assert!(!shown.contains("s3cret"), "{arguments:?}: {shown}");
    }
    assert!(
        world
            .clown_ok(&["profiles", "show", "work"])
            .contains("PROFILE_NAME=shown")
    );
}
