use super::command::first_line_within;
use super::*;
use crate::Alias;
use crate::process::{environment_of, identity_of};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const KEY: &str = "sk-test-0123456789";

fn alias(text: &str) -> Alias {
    text.parse().unwrap()
}

fn store(folder: &Path) -> KeyStore {
    KeyStore::open(folder, false).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn environment() -> Environment {
    [
        ("PATH", "/usr/bin:/bin"),
        ("IN_DAEMON", "of-daemon"),
        ("IN_BOTH", "of-daemon"),
        ("EMPTY", ""),
    ]
    .into_iter()
    .collect()
}

#[test]
fn a_source_has_exactly_one_member() {
    let check = |text: &str, expected: Result<KeySource, &str>| {
        let json: Result<KeySource, _> = serde_json::from_str(text);
        match expected {
            Ok(source) => {
                assert_eq!(json.unwrap(), source, "{text}");
                assert_eq!(serde_json::to_string(&source).unwrap(), text);
                let toml = toml::to_string(&source).unwrap();
                assert_eq!(
                    toml::from_str::<KeySource>(&toml).unwrap(),
                    source,
                    "{toml}"
                );
            }
            Err(part) => {
                let error = json.unwrap_err().to_string();
                assert!(error.contains(part), "{text}: {error}");
            }
        }
    };
    check(
        r#"{"env":"WORK_KEY"}"#,
        Ok(KeySource::Env("WORK_KEY".into())),
    );
    check(
        r#"{"command":"pass show work"}"#,
        Ok(KeySource::Command("pass show work".into())),
    );
    check(
        r#"{"file":"/run/key"}"#,
        Ok(KeySource::File("/run/key".into())),
    );
    check(r#"{"store":"work"}"#, Ok(KeySource::Store(alias("work"))));
    check("{}", Err(""));
    check(r#"{"env":"A","file":"/b"}"#, Err(""));
    check(
        r#"{"value":"x"}"#,
        Err("unknown variant `value`, expected one of `env`, `command`"),
    );
    check(
        r#"{"env":"A=B"}"#,
        Err("cannot name an environment variable"),
    );
    check(r#"{"env":""}"#, Err("cannot name an environment variable"));
    check(r#"{"command":" "}"#, Err("empty"));
    check(r#"{"file":"key"}"#, Err("must be a full path"));
    check(r#"{"store":"../x"}"#, Err("cannot name a stored key"));
    assert!(toml::from_str::<KeySource>("env = 'A'\nstore = 'b'").is_err());
    let mistaken = serde_json::from_str::<KeySource>(&format!(r#"{{"env":"{KEY}"}}"#));
    assert!(
        !mistaken.unwrap_err().to_string().contains("0123456789"),
        "a key pasted as a name"
    );
}

#[test]
fn a_secret_is_not_shown() {
    let secret = Secret::new(KEY);
    assert_eq!(format!("{secret:?}"), "Secret(hidden)");
    assert!(!format!("{:?}", environment()).contains("of-daemon"));
}

#[test]
fn without_a_keyring_keys_live_in_private_files() {
    let folder = tempfile::tempdir().unwrap();
    let name = alias("work");
    let path = fs::canonicalize(folder.path())
        .unwrap()
        .join("secrets/work");

    assert_eq!(store(folder.path()).status(&name).unwrap(), None);
    assert_eq!(store(folder.path()).get(&name).unwrap(), None);
    let place = store(folder.path())
        .set(&name, &Secret::new("old"))
        .unwrap();
    assert_eq!(place, KeyPlace::SecretsFile(path.clone()));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    store(folder.path()).set(&name, &Secret::new(KEY)).unwrap();

    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(
        store(folder.path()).get(&name).unwrap().unwrap().expose(),
        KEY
    );
    assert_eq!(store(folder.path()).status(&name).unwrap(), Some(place));
    assert!(store(folder.path()).delete(&name).unwrap());
    assert!(!store(folder.path()).delete(&name).unwrap());
    assert_eq!(store(folder.path()).get(&name).unwrap(), None);
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for value in ["", "a\nb", "a\0b", " a", "a ", "\u{7f}"] {
        let refused = store(folder.path()).set(&alias("work"), &Secret::new(value));
        assert!(
            matches!(refused, Err(KeyError::Refused { .. })),
            "{value:?}"
        );
    }
    assert!(!folder.path().join("secrets").exists());
}

#[test]
fn a_key_in_a_keyring_that_may_not_be_used_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("keyring")).unwrap();
    fs::write(folder.path().join("keyring/work"), "").unwrap();
    let keys = store(folder.path());
    assert_eq!(
        keys.status(&alias("work")).unwrap(),
        Some(KeyPlace::Keyring)
    );
    let error = keys.get(&alias("work")).unwrap_err().to_string();
    assert!(
        error.contains("keyring") && error.contains("switched off"),
        "{error}"
    );
}

#[track_caller]
fn check_resolve(folder: &Path, source: &KeySource, expected: Result<&str, &[&str]>) {
    let resolver = KeyResolver {
        store: &store(folder),
        environment: &environment(),
        caller: None,
    };
    let found = resolver.resolve(&alias("work"), source);
    match (found, expected) {
        (Ok(secret), Ok(value)) => assert_eq!(secret.expose(), value),
        (Err(error), Err(parts)) => {
            let text = error.to_string();
            for part in parts {
                assert!(text.contains(part), "{text}");
            }
            assert!(text.contains("work"), "names the profile: {text}");
            assert!(!text.contains(KEY), "{text}");
        }
        (found, expected) => panic!("{found:?}, not {expected:?}"),
    }
}

#[test]
fn keys_from_files_variables_and_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let check = |source: KeySource, expected: Result<&str, &[&str]>| {
        check_resolve(folder.path(), &source, expected);
    };
    let file = folder.path().join("key");
    fs::write(&file, format!("{KEY}\r\n")).unwrap();
    check(KeySource::File(file.clone()), Ok(KEY));
    fs::write(&file, format!("{KEY}\nmore\n")).unwrap();
    check(KeySource::File(file.clone()), Err(&["line break"]));
    fs::write(&file, "\n").unwrap();
    check(KeySource::File(file.clone()), Err(&["empty", "key"]));
    fs::remove_file(&file).unwrap();
    check(
        KeySource::File(file.clone()),
        Err(&["cannot be read", file.to_str().unwrap()]),
    );

    check(KeySource::Env("IN_DAEMON".into()), Ok("of-daemon"));
    check(KeySource::Env("EMPTY".into()), Err(&["EMPTY", "set it"]));
    check(KeySource::Env("NOWHERE".into()), Err(&["NOWHERE"]));

    check(
        KeySource::Store(alias("mine")),
        Err(&["mine", "--key-stdin"]),
    );
    store(folder.path())
        .set(&alias("mine"), &Secret::new(KEY))
        .unwrap();
    check(KeySource::Store(alias("mine")), Ok(KEY));
}

#[test]
fn what_is_no_file_of_a_key_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let read_and_write = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), fifo, read_and_write, 0).unwrap();
    std::os::unix::fs::symlink("pipe", at("link")).unwrap();
    fs::write(at("large"), "k".repeat(64 * 1024 + 1)).unwrap();
    fs::write(at("binary"), b"\xff\n").unwrap();
    let check = |path: &Path, expected: &str| {
        let (keys, environment) = (store(folder.path()), environment());
        let resolver = KeyResolver {
            store: &keys,
            environment: &environment,
            caller: None,
        };
        let source = KeySource::File(path.to_owned());
        let error = resolver.resolve(&alias("work"), &source).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, expected, "{}", path.display());
    };
    check(&at("pipe"), "it is not a file");
    check(&at("link"), "it is not a file");
    check(Path::new("/dev/zero"), "it is not a file");
    check(&at("large"), "it has more than 64 KiB");
    check(&at("binary"), "it is not UTF-8 text");
}

#[test]
fn keys_from_commands() {
    let folder = tempfile::tempdir().unwrap();
    let check = |line: &str, expected: Result<&str, &[&str]>| {
        check_resolve(folder.path(), &KeySource::Command(line.into()), expected);
    };
    check(&format!("echo '{KEY}'; echo second"), Ok(KEY));
    check(&format!("printf '{KEY}'"), Ok(KEY));
    check("echo $IN_DAEMON; echo noise >&2", Ok("of-daemon"));
    check("cat; echo no-input", Ok("no-input"));
    check(&format!("echo {KEY}; yes | head -c 300000"), Ok(KEY));
    check(&format!("setsid sleep 600 & echo {KEY}; kill $!"), Ok(KEY));
    check("true", Err(&["empty"]));
    check(
        &format!("echo {KEY}; echo first >&2; echo 'the vault is locked' >&2; exit 4"),
        Err(&["exit code 4", "the vault is locked"]),
    );
    check("kill -KILL $$", Err(&["signal 9"]));
    check(
        "no-such-program-of-clown",
        Err(&["exit code 127", "no-such-program-of-clown"]),
    );
    check(r"printf '\377\n'", Err(&["UTF-8"]));
}

/// As the programs that people keep passwords with answer, and what is told when they are locked.
#[test]
fn keys_from_password_managers() {
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let locked = folder.path().join("locked");
    let install = |name: &str, arguments: &str, complaint: &str| {
        let program = programs.join(name);
        let script = format!(
            "#!/bin/sh\n[ -e '{}' ] && {{ echo '{complaint}' >&2; exit 2; }}\n\
             [ \"$*\" = '{arguments}' ] || {{ echo \"not asked for that: $*\" >&2; exit 1; }}\n\
             printf '%s\\n' '{KEY}' 'login: me'\n",
            locked.display()
        );
        // Copied by another process: what another test starts at this moment would inherit a file
        // that is open for writing here, and such a program cannot be started.
        let written = folder.path().join(name);
        fs::write(&written, script).unwrap();
        fs::set_permissions(&written, fs::Permissions::from_mode(0o755)).unwrap();
        let copied = Command::new("cp").args([&written, &program]).status();
        assert!(copied.unwrap().success());
    };
    install(
        "op",
        "read op://work/anthropic/key",
        "[ERROR] You are not currently signed in.",
    );
    let of_gpg = "gpg: public key decryption failed: Inappropriate ioctl for device";
    install("pass", "show work", of_gpg);
    install("gopass", "show -o work", of_gpg);
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let environment: Environment = [("PATH", path)].into_iter().collect();
    let resolve = |line: &str| {
        let keys = store(folder.path());
        let resolver = KeyResolver {
            store: &keys,
            environment: &environment,
            caller: None,
        };
        resolver.resolve(&alias("work"), &KeySource::Command(line.to_owned()))
    };
    let check = |line: &str, parts: &[&str]| {
        assert_eq!(resolve(line).unwrap().expose(), KEY, "{line}");
        fs::write(&locked, "").unwrap();
        let error = resolve(line).unwrap_err().to_string();
        fs::remove_file(&locked).unwrap();
        for part in parts {
            assert!(error.contains(part), "{line}: {error}");
        }
        assert!(!error.contains(KEY), "{line}: {error}");
    };
    let at_a_terminal = ["Inappropriate ioctl", "run the command once in a terminal"];
    check(
        "op read op://work/anthropic/key",
        &["not currently signed in", "OP_SERVICE_ACCOUNT_TOKEN"],
    );
    check("pass show work", &at_a_terminal);
    check("gopass show -o work", &at_a_terminal);
    let pass = programs.join("pass").display().to_string();
    check(&format!("A=1 {pass} show work"), &at_a_terminal);

    // What is not locked is not said to be.
    fs::remove_file(programs.join("gopass")).unwrap();
    let error = resolve("gopass show -o work").unwrap_err().to_string();
    assert!(error.contains("exit code 127"), "{error}");
    assert!(!error.contains("terminal"), "{error}");
    let other = resolve("sh -c 'echo locked >&2; exit 1'").unwrap_err();
    assert!(other.to_string().ends_with("locked"), "{other}");
}

#[test]
fn a_command_that_hangs_is_ended_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let line = format!("sleep 600 & echo $! $$ > {}; wait", pids.display());
    let limit = Duration::from_secs(1);
    let error = first_line_within(&alias("work"), &line, &environment(), limit).unwrap_err();
    assert!(matches!(error, KeyError::CommandTimeout { .. }), "{error}");
    let deadline = Instant::now() + Duration::from_secs(10);
    for pid in fs::read_to_string(pids).unwrap().split_ascii_whitespace() {
        let pid: u32 = pid.parse().unwrap();
        while identity_of(pid)
            .unwrap()
            .is_some_and(|process| process.is_alive())
        {
            assert!(Instant::now() < deadline, "{pid} goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_callers_variables_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut caller = Command::new("sleep")
        .arg("600")
        .env("IN_BOTH", "of-caller")
        .env("IN_DAEMON", "")
        .spawn()
        .unwrap();
    let identity = identity_of(caller.id()).unwrap().unwrap();
    // The kernel lets the parent go on a moment before the new environment is in place.
    let deadline = Instant::now() + Duration::from_secs(10);
    while environment_of(&identity, "IN_BOTH").is_none() {
        assert!(Instant::now() < deadline, "the variable does not appear");
        std::thread::yield_now();
    }
    let resolve = |name: &str, caller| {
        let (store, environment) = (store(folder.path()), environment());
        let resolver = KeyResolver {
            store: &store,
            environment: &environment,
            caller: Some(caller),
        };
        let secret = resolver.resolve(&alias("work"), &KeySource::Env(name.into()));
        secret.unwrap().expose().to_owned()
    };
    assert_eq!(resolve("IN_BOTH", identity), "of-caller");
    assert_eq!(resolve("IN_DAEMON", identity), "of-daemon");
    let other = crate::process::ProcessIdentity {
        start: identity.start + 1,
        ..identity
    };
    assert_eq!(
        resolve("IN_BOTH", other),
        "of-daemon",
        "another process's variables are not read"
    );
    caller.kill().unwrap();
    caller.wait().unwrap();
    assert_eq!(resolve("IN_BOTH", identity), "of-daemon");
}
