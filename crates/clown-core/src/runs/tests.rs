use super::*;
use crate::Seq;
use crate::bus::Slice;
use crate::journal;
use crate::process::identity_of;
use crate::store::{StoreError, StoreSettings};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A daemon's runs, and processes that play the caller and the agent.
struct World {
    folder: tempfile::TempDir,
    runs: Option<Runs>,
    children: Vec<Child>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            folder: tempfile::tempdir().unwrap(),
            runs: None,
            children: Vec::new(),
        };
        world.start_daemon();
        world
    }

    fn start_daemon(&mut self) {
        let store = Store::open(&self.path("clown.db"), &StoreSettings::default()).unwrap();
        let runs = Runs::new(Arc::new(store), self.path("runs")).unwrap();
        runs.recover().unwrap();
        self.runs = Some(runs);
    }

    fn stop_daemon(&mut self) {
        self.runs = None;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn runs(&self) -> &Runs {
        self.runs.as_ref().expect("the daemon runs")
    }

    fn store(&self) -> &Store {
        &self.runs().inner.store
    }

    fn spawn(&mut self, script: &str) -> u32 {
        let child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        self.children.push(child);
        pid
    }

    fn sleeper(&mut self) -> u32 {
        self.spawn("exec sleep 600")
    }

    /// Asks for the code of a child, after killing it if so wished.
    fn end(&mut self, pid: u32, kill: bool) {
        let child = self
            .children
            .iter_mut()
            .find(|child| child.id() == pid)
            .unwrap();
        if kill {
            child.kill().unwrap();
        }
        child.wait().unwrap();
    }

    fn prepare(&self, caller: u32) -> String {
        let input = PrepareInput {
            alias: "work".parse().unwrap(),
            cli_pid: caller,
            program: "/bin/agent".into(),
            args: vec!["-p".to_owned()],
            env: BTreeMap::from([("KEY".to_owned(), Some("sk-secret".to_owned()))]),
            working_dir: "/".into(),
        };
        self.runs().prepare(input).unwrap().run_id
    }

    /// A run with a caller and an agent that live: its id and the two.
    fn running(&mut self) -> (String, u32, u32) {
        let (caller, agent) = (self.sleeper(), self.sleeper());
        let id = self.prepare(caller);
        self.runs().started(&id, agent).unwrap();
        (id, caller, agent)
    }

    fn run(&self, id: &str) -> Run {
        self.runs().inner.row(id).unwrap().unwrap().run
    }

    fn wait_for(&self, id: &str, state: RunState) -> Run {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let run = self.run(id);
            if run.state == state {
                return run;
            }
            assert!(Instant::now() < deadline, "not {state:?}: {run:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns when everything that the watcher was told before is done.
    fn settle_all(&mut self) {
        let caller = self.sleeper();
        let id = self.prepare(caller);
        self.end(caller, true);
        self.wait_for(&id, RunState::Abandoned);
    }

    fn journal(&self) -> Vec<serde_json::Value> {
        let page = journal::page(self.store(), Seq::START, 1000, usize::MAX).unwrap();
        let Some(segment) = page.segment else {
            return Vec::new();
        };
        let slice = Slice::whole(Arc::new(segment));
        let events = (0..slice.entries().len()).map(|index| slice.json(index, false));
        events
            .map(|event| serde_json::from_slice(&event).unwrap())
            .collect()
    }

    fn events(&self) -> Vec<String> {
        let short = |event: &serde_json::Value| {
            let data = &event["data"];
            let number = data.get("pid").unwrap_or(&data["exit_code"]);
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            format!("{} {} {number}", text(&event["type"]), text(&data["alias"]))
        };
        self.journal().iter().map(short).collect()
    }

    #[track_caller]
    fn check_events(&self, agent: u32, code: i32) {
        let started = format!("ProfileStarted work {agent}");
        assert_eq!(
            self.events(),
            [started, format!("ProfileStopped work {code}")]
        );
    }

    fn leave_record(&self, id: &str, agent: u32, rest: &str) {
        let start = identity_of(agent)
            .unwrap()
            .map_or(12345, |identity| identity.start);
        let record = format!(
            r#"{{"run_id":"{id}","pid":{agent},"pid_start":{start},"started_at":"2026-01-08T10:30:00Z"{rest}}}"#
        );
        fs::write(self.path("runs").join(id), record).unwrap();
    }

    /// Changes a row behind the service's back.
    fn alter(&self, sql: &'static str) {
        let alter = |tx: &mut Tx<'_>| Ok::<_, StoreError>(tx.execute_batch(sql)?);
        self.store().commit(alter).unwrap();
    }

    fn records(&self) -> usize {
        fs::read_dir(self.path("runs")).unwrap().count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const ENDED: &str = r#","exit_code":9,"ended_at":"2026-01-08T10:45:00.900Z""#;

#[test]
fn a_run_that_is_reported_as_it_should_be() {
    let mut world = World::new();
    world.alter(
        "INSERT INTO profiles (alias, definition, digest, created_at, updated_at)
         VALUES ('work', '{}', x'00', 0, 0)",
    );
    let (caller, agent) = (world.sleeper(), world.sleeper());
    let id = world.prepare(caller);
    assert_eq!(world.run(&id).state, RunState::Prepared);
    assert_eq!(
        world
            .runs()
            .running_count(&"work".parse().unwrap())
            .unwrap(),
        1
    );
    for _ in 0..2 {
        let run = world.runs().started(&id, agent).unwrap();
        assert_eq!((run.state, run.pid), (RunState::Running, Some(agent)));
    }
    assert!(
        world.runs().started(&id, caller).is_err(),
        "another process"
    );
    world.end(agent, true);
    world.leave_record(&id, agent, "");
    for _ in 0..2 {
        let run = world.runs().exited(&id, 5).unwrap();
        assert_eq!((run.state, run.exit_code), (RunState::Exited, Some(5)));
    }
    // A report that comes late is not an error, though the process is gone.
    world.runs().started(&id, agent).unwrap();
    world.end(caller, true);
    world.settle_all();
    world.check_events(agent, 5);
    assert_eq!(world.records(), 0);
    assert_eq!(world.runs().open_count().unwrap(), 0);
    let last_used = "SELECT last_used FROM profiles";
    let read = world
        .store()
        .read(|db| Ok::<i64, StoreError>(db.query_row(last_used, [], |row| row.get(0))?));
    assert_eq!(
        read.unwrap(),
        world.run(&id).started_at.unwrap().unix_millis()
    );
}

#[test]
fn the_agent_learns_its_run_and_profile_and_no_log_its_key() {
    let mut world = World::new();
    let caller = world.sleeper();
    let input = PrepareInput {
        alias: "work".parse().unwrap(),
        cli_pid: caller,
        program: "/bin/agent".into(),
        args: Vec::new(),
        env: BTreeMap::from([("KEY".to_owned(), Some("sk-secret".to_owned()))]),
        working_dir: "/".into(),
    };
    assert!(!format!("{input:?}").contains("sk-secret"));
    let prepared = world.runs().prepare(input).unwrap();
    assert_eq!(
        prepared.env["CLOWN_RUN_ID"].as_deref(),
        Some(prepared.run_id.as_str())
    );
    assert_eq!(prepared.env["CLOWN_PROFILE"].as_deref(), Some("work"));
    assert!(!format!("{prepared:?}").contains("sk-secret"));
}

#[test]
fn the_callers_report_is_waited_for_as_long_as_it_lives() {
    let mut world = World::new();
    let (id, caller, agent) = world.running();
    world.end(agent, true);
    world.settle_all();
    assert_eq!(world.run(&id).state, RunState::Running);
    world.end(caller, true);
    // Reaped before the caller was gone: the kernel's word, where it keeps one.
    let code = world.wait_for(&id, RunState::Exited).exit_code.unwrap();
    assert!(code == 137 || code == -1, "{code}");
    world.check_events(agent, code);
}

#[test]
fn the_kernel_tells_the_code_when_the_caller_was_killed() {
    let mut world = World::new();
    let go = world.path("go");
    let script = format!(
        "while [ ! -e {} ]; do sleep 0.01; done; exit 7",
        go.display()
    );
    let (caller, agent) = (world.sleeper(), world.spawn(&script));
    let id = world.prepare(caller);
    world.runs().started(&id, agent).unwrap();
    world.end(caller, true);
    world.settle_all();
    assert_eq!(world.run(&id).state, RunState::Running);
    fs::write(go, "").unwrap();
    // Not reaped before the code was read, as any kernel shows it then.
    world.wait_for(&id, RunState::Exited);
    world.check_events(agent, 7);
}

#[test]
fn the_record_tells_the_code_when_the_caller_was_killed() {
    let mut world = World::new();
    let (id, caller, agent) = world.running();
    world.leave_record(&id, agent, ENDED);
    world.end(agent, true);
    world.end(caller, true);
    world.wait_for(&id, RunState::Exited);
    world.check_events(agent, 9);
    world.settle_all();
    assert_eq!(world.records(), 0);
}

#[test]
fn a_run_that_never_started_is_abandoned_silently() {
    let mut world = World::new();
    let caller = world.sleeper();
    let given_up = world.prepare(caller);
    let run = world.runs().exited(&given_up, 127).unwrap();
    assert_eq!((run.state, run.exit_code), (RunState::Abandoned, None));
    assert_eq!(world.runs().open_count().unwrap(), 0);
    let id = world.prepare(caller);
    assert_eq!(world.runs().open_count().unwrap(), 1);
    world.end(caller, true);
    world.wait_for(&id, RunState::Abandoned);
    let late = world.sleeper();
    assert!(matches!(
        world.runs().started(&id, late),
        Err(RunError::Abandoned { .. })
    ));
    assert_eq!(world.events(), [""; 0]);
}

#[test]
fn a_whole_run_while_the_daemon_was_away() {
    let mut world = World::new();
    let (caller, agent) = (world.sleeper(), world.spawn("exit 9"));
    let id = world.prepare(caller);
    world.leave_record(&id, agent, ENDED);
    world.stop_daemon();
    world.end(agent, false);
    world.end(caller, true);
    world.start_daemon();
    let run = world.wait_for(&id, RunState::Exited);
    world.check_events(agent, 9);
    assert_eq!(run.started_at.unwrap().to_string(), "2026-01-08T10:30:00Z");
    assert_eq!(world.journal()[1]["data"]["runtime_secs"], 900);
    assert_eq!(world.records(), 0);
}

#[test]
fn a_start_that_nobody_heard_is_told_with_the_end() {
    let mut world = World::new();
    let (caller, agent) = (world.sleeper(), world.spawn("exit 0"));
    let id = world.prepare(caller);
    world.end(agent, false);
    world.leave_record(&id, agent, ENDED);
    world.runs().exited(&id, 9).unwrap();
    world.check_events(agent, 9);
}

#[test]
fn an_agent_that_started_while_the_daemon_was_away_is_adopted() {
    let mut world = World::new();
    let (caller, agent) = (world.sleeper(), world.sleeper());
    let id = world.prepare(caller);
    world.leave_record(&id, agent, "");
    world.stop_daemon();
    world.start_daemon();
    assert_eq!(world.wait_for(&id, RunState::Running).pid, Some(agent));
    world.runs().started(&id, agent).unwrap();
    world.end(caller, true);
    world.end(agent, true);
    let code = world.wait_for(&id, RunState::Exited).exit_code.unwrap();
    assert!(code == 137 || code == -1, "{code}");
    world.check_events(agent, code);
}

#[test]
fn a_running_run_is_taken_up_by_the_next_daemon() {
    let mut world = World::new();
    let (id, caller, agent) = world.running();
    world.stop_daemon();
    world.start_daemon();
    assert_eq!(world.run(&id).state, RunState::Running);
    world.end(agent, true);
    world.settle_all();
    assert_eq!(
        world.run(&id).state,
        RunState::Running,
        "the caller is still to report"
    );
    world.runs().exited(&id, 3).unwrap();
    world.end(caller, true);
    world.settle_all();
    world.check_events(agent, 3);
}

#[test]
fn when_all_are_gone_and_nobody_knows_the_code_is_unknown() {
    let mut world = World::new();
    let (id, caller, agent) = world.running();
    world.stop_daemon();
    world.end(agent, true);
    world.end(caller, true);
    world.start_daemon();
    world.wait_for(&id, RunState::Exited);
    world.check_events(agent, -1);
    world.stop_daemon();
    world.start_daemon();
    world.check_events(agent, -1);
}

#[test]
fn other_processes_with_the_same_numbers_are_not_taken_for_the_runs() {
    let mut world = World::new();
    let (id, _, agent) = world.running();
    world.alter("UPDATE runs SET cli_start = cli_start - 1, pid_start = pid_start - 1");
    world.stop_daemon();
    world.start_daemon();
    world.wait_for(&id, RunState::Exited);
    world.check_events(agent, -1);
    assert!(ProcessIdentity::of(agent).unwrap().is_alive());
}

#[test]
fn nothing_outlives_a_boot() {
    let mut world = World::new();
    let (id, _, agent) = world.running();
    world.alter("UPDATE runs SET boot = 'an earlier one', started_at = 1000");
    let (ended, _, recorded) = world.running();
    world.leave_record(&ended, recorded, ENDED);
    world.alter("UPDATE runs SET boot = 'an earlier one'");
    world.stop_daemon();
    world.start_daemon();
    let run = world.wait_for(&id, RunState::Exited);
    assert_eq!(run.exit_code, Some(-1));
    assert!(run.ended_at.unwrap().unix_millis() <= crate::process::booted_at().unwrap());
    assert_eq!(world.wait_for(&ended, RunState::Exited).exit_code, Some(9));
    assert!(ProcessIdentity::of(agent).unwrap().is_alive());
    assert_eq!(world.records(), 0);
}

#[test]
fn processes_that_are_not_there_are_refused() {
    let mut world = World::new();
    let caller = world.sleeper();
    let id = world.prepare(caller);
    let nobody = i32::MAX as u32;
    assert!(matches!(
        world.runs().started(&id, nobody),
        Err(RunError::NoAgent { .. })
    ));
    assert!(matches!(
        world.runs().started("none", caller),
        Err(RunError::NotFound(_))
    ));
    assert!(matches!(
        world.runs().exited("../clown.db", 0),
        Err(RunError::NotFound(_))
    ));
    world.end(caller, true);
    let input = PrepareInput {
        alias: "work".parse().unwrap(),
        cli_pid: caller,
        program: "/bin/agent".into(),
        args: Vec::new(),
        env: BTreeMap::new(),
        working_dir: "/".into(),
    };
    assert!(matches!(
        world.runs().prepare(input),
        Err(RunError::NoCaller { .. })
    ));
}

#[test]
fn records_that_nobody_will_ask_for_are_cleared() {
    let mut world = World::new();
    let (id, ..) = world.running();
    world.runs().exited(&id, 0).unwrap();
    world.leave_record(&id, 1, ENDED);
    let (open, caller, agent) = world.running();
    world.leave_record(&open, agent, "");
    let strange = world.path("runs/.clown-x.tmp");
    fs::write(&strange, "{").unwrap();
    let damaged = world.path("runs/damaged");
    fs::write(&damaged, "{").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_hours(25);
    fs::File::options()
        .write(true)
        .open(&strange)
        .unwrap()
        .set_modified(old)
        .unwrap();
    world.stop_daemon();
    world.start_daemon();
    let exists = |path: &Path| path.exists();
    assert!(!exists(&world.path("runs").join(&id)), "closed");
    assert!(exists(&world.path("runs").join(&open)), "open");
    assert!(!exists(&strange), "old");
    assert!(exists(&damaged), "new, and nobody knows of whom");

    fs::write(world.path("runs").join(&open), "{").unwrap();
    world.end(agent, true);
    world.end(caller, true);
    world.wait_for(&open, RunState::Exited);
}

#[test]
fn the_latest_thousand_closed_runs_are_kept() {
    let mut world = World::new();
    let (id, _, _) = world.running();
    world.alter(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
         INSERT INTO runs (id, profile, state, cli_pid, cli_start, boot, prepared_at, ended_at)
         SELECT 'old-' || i, 'work', 'abandoned', 1, 1, 'x', i, i FROM n",
    );
    assert_eq!(world.runs().list().unwrap()[0].id, id, "the latest first");
    world.runs().exited(&id, 0).unwrap();
    let runs = world.runs().list().unwrap();
    assert_eq!(runs.len(), 1000);
    assert_eq!(runs.last().unwrap().id, "old-202");
}
