//! Profiles copied, edited, and carried to another machine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::World;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

const KEY: &str = "sk-carried-0123456789";
const TOKEN: &str = "ghp-carried-0123456789";
const PRINT: &str = "printf %s \"$ANTHROPIC_API_KEY\"";

fn with_input(world: &World, arguments: &[&str], input: &str) -> Output {
    let mut child = world
        .clown(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(output: &Output, code: i32, part: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(part), "{part}: {stderr}");
}

fn with_profile() -> World {
    let world = World::with_agent(PRINT);
    let body = json!({
        "alias": "work", "agent_id": "claude", "provider_id": "anthropic", "model": "a",
        "env": {"A": "1", "DB_PASSWORD": "hunter22"}, "key": {"value": KEY},
        "hooks_config": {"Stop": [{"hooks": [{"type": "command", "command": "done"}]}]},
        "mcp_servers": {"m": {"command": "npx", "env": {"TOKEN": TOKEN}}},
    });
    let answer = world.send("POST", "/api/v1/profiles", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    world
}

#[test]
fn a_clone_keeps_comments_and_shares_the_key() {
    let world = with_profile();
    let text = fs::read_to_string(world.profile_file("work")).unwrap();
    fs::write(world.profile_file("work"), format!("# mine\n{text}")).unwrap();
    world.clown_ok(&["profiles", "clone", "work", "second"]);
    let copy = fs::read_to_string(world.profile_file("second")).unwrap();
    assert_eq!(copy, format!("# mine\n{text}"));
    world.clown_ok(&["profiles", "delete", "work"]);
    assert_eq!(world.clown_ok(&["run", "second"]), KEY);
    let again = world
        .clown(&["profiles", "clone", "nobody", "x"])
        .output()
        .unwrap();
    refused(&again, 3, "nobody");
    let again = world
        .clown(&["profiles", "clone", "second", "second"])
        .output()
        .unwrap();
    refused(&again, 4, "exists");
}

#[test]
fn an_export_holds_no_secret_unless_asked_and_then_it_is_encrypted() {
    let world = with_profile();
    let body = json!({"args": ["--api-key", "in-args"]});
    assert_eq!(
        world.send("PATCH", "/api/v1/profiles/work", &body).status,
        200
    );
    let plain = world
        .clown(&["profiles", "export", "work"])
        .output()
        .unwrap();
    let text = ok(&plain);
    for secret in [KEY, TOKEN, "hunter22"] {
        assert!(!text.contains(secret), "{text}");
    }
    let told = String::from_utf8_lossy(&plain.stderr);
    assert!(told.contains("work: env.DB_PASSWORD"), "{told}");
    assert!(told.contains("work: mcp_servers.m.env.TOKEN"), "{told}");
    assert!(
        told.contains("still in it, and looks like a secret: work: args[1]"),
        "{told}"
    );
    assert!(!told.contains("in-args"), "{told}");

    let file = world.path("work/out.age");
    let arguments = [
        "profiles",
        "export",
        "work",
        "--with-key",
        "--out",
        "out.age",
        "--passphrase-stdin",
    ];
    ok(&with_input(&world, &arguments, "correct horse\n"));
    let encrypted = fs::read_to_string(&file).unwrap();
    assert!(encrypted.starts_with("-----BEGIN AGE"), "{encrypted}");
    assert!(!encrypted.contains(KEY));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    refused(
        &with_input(&world, &arguments, "correct horse\n"),
        4,
        "exists",
    );
    let without = world
        .clown(&["profiles", "export", "work", "--with-key"])
        .output()
        .unwrap();
    refused(&without, 2, "--passphrase-stdin");

    // On another machine.
    let other = World::with_agent(PRINT);
    let carried = file.display().to_string();
    let import = ["profiles", "import", &carried, "--passphrase-stdin"];
    refused(&with_input(&other, &import, "wrong\n"), 1, "passphrase");
    let imported = with_input(&other, &import, "correct horse\n");
    ok(&imported);
    let told = String::from_utf8_lossy(&imported.stderr);
    assert!(
        told.contains("done (hook at Stop)") && told.contains("npx (MCP server m)"),
        "{told}"
    );
    assert_eq!(other.clown_ok(&["run", "work"]), KEY);
    let file = fs::read_to_string(other.profile_file("work")).unwrap();
    assert!(file.contains(TOKEN) && !file.contains(KEY), "{file}");
}

#[test]
fn conflicts_at_an_import() {
    let world = with_profile();
    let file = world.path("work/out.json");
    world.clown_ok(&["profiles", "export", "work", "--out", "out.json"]);
    let path = file.display().to_string();
    let import = |more: &[&str]| {
        let arguments = [&["profiles", "import", &path], more].concat();
        world.clown(&arguments).output().unwrap()
    };
    world.clown_ok(&[
        "profiles",
        "set",
        "work",
        "model=b",
        "env.MORE=1",
        "small_model=s",
    ]);
    refused(&import(&[]), 4, "profile work: use --on-conflict");
    refused(&import(&["--as", "work"]), 4, "another name for --as");
    ok(&import(&["--on-conflict", "skip"]));
    let model = |alias: &str| world.get(&format!("/api/v1/profiles/{alias}")).json();
    assert_eq!(model("work")["model"], "b");
    // Whoever wrote the file says where a key is sent: so it is not given to just anybody's.
    let third = import(&["--as", "third"]);
    ok(&third);
    let told = String::from_utf8_lossy(&third.stderr).into_owned();
    assert!(
        told.contains("does not get your stored key work") && told.contains("will set A=1"),
        "{told}"
    );
    assert_eq!(model("third").get("key"), None);
    ok(&import(&["--as", "second", "--use-stored-keys"]));
    assert_eq!(model("second")["model"], "a");
    assert_eq!(world.clown_ok(&["run", "second"]), KEY);
    // A variable that the file does not have would go, and may be what said where the key is sent.
    let replaced = import(&["--on-conflict", "replace"]);
    refused(&replaced, 4, "differs from yours in env");
    assert_eq!(model("work")["env"]["MORE"], "1");
    world.clown_ok(&["profiles", "set", "work", "env.MORE="]);
    ok(&import(&["--on-conflict", "replace"]));
    assert_eq!(world.clown_ok(&["run", "work"]), KEY);
    // Somebody else's of that name would take the key elsewhere: nothing is changed, or lost.
    let text = fs::read_to_string(&file).unwrap();
    let evil = text.replace(
        "\"A\": \"1\"",
        "\"A\": \"1\", \"ANTHROPIC_BASE_URL\": \"http://evil\"",
    );
    assert_ne!(evil, text);
    let replace = ["profiles", "import", "-", "--on-conflict", "replace"];
    refused(
        &with_input(&world, &replace, &evil),
        4,
        "differs from yours in env",
    );
    assert_eq!(world.clown_ok(&["run", "work"]), KEY);
    let profile = model("work");
    assert_eq!(profile["model"], "a");
    assert_eq!(profile["env"], json!({"A": "1"}));
    assert_eq!(profile.get("small_model"), None);

    // Nor by being imported twice, with another of the kept keys, or by way of a proxy.
    let as_third = ["profiles", "import", "-", "--as", "third"];
    let twice = [&as_third[..], &["--on-conflict", "replace"]].concat();
    refused(&with_input(&world, &twice, &evil), 4, "env, key");
    assert_eq!(model("third").get("key"), None);
    let other_key = text.replace("\"work\"\n      }", "\"other\"\n      }");
    assert_ne!(other_key, text);
    ok(&with_input(
        &world,
        &["keys", "set", "other", "--provider", "anthropic"],
        "sk-other",
    ));
    refused(
        &with_input(&world, &replace, &other_key),
        4,
        "differs from yours in key",
    );
    let proxied = text.replace(
        "\"A\": \"1\"\n      }",
        "\"A\": \"1\"\n      },\n      \"proxy_config\": {\"enabled\": true, \"keys\": {\"anthropic\": [{\"store\": \"work\"}]}}",
    );
    assert_ne!(proxied, text);
    refused(
        &with_input(&world, &replace, &proxied),
        4,
        "differs from yours in proxy_config",
    );
    let third = with_input(
        &world,
        &["profiles", "import", "-", "--as", "fourth"],
        &proxied,
    );
    refused(
        &third,
        4,
        "the proxy of profile fourth would use your stored key work",
    );

    // Where its key is not.
    let other = World::with_agent(PRINT);
    let imported = other
        .clown(&["profiles", "import", &path])
        .output()
        .unwrap();
    ok(&imported);
    let told = String::from_utf8_lossy(&imported.stderr).into_owned();
    assert!(told.contains("stored key work"), "{told}");
    assert_eq!(other.get("/api/v1/profiles/work").json().get("key"), None);

    let bad = |text: &str, part: &str| {
        refused(
            &with_input(&world, &["profiles", "import", "-"], text),
            2,
            part,
        );
    };
    bad("nonsense", "no export");
    bad(
        r#"{"format":1,"profiles":[{"alias":"../x","agent_id":"claude"}]}"#,
        "alias",
    );
    bad(
        r#"{"format":1,"profiles":[{"alias":"x","agent_id":"cluade"}]}"#,
        "cluade",
    );
    bad(
        r#"{"format":1,"profiles":[{"alias":"x","agent_id":"claude","a":1}]}"#,
        "\"a\"",
    );
}

#[test]
fn a_bad_edit_never_counts_and_is_kept() {
    let world = with_profile();
    let edit = |editor: &str| {
        let mut clown = world.clown(&["profiles", "edit", "work"]);
        clown.env("EDITOR", editor).output().unwrap()
    };
    let before = fs::read_to_string(world.profile_file("work")).unwrap();
    // Else the agent may be detected meanwhile, which is an event too.
    world.clown_ok(&["agents", "detect"]);
    let seq = world.get("/api/v1/state").json()["seq"].clone();
    for (editor, part) in [
        ("sed -i 's/^model.*/model = oops/'", "work.toml:3:"),
        ("sed -i 's/^model/modle/'", "modle"),
        ("sed -i 's/\"claude\"/\"cluade\"/'", "cluade"),
        (
            "sed -i 's/store = \"work\"/store = \"gone\"/'",
            "no stored key",
        ),
        ("truncate -s 0", "agent_id"),
    ] {
        let output = edit(editor);
        refused(&output, 1, part);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let kept = stderr.split("you wrote is in ").nth(1).unwrap();
        let kept = kept.trim().trim_end_matches('.');
        let mode = fs::metadata(kept).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{kept}");
        fs::remove_dir_all(std::path::Path::new(kept).parent().unwrap()).unwrap();
        assert_eq!(
            fs::read_to_string(world.profile_file("work")).unwrap(),
            before
        );
        assert_eq!(world.get("/api/v1/profiles/work").json().get("fault"), None);
    }
    assert_eq!(world.get("/api/v1/state").json()["seq"], seq);

    refused(&edit("false"), 1, "the editor false failed");

    // Somebody else writes it while it is being edited.
    let file = world.profile_file("work").display().to_string();
    let both = format!("sh -c 'echo \"# theirs\" >> \"{file}\"; echo \"# mine\" >> \"$1\"' --");
    refused(&edit(&both), 4, "changed meanwhile");
    assert!(fs::read_to_string(&file).unwrap().ends_with("# theirs\n"));

    ok(&edit("sed -i 's/^model.*/model = \"z\" # good/'"));
    assert_eq!(world.get("/api/v1/profiles/work").json()["model"], "z");
    assert!(fs::read_to_string(&file).unwrap().contains("\"z\" # good"));
    assert!(ok(&edit("true")).contains("as it was"));

    // A file that is broken already is mended like that.
    fs::write(&file, "agent_id = \"claude\"\nmodel = oops\n").unwrap();
    clown_tests::wait_for("the fault", || {
        let profile: Value = world.get("/api/v1/profiles/work").json();
        profile.get("fault").is_some().then_some(())
    });
    ok(&edit("sed -i 's/oops/\"fine\"/'"));
    assert_eq!(world.get("/api/v1/profiles/work").json()["model"], "fine");
}

#[test]
fn a_template_is_what_a_profile_begins_with() {
    let world = World::with_agent(PRINT);
    fs::create_dir_all(world.path("config/templates.d")).unwrap();
    fs::write(
        world.path("config/templates.d/team.toml"),
        "id = \"team\"\nname = \"Team\"\ndescription = \"ours\"\nagent_id = \"claude\"\n\
         provider_id = \"anthropic\"\nmodel = \"m\"\nenv = { A = \"1\", B = \"2\" }\n",
    )
    .unwrap();
    let listed = world.clown_ok(&["profiles", "templates"]);
    assert!(
        listed.contains("team") && listed.contains("claude-api"),
        "{listed}"
    );
    let create = ["profiles", "create", "work", "--template", "team"];
    let more = ["--env", "B=3", "--key", "env:SOME_KEY"];
    let arguments = [&create[..], &more[..]].concat();
    let dry = world.clown_ok(&[&arguments[..], &["--dry-run"]].concat());
    assert!(dry.contains("+ model = m") && dry.contains("B=3"), "{dry}");
    world.clown_ok(&arguments);
    let profile = world.get("/api/v1/profiles/work").json();
    assert_eq!(profile["provider_id"], "anthropic");
    assert_eq!(profile["env"], json!({"A": "1", "B": "3"}));
    let unknown = ["profiles", "create", "x", "--template", "nothing"];
    refused(&world.clown(&unknown).output().unwrap(), 2, "claude-api");
    let neither = ["profiles", "create", "x"];
    refused(&world.clown(&neither).output().unwrap(), 2, "--agent");
    fs::write(world.path("config/templates.d/bad.toml"), "id = 1\n").unwrap();
    let problems = world.get("/api/v1/daemon").json()["problems"].to_string();
    assert!(problems.contains("bad.toml"), "{problems}");
}
