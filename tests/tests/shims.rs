//! Programs that run a profile: what they do, and what they never touch.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{World, binaries};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn shims_run_profiles_and_touch_nothing_of_others() {
    let world = World::with_agent("printf '<%s>' \"$@\"");
    world.create_profile("work");
    let dir = world.path("home/.local/bin");
    let check = |arguments: &[&str], code: i32, part: &str| {
        let output = world.clown(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    };
    check(&["shims", "install", "work"], 0, "not on your PATH");
    let shim = dir.join("work");
    let mode = fs::metadata(&shim).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        world.path("bin").display(),
        binaries().clown.parent().unwrap().display()
    );
    // It finds the daemon that it was made with, from a shell that knows nothing of it too.
    let output = world
        .command(&shim)
        .env("PATH", path)
        .env_remove("CLOWN_CONFIG_DIR")
        .env_remove("CLOWN_STATE_DIR")
        .args(["-p", "two words", "--", ""])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "<-p><two words><--><>", "{output:?}");
    // Again is fine: it is our own.
    check(&["shims", "install", "work"], 0, "");

    check(&["shims", "install", "nobody"], 3, "nobody");
    fs::copy("/bin/true", world.path("bin/tool")).unwrap();
    check(
        &["shims", "install", "work", "--name", "tool"],
        4,
        "/bin/tool",
    );
    check(&["shims", "install", "work", "--name", "../x"], 2, "alias");
    check(
        &["shims", "install", "work", "--name", "tool", "--hide"],
        0,
        "",
    );
    // What it would call itself.
    for name in ["clown", "claude"] {
        check(
            &["shims", "install", "work", "--name", name, "--hide"],
            4,
            "call itself",
        );
        assert!(!dir.join(name).exists());
    }
    let listed = world.clown_ok(&["shims", "list"]);
    assert!(
        listed.contains("tool") && listed.contains("work"),
        "{listed}"
    );

    fs::write(dir.join("mine"), "#!/bin/sh\necho mine\n").unwrap();
    std::os::unix::fs::symlink("/nonexistent", dir.join("link")).unwrap();
    for name in ["mine", "link"] {
        check(
            &["shims", "install", "work", "--name", name],
            4,
            "not made by clown",
        );
        check(&["shims", "remove", name], 4, "stays");
    }
    assert_eq!(
        fs::read_to_string(dir.join("mine")).unwrap(),
        "#!/bin/sh\necho mine\n"
    );
    check(&["shims", "remove", "nothing"], 3, "nothing");
    world.clown_ok(&["shims", "remove", "work"]);
    world.clown_ok(&["shims", "remove", "tool"]);
    assert!(!shim.exists());
    assert!(!world.clown_ok(&["shims", "list"]).contains("work"));
}
