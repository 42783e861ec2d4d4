//! A key that one process put into the system's keyring is there for the next: it outlives the
//! daemon. Runs this file's own program, again and again, in a session with a keyring of its own.
#![cfg(target_os = "linux")]

use clown_core::Alias;
use clown_core::keys::{KeyPlace, KeyStore, Secret};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const KEY: &str = "sk-from-the-keyring-42";
/// What went wrong where only the machine can be at fault.
const MACHINE: &str = "this machine runs tests";
const STEP: &str = "CLOWN_KEYRING_TEST_STEP";
const STATE: &str = "CLOWN_KEYRING_TEST_STATE";

#[test]
fn a_key_outlives_the_process_that_stored_it() {
    if !(is_installed("dbus-run-session") && is_installed("gnome-keyring-daemon")) {
        let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(
            !in_ci,
            "install dbus-run-session and gnome-keyring-daemon: CI must run this"
        );
        eprintln!("not run: this needs dbus-run-session and gnome-keyring-daemon");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
    for path in [&ours, &other] {
        std::fs::create_dir(path).unwrap();
    }
    let keyring = "printf pass | gnome-keyring-daemon --unlock --components=secrets >/dev/null";
    let step = |name: &str, state: &Path| {
        format!(
            "{STEP}={name} {STATE}='{}' \"$0\" --exact step --nocapture",
            state.display()
        )
    };
    let script = [
        "set -e".to_owned(),
        keyring.to_owned(),
        step("set", &ours),
        step("get", &ours),
        // The other folder's key of the same name is another key.
        step("other", &other),
        step("get", &ours),
        // The keyring keeps it on the disk, not in its memory.
        "printf pass | gnome-keyring-daemon --replace --unlock --components=secrets >/dev/null"
            .to_string(),
        step("get", &ours),
        // Locked: nobody has typed its password, and nobody is there to be asked for it.
        "gnome-keyring-daemon --replace --daemonize --components=secrets </dev/null >/dev/null"
            .to_owned(),
        step("locked", &ours),
        "printf pass | gnome-keyring-daemon --replace --unlock --components=secrets >/dev/null"
            .to_owned(),
        step("get", &ours),
        step("delete", &ours),
        step("gone", &ours),
    ]
    .join("\n");
    let output = in_session(folder.path(), &script);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert_eq!(out.matches("done: ").count(), 9, "{out}\n{err}");
    assert!(
        !ours.join("secrets").exists(),
        "the key was in a file as well"
    );
}

/// One process of the test above; nothing when it is run by itself.
#[test]
fn step() {
    let Ok(step) = std::env::var(STEP) else {
        return;
    };
    let state = PathBuf::from(std::env::var_os(STATE).unwrap());
    let keys = KeyStore::open(&state, true).unwrap();
    let name: Alias = "work".parse().unwrap();
    let get = || keys.get(&name).unwrap().map(|key| key.expose().to_owned());
    match step.as_str() {
        "set" => assert_eq!(
            keys.set(&name, &Secret::new(KEY)).unwrap(),
            KeyPlace::Keyring
        ),
        "get" => {
            assert_eq!(keys.status(&name).unwrap(), Some(KeyPlace::Keyring));
            assert_eq!(get().as_deref(), Some(KEY));
        }
        "other" => {
            assert_eq!(get(), None);
            keys.set(&name, &Secret::new("another")).unwrap();
            assert_eq!(get().as_deref(), Some("another"));
        }
        "locked" => {
            assert_eq!(keys.status(&name).unwrap(), Some(KeyPlace::Keyring));
            let told = keys.get(&name).unwrap_err().to_string();
            for part in ["the key work", "unlock the keyring"] {
                assert!(told.contains(part), "{told}");
            }
            println!("{told}");
        }
        "delete" => assert!(keys.delete(&name).unwrap()),
        "gone" => {
            assert_eq!(keys.status(&name).unwrap(), None);
            assert_eq!(get(), None);
            // The keyring itself has forgotten it too, whatever Clown has noted.
            std::fs::create_dir_all(state.join("keyring")).unwrap();
            std::fs::write(state.join("keyring/work"), "").unwrap();
            assert_eq!(get(), None);
        }
        other => panic!("no step {other}"),
    }
    println!("done: {step}");
}

/// Where the keyring cannot be reached, the key goes into a file, and quickly.
#[test]
fn without_a_session_the_key_is_kept_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = own_program("no-session", folder.path())
        .env(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}/none", folder.path().display()),
        )
        .args(["--exact", "step_without_session", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("done: no-session"),
        "{output:?}"
    );
}

/// The process of the test above.
#[test]
fn step_without_session() {
    if std::env::var(STEP).is_ok_and(|step| step == "no-session") {
        let state = PathBuf::from(std::env::var_os(STATE).unwrap());
        let keys = KeyStore::open(&state, true).unwrap();
        let name: Alias = "work".parse().unwrap();
        let place = keys.set(&name, &Secret::new(KEY)).unwrap();
        assert!(matches!(place, KeyPlace::SecretsFile(_)), "{place:?}");
        assert_eq!(keys.get(&name).unwrap().unwrap().expose(), KEY);
        println!("done: no-session");
    }
}

fn own_program(step: &str, state: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect(MACHINE));
    command.env(STEP, step).env(STATE, state);
    command
}

fn in_session(folder: &Path, script: &str) -> Output {
    let runtime = folder.join("runtime");
    std::fs::create_dir(&runtime).expect(MACHINE);
    std::fs::set_permissions(
        &runtime,
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .expect(MACHINE);
    Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .arg(std::env::current_exe().expect(MACHINE))
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_RUNTIME_DIR", &runtime)
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .stdin(Stdio::null())
        .output()
        .expect(MACHINE)
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
