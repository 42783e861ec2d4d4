//! Who can read what a profile holds, and what leaves the machine.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn who_may_read_a_profile() {
    let world = World::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.folder), 0o700);
    assert_eq!(mode(world.folder.parent().unwrap()), 0o700);

    let create = members(json!({"agent_id": "claude", "model": "a"}));
    world.profiles.create(&alias("work"), create).unwrap();
    let file = world.folder.join("work.toml");
    assert_eq!(mode(&file), 0o600);
    let copy = alias("copy");
    world.profiles.clone_profile(&alias("work"), &copy).unwrap();
    assert_eq!(mode(&world.folder.join("copy.toml")), 0o600);

    let check = |change: Value, expected: u32| {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let patch = members(change.clone());
        world.profiles.patch(&alias("work"), patch).unwrap();
        assert_eq!(mode(&file), expected, "{change}");
    };
    check(json!({"model": "b"}), 0o644);
    check(json!({"env": {"A_TOKEN": "s"}}), 0o600);
    check(json!({"model": "c"}), 0o644);
    check(
        json!({"mcp_servers": {"m": {"command": "x", "env": {"T": "s"}}}}),
        0o600,
    );
    check(json!({"mcp_servers": {"m": {"env": {"T": "s2"}}}}), 0o600);
    check(json!({"mcp_servers": {"m": null}}), 0o644);
    check(json!({"env": {"A_TOKEN": null}}), 0o644);

    let before = world.read("work");
    let text = format!("{before}\n[env]\nB_TOKEN = \"s\"\n");
    let work = alias("work");
    world.profiles.replace_text(&work, &before, &text).unwrap();
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn an_export_without_keys_holds_no_secret_of_a_server() {
    let world = World::new();
    let servers = json!({
        "a": {"command": "npx", "args": ["-y"], "env": {"T": "s3cret"}},
        "b": {"url": "https://x/mcp?token=s3cret&n", "headers": {"H": "s3cret"}},
        "c": {"url": "https://x/mcp"}
    });
    let create = members(json!({"agent_id": "claude", "mcp_servers": servers}));
    world.profiles.create(&alias("work"), create).unwrap();
    let export = world.profiles.export(&[alias("work")], false).unwrap();
    assert_eq!(
        export.left_out,
        [
            "work: mcp_servers.a.env.T",
            "work: mcp_servers.b.url (what may be a secret in its path or query)",
            "work: mcp_servers.b.headers.H"
        ]
    );
    assert_eq!(
        serde_json::to_value(&export.profiles[0].1.mcp_servers).unwrap(),
        json!({
            "a": {"command": "npx", "args": ["-y"]},
            "b": {"url": "https://x/mcp?token=&"},
            "c": {"url": "https://x/mcp"}
        })
    );
    let whole = world.profiles.export(&[alias("work")], true).unwrap();
    assert_eq!(
        serde_json::to_value(&whole.profiles[0].1.mcp_servers).unwrap(),
        servers
    );
}
