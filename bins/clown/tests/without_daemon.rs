//! What the command line does where there is no daemon.
#![expect(clippy::unwrap_used, reason = "a helper of the tests fails the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A world with a `clownd` that ends at once.
fn world(script: &str) -> TempDir {
    let world = tempfile::tempdir().unwrap();
    fs::create_dir(world.path().join("bin")).unwrap();
    install_script(&world, "clownd", script);
    world
}

fn install_script(world: &TempDir, name: &str, script: &str) {
    let text = world.path().join("script");
    fs::write(&text, format!("#!/bin/sh\n{script}")).unwrap();
    install(world, name, &text);
}

/// Puts a program into the world. Another process writes it: this one's threads start children, which
/// for a moment hold whatever file is open here, and a program that is open for writing cannot be run.
fn install(world: &TempDir, name: &str, from: &Path) {
    let installed = Command::new("install")
        .args(["-m", "755"])
        .arg(from)
        .arg(world.path().join("bin").join(name))
        .status();
    assert!(installed.unwrap().success());
}

/// The command line in this world and none other.
fn clown(world: &TempDir, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clown"));
    command
        .args(line.split(' ').filter(|word| !word.is_empty()))
        .env_clear()
        .env("HOME", world.path())
        .env("PATH", world.path().join("bin"))
        .stdin(Stdio::null());
    command
}

fn run(world: &TempDir, line: &str) -> Output {
    clown(world, line).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(output)
}

#[track_caller]
fn check(line: &str, code: i32, part: &str) {
    let world = world("");
    let output = run(&world, line);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{line}: {}",
        stderr(&output)
    );
    assert!(said(&output).contains(part), "{line}: {}", said(&output));
    assert!(!world.path().join(".local/state/clown/daemon.json").exists());
}

#[test]
fn exit_codes_and_what_is_said() {
    check("daemon status", 5, "clown daemon start");
    check("--no-start profiles list", 5, "--no-start");
    check("watch --no-start", 5, "--no-start");
    check("--daemon 127.0.0.1:1 profiles list", 5, "127.0.0.1:1");
    check("--daemon 127.0.0.1:1 daemon status", 5, "; none is started");
    check("events --limit 0", 2, "at least 1");
    check("watch --events Zebra", 2, "Profile*");
    check("--daemon nonsense profiles list", 2, "HOST:PORT");
    check("daemon stop", 0, "No daemon runs");
    check("daemon logs", 3, "clownd.log");
    check("init", 2, "--yes");
    check("run ../etc", 2, "alias");
    check("", 2, "Usage");
}

#[test]
fn a_status_for_programs_is_json() {
    let world = world("");
    let output = run(&world, "daemon status --json");
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value, serde_json::json!({"running": false}));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let world = world("");
    for line in ["completions bash", "doctor", "daemon install"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = clown(&world, line).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{line}");
    }
}

#[test]
fn a_unit_file_is_written_again_and_a_foreign_one_is_left() {
    let world = world("");
    let unit = world.path().join(".config/systemd/user/clownd.service");
    for _ in 0..2 {
        let output = run(&world, "daemon install");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = fs::read_to_string(&unit).unwrap();
        let state = world.path().join(".local/state/clown");
        assert!(text.contains(state.to_str().unwrap()), "{text}");
    }
    fs::write(&unit, "[Unit]\n").unwrap();
    let output = run(&world, "daemon install");
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&unit).unwrap(), "[Unit]\n");
}

#[test]
fn the_doctor_changes_nothing_and_fails_where_something_is_wrong() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = world("");
    let state = world.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let line = format!("doctor --json --state-dir {}", state.display());
    let output = run(&world, &line);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let open = report["items"].as_array().unwrap().iter().find(|item| {
        item["verdict"] == "fail" && item["what"].as_str().unwrap().contains("open to others")
    });
    let todo = open.unwrap()["todo"].as_str().unwrap();
    assert_eq!(todo, format!("chmod 700 {}", state.display()));
    assert_eq!(entries(&state), 0);
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

/// A daemon that ends at once is told with its own last words, and soon.
#[test]
fn a_daemon_that_does_not_start_is_explained() {
    let world = world(
        "echo \"$CLOWN_BACKGROUND $*\" > \"$4/clownd.log\"\n\
         echo 'cannot listen: the port is taken' >> \"$4/clownd.log\"\nexit 3\n",
    );
    // The program under test must not find a real daemon beside itself.
    install(&world, "clown", Path::new(env!("CARGO_BIN_EXE_clown")));
    let mut command = Command::new(world.path().join("bin/clown"));
    command
        .args(["profiles", "list"])
        .env_clear()
        .env("HOME", world.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = stderr(&output);
    assert!(said.contains("the port is taken"), "{said}");
    assert!(said.contains("1 --config-dir"), "{said}");
    assert!(said.contains("--idle-timeout 15m"), "{said}");
}

/// What it says before it has a log, such as of a broken `config.toml`, is told too.
#[test]
fn a_daemon_that_ends_before_it_has_a_log_is_explained() {
    let world = world("echo 'clownd: config.toml:1: there is no setting `foo`' >&2\nexit 1\n");
    install(&world, "clown", Path::new(env!("CARGO_BIN_EXE_clown")));
    let mut command = Command::new(world.path().join("bin/clown"));
    command
        .args(["profiles", "list"])
        .env_clear()
        .env("HOME", world.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = stderr(&output);
    assert!(said.contains("there is no setting `foo`"), "{said}");
    // Its words were kept in no file that stays.
    let state = world.path().join(".local/state/clown");
    assert_eq!(entries(&state), 1, "start.lock alone");
}

/// The file of a daemon that was killed, whose port another program has now.
#[test]
fn a_file_that_a_daemon_left_locks_nobody_out() {
    let world = world("");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let state = world.path().join(".local/state/clown");
    fs::create_dir_all(&state).unwrap();
    let address = listener.local_addr().unwrap();
    for pid in [std::process::id(), u32::MAX] {
        let text = format!(
            r#"{{"pid":{pid},"address":"{address}","version":"0.1.0","started_at":"2026-01-08T10:30:00Z"}}"#
        );
        fs::write(state.join("daemon.json"), text).unwrap();
        for (line, code, part) in [
            ("daemon status", 5, "has ended; `clown daemon start`"),
            ("--no-start profiles list", 5, "has ended; --no-start"),
            ("daemon stop", 0, "No daemon runs"),
            ("doctor", 1, "the last one crashed"),
        ] {
            let output = run(&world, line);
            assert_eq!(output.status.code(), Some(code), "{line}");
            assert!(said(&output).contains(part), "{line}: {}", said(&output));
        }
    }
    // While the lock is held the daemon may be there, and what answers is asked. It is no daemon.
    let lock = fs::File::create(state.join("clownd.lock")).unwrap();
    lock.lock().unwrap();
    let text = format!(
        r#"{{"pid":{},"address":"{address}","version":"0.1.0","started_at":"2026-01-08T10:30:00Z"}}"#,
        std::process::id()
    );
    fs::write(state.join("daemon.json"), text).unwrap();
    let output = run(&world, "profiles list");
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(
        said(&output).contains("another program"),
        "{}",
        said(&output)
    );
}

#[test]
fn programs_get_json_from_every_command() {
    let world = world("");
    let state = world.path().join(".local/state/clown");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("clownd.log"), "one\n\"two\"\n").unwrap();
    let check = |line: &str, pointer: &str, expected: serde_json::Value| {
        let output = run(&world, line);
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value.pointer(pointer), Some(&expected), "{line}: {value}");
    };
    check(
        "--json daemon stop",
        "",
        serde_json::json!({"running": false}),
    );
    check("--json completions bash", "/shell", "bash".into());
    check(
        "--json daemon logs -n 1",
        "",
        serde_json::json!({"line": "\"two\""}),
    );
    let logs = run(&world, "--json daemon logs");
    assert_eq!(
        String::from_utf8_lossy(&logs.stdout),
        "{\"line\":\"one\"}\n{\"line\":\"\\\"two\\\"\"}\n"
    );
}

/// Each example of the help is pasted into a shell, and gets as far as to look for a daemon.
#[test]
fn examples_of_the_help_are_right() {
    for command in ["watch", "events"] {
        let world = world("");
        let wrapper = format!(
            "{} \"$@\" --no-start\necho $? >> \"$HOME/codes\"\n",
            env!("CARGO_BIN_EXE_clown")
        );
        install_script(&world, "clown", &wrapper);
        let help = run(&world, &format!("{command} --help"));
        let help = String::from_utf8(help.stdout).unwrap();
        let examples: Vec<&str> = help
            .lines()
            .filter(|line| line.starts_with(&format!("  clown {command}")))
            .collect();
        assert!(examples.len() >= 6, "{help}");
        for example in &examples {
            let path = format!("{}:/usr/bin:/bin", world.path().join("bin").display());
            Command::new("sh")
                .args(["-c", example])
                .env_clear()
                .env("HOME", world.path())
                .env("PATH", path)
                .current_dir(world.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
        }
        let codes = fs::read_to_string(world.path().join("codes")).unwrap();
        assert_eq!(codes, "5\n".repeat(examples.len()), "{examples:?}");
    }
}
