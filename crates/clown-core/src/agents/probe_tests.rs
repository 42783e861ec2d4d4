use super::*;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// A folder with a program `agent` in it, a shell script.
struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn probe(&self, limit: Duration) -> Option<String> {
        let command: VersionCommand =
            toml::from_str("args = [\"--version\"]\npattern = '(?m)^v(\\d[\\d.]*)$'").unwrap();
        let env = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
            ("DIR", self.0.path().as_os_str().to_owned()),
        ];
        let env = env.map(|(name, value)| (OsString::from(name), value));
        probe_version(&self.path("agent"), &command, &env, limit)
    }

    /// The processes whose numbers the script has written into `name`.
    #[track_caller]
    fn assert_ended(&self, names: &[&str]) {
        for name in names {
            let text = fs::read_to_string(self.path(name)).expect(name);
            let pid: u32 = text.trim().parse().unwrap();
            let alive = identity_of(pid).is_some_and(|identity| identity.is_alive());
            assert!(!alive, "{name} lives on as {pid}");
        }
    }
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(2);

#[test]
fn versions() {
    let check = |script: &str, version: Option<&str>| {
        let found = Fixture::new(script).probe(LONG);
        assert_eq!(found.as_deref(), version, "{script}");
    };
    check("echo v1.2.3", Some("1.2.3"));
    check("echo v1.2.3 >&2; exit 1", Some("1.2.3"));
    check("echo v1 >&2; echo v2", Some("2"));
    check("echo \"v1.$#$1\" | sed s/--version//", Some("1.1"));
    check("echo hello", None);
    check("exit 3", None);
    check("kill -9 $$", None);
    check("read line && echo v1; echo v2", Some("2"));
    check("test -z \"$HOME\" && echo v1", Some("1"));
    check("printf 'v7\\n'; printf '\\377\\376'", Some("7"));
    check(
        "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo v1",
        None,
    );
    check("echo v1; head -c 1000000 /dev/zero | tr '\\0' x", Some("1"));
}

#[test]
fn a_program_that_cannot_run_tells_nothing() {
    let fixture = Fixture::new("");
    fs::write(fixture.path("agent"), "#!/nonexistent/interpreter\n").unwrap();
    assert_eq!(fixture.probe(LONG), None);
}

#[test]
fn one_that_hangs_is_ended_with_all_that_it_started() {
    let fixture = Fixture::new(
        "echo $$ > $DIR/self
         sleep 1000 & echo $! > $DIR/child
         setsid sh -c 'echo $$ > $DIR/session; exec sleep 1000' &
         (setsid sh -c 'echo $$ > $DIR/orphan; exec sleep 1000' & )
         while ! test -s $DIR/session || ! test -s $DIR/orphan; do sleep 0.01; done
         touch $DIR/ready
         sleep 1000",
    );
    let started = Instant::now();
    assert_eq!(fixture.probe(Duration::from_secs(5)), None);
    assert!(started.elapsed() < Duration::from_secs(60));
    assert!(fixture.path("ready").exists(), "the script had no time");
    fixture.assert_ended(&["self", "child", "session", "orphan"]);
}

#[test]
fn what_holds_the_pipes_makes_nobody_wait_and_is_ended() {
    let fixture = Fixture::new(
        "sleep 1000 & echo $! > $DIR/child
         (setsid sh -c 'echo $$ > $DIR/orphan; exec sleep 1000' & )
         while ! test -s $DIR/orphan; do sleep 0.01; done
         echo v1",
    );
    let started = Instant::now();
    assert_eq!(fixture.probe(LONG).as_deref(), Some("1"));
    assert!(started.elapsed() < LONG);
    fixture.assert_ended(&["child", "orphan"]);
}

#[test]
fn one_that_prints_without_end_is_ended() {
    let fixture = Fixture::new("echo $$ > $DIR/self; echo v1; while :; do echo y; done");
    assert_eq!(fixture.probe(SHORT).as_deref(), Some("1"));
    fixture.assert_ended(&["self"]);
}

#[test]
fn one_that_ignores_signals_and_stops_itself_is_ended() {
    let fixture = Fixture::new("trap '' TERM INT HUP; echo $$ > $DIR/self; kill -STOP $$");
    assert_eq!(fixture.probe(SHORT), None);
    fixture.assert_ended(&["self"]);
}
