//! Imports of profiles and rotations of keys that a crash or a full disk cuts off: each profile and
//! each key is the old one or the new one, never something in between.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{OnDisk, SmallDisk, World, request};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Instant;

/// Members of a profile that say `mark` in several places, and are long enough to be more than one
/// block of a disk.
fn members(alias: &str, mark: &str) -> Value {
    json!({
        "alias": alias, "agent_id": "claude", "provider_id": "anthropic", "model": mark,
        "key": {"store": "team"}, "env": {"BEGIN": mark, "LONG": mark.repeat(1_500), "REST": mark},
        "args": [mark],
    })
}

fn key(mark: &str) -> String {
    format!("sk-{mark}-{}", mark.repeat(1_500))
}

/// Writes an export with these profiles and the key that they share.
fn write_export(path: &Path, aliases: &[&str], mark: &str) {
    let profiles: Vec<Value> = aliases.iter().map(|alias| members(alias, mark)).collect();
    let keys = json!([{"name": "team", "provider_id": "anthropic", "value": key(mark)}]);
    let export = json!({"format": 1, "profiles": profiles, "keys": keys});
    fs::write(path, export.to_string()).unwrap();
}

/// The mark that a profile has in all its places, in what the daemon says and in its file; None
/// where it is neither here nor there.
#[track_caller]
fn mark_of_profile(address: &str, file: &Path, alias: &str) -> Option<String> {
    let answer = request(address, "GET", &format!("/api/v1/profiles/{alias}"), None);
    if answer.status == 404 {
        assert!(!file.exists(), "{alias} has a file and is no profile");
        return None;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    let profile = answer.json();
    let mark = profile["model"].as_str().unwrap().to_owned();
    let expected = members(alias, &mark);
    for member in ["env", "args", "provider_id"] {
        assert_eq!(profile[member], expected[member], "{alias}: {member}");
    }
    let text = fs::read_to_string(file).unwrap();
    let written: toml::Table = text.parse().unwrap();
    let written = serde_json::to_value(written).unwrap();
    for member in ["env", "args", "model", "key"] {
        assert_eq!(
            written[member], expected[member],
            "{alias}'s file: {member}"
        );
    }
    Some(mark)
}

/// The mark of the shared key, and when it was set; None where there is none.
#[track_caller]
fn mark_of_key(address: &str, secrets: &Path) -> Option<(String, Value)> {
    let listed = request(address, "GET", "/api/v1/keys", None).json();
    let items = listed["items"].as_array().unwrap();
    let file = secrets.join("team");
    let Some(item) = items.iter().find(|item| item["name"] == "team") else {
        assert!(!file.exists(), "a key that is not listed has a value");
        return None;
    };
    assert_eq!(item["provider_id"], "anthropic", "{item}");
    assert!(item["set_at"].is_string(), "{item}");
    let value = fs::read_to_string(file).unwrap();
    let mark = value.split('-').nth(1).unwrap().to_owned();
    assert_eq!(value, key(&mark));
    Some((mark, item["set_at"].clone()))
}

#[track_caller]
fn check_no_litter(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert!(!name.starts_with(".clown-"), "{}", entry.path().display());
    }
}

/// Starts `clown`, which starts no daemon of its own.
fn start(world: &World, address: &str, arguments: &[&str], input: &str) -> Child {
    let mut child = world
        .clown(&[&["--no-start", "--daemon", address], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // One that was refused may have ended before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child
}

fn import(world: &World, address: &str, file: &Path) -> Child {
    let file = file.to_str().unwrap();
    let arguments = ["profiles", "import", "--on-conflict", "replace", file];
    start(world, address, &arguments, "")
}

fn rotate(world: &World, address: &str, mark: &str) -> Child {
    start(world, address, &["keys", "rotate", "team"], &key(mark))
}

/// Kills the daemon at several moments of what `begin` starts, starts it again, and has `check`
/// look: at whether the command succeeded, and at its number.
fn kill_in(
    world: &mut World,
    begin: impl Fn(&World, usize) -> Child,
    check: impl Fn(&World, ExitStatus, usize),
) {
    const KILLS: usize = 24;
    let begun = Instant::now();
    let status = begin(world, 0).wait().unwrap();
    let whole = begun.elapsed();
    assert!(status.success());
    check(world, status, 0);
    let mut cut_off = 0;
    for number in 1..=KILLS {
        let mut child = begin(world, number);
        let until = Instant::now() + whole.mul_f64(number as f64 / KILLS as f64);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        world.crash_daemon();
        let status = child.wait().unwrap();
        cut_off += usize::from(!status.success());
        world.start();
        check(world, status, number);
        for folder in ["config/profiles", "state/secrets", "state/keys"] {
            check_no_litter(&world.path(folder));
        }
    }
    assert!(cut_off > 0, "nothing was cut off in {whole:?}");
}

const MARKS: [&str; 3] = ["aaa", "bbb", "ccc"];

#[test]
fn an_import_that_a_crash_cuts_off_leaves_each_profile_old_or_new() {
    let mut world = World::with_agent("exit 0");
    let begin = |world: &World, number: usize| {
        let new = format!("new{number}");
        let file = world.path("export.json");
        write_export(&file, &["one", &new, "two"], MARKS[number % 3]);
        import(world, world.address(), &file)
    };
    kill_in(&mut world, begin, |world, status, number| {
        let new = format!("new{number}");
        let mark = MARKS[number % 3];
        let found = |alias: &str| {
            let found = mark_of_profile(world.address(), &world.profile_file(alias), alias);
            assert!(
                !status.success() || found.as_deref() == Some(mark),
                "{alias}"
            );
            found
        };
        assert!(found("one").is_some_and(|mark| MARKS.contains(&mark.as_str())));
        assert!(found("two").is_some_and(|mark| MARKS.contains(&mark.as_str())));
        assert!(found(&new).is_none_or(|found| found == mark));
        mark_of_key(world.address(), &world.path("state/secrets")).unwrap();
    });
}

#[test]
fn a_rotation_that_a_crash_cuts_off_leaves_the_old_key_or_the_new_one() {
    let mut world = World::with_agent("exit 0");
    let mut first = start(
        &world,
        world.address(),
        &["keys", "set", "team", "--provider", "anthropic"],
        &key("ccc"),
    );
    assert!(first.wait().unwrap().success());
    let begin = |world: &World, number: usize| rotate(world, world.address(), MARKS[number % 3]);
    kill_in(&mut world, begin, |world, status, number| {
        let found = mark_of_key(world.address(), &world.path("state/secrets"));
        let (found, _) = found.unwrap();
        assert!(MARKS.contains(&found.as_str()));
        assert!(!status.success() || found == MARKS[number % 3]);
    });
}

/// Runs `command` with no room, and with a little more each time until it is enough; `check` sees
/// whether it succeeded.
fn with_little_room(
    disk: &SmallDisk,
    command: impl Fn(usize) -> Child,
    check: impl Fn(bool, usize),
) {
    let mut refused = 0;
    for blocks in 0..40 {
        disk.take_room();
        let filler = fs::OpenOptions::new()
            .write(true)
            .open(disk.file("filler"))
            .unwrap();
        let length = filler.metadata().unwrap().len();
        filler
            .set_len(length - length.min(blocks as u64 * 4_096))
            .unwrap();
        let done = command(blocks).wait().unwrap().success();
        check(done, blocks);
        disk.make_room();
        // Also once there is room again.
        check(done, blocks);
        for folder in ["config/profiles", "state/secrets", "state/keys"] {
            check_no_litter(&disk.seen(folder));
        }
        refused += usize::from(!done);
        if done {
            assert!(refused > 0, "there was always room enough");
            return;
        }
    }
    panic!("160 KiB are not enough");
}

fn small_disk() -> Option<SmallDisk> {
    let world = World::new();
    world.install("claude", "1.0.0", clown_tests::FakeAgent::Script("exit 0"));
    SmallDisk::start(world, OnDisk::StateAndConfig)
}

#[test]
fn a_key_that_finds_no_room_is_the_old_one() {
    let Some(disk) = small_disk() else { return };
    let (world, address) = (&disk.world, disk.address.as_str());
    let secrets = disk.file("secrets");
    let set = |_| {
        let arguments = ["keys", "set", "team", "--provider", "anthropic"];
        start(world, address, &arguments, &key("old"))
    };
    with_little_room(&disk, set, |done, blocks| {
        let found = mark_of_key(address, &secrets);
        assert_eq!(found.is_some(), done, "{blocks} blocks");
    });
    let before = mark_of_key(address, &secrets).unwrap();
    with_little_room(
        &disk,
        |_| rotate(world, address, "new"),
        |done, blocks| {
            let found = mark_of_key(address, &secrets).unwrap();
            assert_eq!(found.0 == "new", done, "{blocks} blocks");
            assert_eq!(found == before, !done, "{blocks} blocks");
        },
    );
}

#[test]
fn an_import_that_finds_no_room_leaves_each_profile_old_or_new() {
    let Some(disk) = small_disk() else { return };
    let (world, address) = (&disk.world, disk.address.as_str());
    let file = world.path("export.json");
    write_export(&file, &["one", "two"], "old");
    assert!(import(world, address, &file).wait().unwrap().success());
    let begin = |blocks: usize| {
        write_export(&file, &["one", &format!("new{blocks}"), "two"], "new");
        import(world, address, &file)
    };
    with_little_room(&disk, begin, |done, blocks| {
        let aliases = ["one".to_owned(), format!("new{blocks}"), "two".to_owned()];
        let found = aliases.map(|alias| {
            let file = disk.seen(&format!("config/profiles/{alias}.toml"));
            mark_of_profile(address, &file, &alias)
        });
        let found = found.each_ref().map(Option::as_deref);
        assert!(found[0].is_some() && found[2].is_some(), "{found:?}");
        assert!(found[1].is_none_or(|mark| mark == "new"), "{found:?}");
        if done {
            assert_eq!(found, [Some("new"); 3]);
        }
        mark_of_key(address, &disk.file("secrets")).unwrap();
    });
}
