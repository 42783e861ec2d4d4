use super::*;
use crate::registry::{Kind, Layer, LayerFile};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

/// Agents that are looked for in an own folder, where each counts how often it is run.
struct Fixture {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::create_dir(folder.path().join("agents.d")).unwrap();
        Self {
            folder,
            store: Arc::new(Store::open_in_memory().unwrap()),
        }
    }

    fn agents(&self, change: impl FnOnce(&mut AgentSettings)) -> Arc<Agents> {
        let path = self.folder.path().join("bin").into_os_string();
        let env = vec![
            (OsString::from("PATH"), OsString::from("/usr/bin:/bin")),
            (OsString::from("RUNS"), self.path("runs").into_os_string()),
        ];
        let mut settings = AgentSettings::new(path, env);
        settings.look_every = Duration::from_secs(600);
        settings.probe_limit = Duration::from_secs(60);
        settings.late_after = Duration::from_secs(60);
        change(&mut settings);
        let manifests = Manifests::new(self.path("agents.d"), crate::agents::load);
        Arc::new(Agents::new(
            Arc::clone(&self.store),
            Arc::new(manifests),
            settings,
        ))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The way package managers do it: written beside and moved into place.
    fn install(&self, at: &str, script: &str) {
        let path = self.path(at);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let temporary = self.path("new-program");
        fs::write(
            &temporary,
            format!("#!/bin/sh\necho run >> $RUNS\n{script}\n"),
        )
        .unwrap();
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(temporary, path).unwrap();
    }

    fn install_claude(&self, version: &str) {
        self.install("bin/claude", &format!("echo '{version} (Claude Code)'"));
    }

    fn runs(&self) -> usize {
        fs::read_to_string(self.path("runs"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// What was published: type and data.
    fn events(&self) -> Vec<String> {
        let read = |connection: &Connection| -> Result<Vec<String>, StoreError> {
            let mut statement = connection.prepare("SELECT body FROM journal ORDER BY seq")?;
            let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
            let bodies = rows.collect::<Result<Vec<_>, _>>()?;
            Ok(bodies.iter().map(|body| told(body)).collect())
        };
        self.store.read(read).unwrap()
    }

    #[track_caller]
    fn wait_for(&self, events: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.events() != events {
            assert!(
                Instant::now() < deadline,
                "{:?} is not {events:?}",
                self.events()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn told(body: &[u8]) -> String {
    let event: serde_json::Value = serde_json::from_slice(body).unwrap();
    let data = &event["data"];
    let text = |name: &str| data[name].as_str().unwrap_or("null").to_owned();
    match event["type"].as_str().unwrap() {
        "AgentDetected" => format!("{} {} detected", text("id"), text("version")),
        "AgentUpdated" => {
            format!(
                "{} {} -> {}",
                text("id"),
                text("old_version"),
                text("new_version")
            )
        }
        other => panic!("{other}"),
    }
}

fn status(agents: &[AgentStatus], id: &str) -> AgentStatus {
    agents.iter().find(|agent| agent.id == id).unwrap().clone()
}

#[test]
fn what_is_found_is_told_once() {
    let fixture = Fixture::new();
    fixture.install_claude("1.0.0");
    let agents = fixture.agents(|_| ());
    assert_eq!(agents.list().unwrap().len(), 15);
    assert!(agents.list().unwrap().iter().all(|agent| !agent.installed));

    let found = agents.detect().unwrap();

    let claude = status(&found, "claude");
    assert_eq!(claude.version.as_deref(), Some("1.0.0"));
    assert_eq!(claude.binary_path, Some(fixture.path("bin/claude")));
    assert_eq!(claude.name, "Claude Code");
    let codex = status(&found, "codex");
    assert_eq!(
        (codex.installed, codex.version, codex.binary_path),
        (false, None, None)
    );
    assert_eq!(agents.get("claude").unwrap(), claude);
    assert!(matches!(
        agents.get("nobody"),
        Err(AgentError::NotFound { .. })
    ));

    assert_eq!(agents.detect().unwrap(), found);
    let restarted = fixture.agents(|_| ());
    assert_eq!(restarted.detect().unwrap(), found);
    assert_eq!(fixture.events(), ["claude 1.0.0 detected"]);
    assert_eq!(fixture.runs(), 1);
}

#[test]
fn updates_removals_and_returns() {
    let fixture = Fixture::new();
    let agents = fixture.agents(|_| ());
    let mut expected = Vec::new();
    let mut check = |change: &dyn Fn(), event: Option<&str>| {
        change();
        agents.detect().unwrap();
        expected.extend(event.map(str::to_owned));
        assert_eq!(fixture.events(), expected);
    };
    check(&|| (), None);
    check(
        &|| fixture.install_claude("1.0.0"),
        Some("claude 1.0.0 detected"),
    );
    check(&|| fixture.install_claude("1.0.0"), None);
    check(
        &|| fixture.install_claude("1.1.0"),
        Some("claude 1.0.0 -> 1.1.0"),
    );
    check(
        &|| fs::remove_file(fixture.path("bin/claude")).unwrap(),
        Some("claude 1.1.0 -> null"),
    );
    check(&|| (), None);
    check(
        &|| fixture.install_claude("1.1.0"),
        Some("claude 1.1.0 detected"),
    );
    let mine = "id = \"mine\"\nname = \"Mine\"\nbinaries = [\"mine\"]\nversion = { args = [], pattern = '(.+)' }\n";
    fixture.install("bin/mine", "echo 5");
    check(
        &|| fs::write(fixture.path("agents.d/mine.toml"), mine).unwrap(),
        Some("mine 5 detected"),
    );
    check(
        &|| fs::remove_file(fixture.path("agents.d/mine.toml")).unwrap(),
        Some("mine 5 -> null"),
    );
    assert!(matches!(
        agents.get("mine"),
        Err(AgentError::NotFound { .. })
    ));
}

#[test]
fn a_program_that_does_not_tell_is_asked_again_only_on_request() {
    let fixture = Fixture::new();
    fixture.install("bin/claude", "echo nothing");
    let agents = fixture.agents(|_| ());
    for _ in 0..2 {
        agents.look(How::Patient).unwrap();
        agents.asking.wait();
    }
    assert_eq!(fixture.runs(), 1);
    assert_eq!(
        status(&agents.detect().unwrap(), "claude")
            .version
            .as_deref(),
        Some("unknown")
    );
    assert_eq!(fixture.runs(), 2);
    assert_eq!(fixture.events(), ["claude unknown detected"]);
}

#[test]
fn agents_are_asked_at_the_same_time() {
    let fixture = Fixture::new();
    // Each waits until the others run too.
    let wait = |name: &str| {
        format!(
            "touch $RUNS.{name}; while ! test -f $RUNS.1 || ! test -f $RUNS.2 || ! test -f $RUNS.3; do sleep 0.01; done"
        )
    };
    fixture.install(
        "bin/claude",
        &format!("{}; echo '1.0.0 (Claude Code)'", wait("1")),
    );
    fixture.install("bin/codex", &format!("{}; echo codex-cli 2.0.0", wait("2")));
    fixture.install("bin/gemini", &format!("{}; echo 3.0.0", wait("3")));
    let agents = fixture.agents(|_| ()).detect().unwrap();
    let installed = agents.into_iter().filter(|agent| agent.installed);
    let versions: Vec<_> = installed.map(|agent| agent.version).collect();
    let expected = [Some("1.0.0"), Some("2.0.0"), Some("3.0.0")];
    assert_eq!(versions, expected.map(|version| version.map(str::to_owned)));
}

#[test]
fn overlapping_requests_run_nothing_twice() {
    let fixture = Fixture::new();
    fixture.install("bin/claude", "sleep 0.2; echo '1.0.0 (Claude Code)'");
    let agents = fixture.agents(|_| ());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| agents.detect().unwrap());
        }
    });
    assert_eq!(fixture.runs(), 1);
    assert_eq!(fixture.events(), ["claude 1.0.0 detected"]);
}

#[test]
fn one_that_hangs_does_not_hide_the_others() {
    let fixture = Fixture::new();
    fixture.install("bin/codex", "sleep 1000");
    fixture.install_claude("1.0.0");
    let agents = fixture.agents(|settings| settings.probe_limit = Duration::from_secs(1));
    let found = agents.detect().unwrap();
    assert_eq!(status(&found, "codex").version.as_deref(), Some("unknown"));
    assert_eq!(status(&found, "claude").version.as_deref(), Some("1.0.0"));
}

#[test]
fn changes_are_seen_while_running() {
    let fixture = Fixture::new();
    fixture.install("package/cli", "echo '1.0.0 (Claude Code)'");
    let agents = fixture.agents(|_| ());
    agents.start_watching().unwrap();
    let link = fixture.path("bin/claude");
    std::os::unix::fs::symlink(Path::new("../package/cli"), &link).unwrap();
    fixture.wait_for(&["claude 1.0.0 detected"]);

    // The target of a link, in a folder that is not on PATH.
    fixture.install("package/cli", "echo '1.1.0 (Claude Code)'");
    fixture.wait_for(&["claude 1.0.0 detected", "claude 1.0.0 -> 1.1.0"]);

    fs::remove_file(&link).unwrap();
    fixture.wait_for(&[
        "claude 1.0.0 detected",
        "claude 1.0.0 -> 1.1.0",
        "claude 1.1.0 -> null",
    ]);
    agents.stop_watching();
    assert_eq!(Arc::strong_count(&agents), 1);
}

#[test]
fn a_folder_that_comes_later_is_seen_by_looking() {
    let fixture = Fixture::new();
    fs::remove_dir(fixture.path("bin")).unwrap();
    let agents = fixture.agents(|settings| settings.look_every = Duration::from_millis(50));
    agents.start_watching().unwrap();
    fixture.install_claude("1.0.0");
    fixture.wait_for(&["claude 1.0.0 detected"]);
    drop(agents);
}

/// Waits until `is_so`.
#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn one_that_hangs_holds_up_no_event_and_no_end() {
    let fixture = Fixture::new();
    fixture.install("bin/codex", "touch $RUNS.codex; sleep 1000");
    let agents = fixture.agents(|settings| settings.probe_limit = Duration::from_secs(600));
    agents.start_watching().unwrap();
    let is_asked = fixture.path("runs.codex");
    wait_until("codex is asked", || is_asked.exists());
    fixture.install_claude("1.0.0");
    fixture.wait_for(&["claude 1.0.0 detected"]);
    fixture.install("bin/gemini", "echo 3.0.0");
    fixture.wait_for(&["claude 1.0.0 detected", "gemini 3.0.0 detected"]);
    // What is being asked is ended and forgotten: this test would take 600 s otherwise.
    agents.stop_watching();
    assert_eq!(Arc::strong_count(&agents), 1);
    assert_eq!(fixture.events().len(), 2);
}

#[test]
fn one_that_takes_its_time_is_told_of_before_its_version() {
    let fixture = Fixture::new();
    let soon = |settings: &mut AgentSettings| settings.late_after = Duration::ZERO;
    let agents = fixture.agents(soon);
    // What is there at the start is not told of before it has told; what comes later is.
    fixture.install_claude("0.9.0");
    agents.start_watching().unwrap();
    fixture.wait_for(&["claude 0.9.0 detected"]);
    fs::remove_file(fixture.path("bin/claude")).unwrap();
    let before = ["claude 0.9.0 detected", "claude 0.9.0 -> null"];
    fixture.wait_for(&before);
    let slow = "while ! test -f $RUNS.go; do sleep 0.01; done; echo '1.0.0 (Claude Code)'";
    fixture.install("bin/claude", slow);
    let first = [&before[..], &["claude unknown detected"]].concat();
    fixture.wait_for(&first);
    // A daemon that is killed now asks again.
    agents.stop_watching();
    drop(agents);
    let agents = fixture.agents(soon);
    fs::write(fixture.path("runs.go"), "").unwrap();
    agents.start_watching().unwrap();
    let told = [&first[..], &["claude unknown -> 1.0.0"]].concat();
    fixture.wait_for(&told);
    // What is known is told once, and one that never tells no second time.
    fixture.install("bin/codex", "echo nothing");
    let told = [&told[..], &["codex unknown detected"]].concat();
    fixture.wait_for(&told);
    agents.detect().unwrap();
    assert_eq!(fixture.events(), told);
}

#[test]
fn one_that_changes_while_it_is_asked_is_asked_again() {
    let fixture = Fixture::new();
    let agents = fixture.agents(|_| ());
    agents.start_watching().unwrap();
    fixture.install(
        "bin/claude",
        "touch $RUNS.asked; while ! test -f $RUNS.go; do sleep 0.01; done; echo '1.0.0 (Claude Code)'",
    );
    let is_asked = fixture.path("runs.asked");
    wait_until("the first one is asked", || is_asked.exists());
    fixture.install_claude("2.0.0");
    fs::write(fixture.path("runs.go"), "").unwrap();
    fixture.wait_for(&["claude 2.0.0 detected"]);
}

/// Watches a folder of PATH as `prepare` has made it, and expects one event for what `change` does.
#[track_caller]
fn check_seen(prepare: impl Fn(&Fixture), change: impl Fn(&Fixture, &Agents), events: &[&str]) {
    let fixture = Fixture::new();
    prepare(&fixture);
    let agents = fixture.agents(|_| ());
    agents.start_watching().unwrap();
    let already = &events[..events.len() - 1];
    fixture.wait_for(already);
    change(&fixture, &agents);
    fixture.wait_for(events);
    agents.stop_watching();
    assert_eq!(fixture.events(), events);
}

fn link(fixture: &Fixture, target: &str, at: &str) {
    let path = fixture.path(at);
    let beside = fixture.path("new-link");
    std::os::unix::fs::symlink(fixture.path(target), &beside).unwrap();
    fs::rename(beside, path).unwrap();
}

const CLAUDE_1: &str = "echo '1.0.0 (Claude Code)'";
const CLAUDE_2: &str = "echo '2.0.0 (Claude Code)'";
const UPDATED: [&str; 2] = ["claude 1.0.0 detected", "claude 1.0.0 -> 2.0.0"];

#[test]
fn a_folder_of_the_path_that_comes_later_is_watched_for() {
    check_seen(
        |fixture| fs::remove_dir(fixture.path("bin")).unwrap(),
        |fixture, _| {
            fs::create_dir(fixture.path("bin")).unwrap();
            fixture.install_claude("1.0.0");
        },
        &["claude 1.0.0 detected"],
    );
}

#[test]
fn a_folder_of_the_path_that_is_a_link_is_followed_elsewhere() {
    check_seen(
        |fixture| {
            fs::remove_dir(fixture.path("bin")).unwrap();
            fixture.install("20/bin/claude", CLAUDE_1);
            fixture.install("22/bin/claude", CLAUDE_2);
            link(fixture, "20/bin", "bin");
        },
        |fixture, _| link(fixture, "22/bin", "bin"),
        &UPDATED,
    );
}

#[test]
fn a_change_in_the_middle_of_a_chain_of_links_is_seen() {
    check_seen(
        |fixture| {
            fixture.install("1/claude", CLAUDE_1);
            fixture.install("2/claude", CLAUDE_2);
            fs::create_dir(fixture.path("shims")).unwrap();
            link(fixture, "1/claude", "shims/claude");
            link(fixture, "shims/claude", "bin/claude");
        },
        |fixture, _| link(fixture, "2/claude", "shims/claude"),
        &UPDATED,
    );
}

/// npm moves the old package away, and puts the new one in its place some time later.
#[test]
fn a_package_that_is_replaced_is_one_update() {
    check_seen(
        |fixture| {
            fixture.install("lib/claude-code/cli.js", CLAUDE_1);
            link(fixture, "lib/claude-code/cli.js", "bin/claude");
        },
        |fixture, agents| {
            let package = fixture.path("lib/claude-code");
            fs::rename(&package, fixture.path("lib/.claude-code-Xy3")).unwrap();
            wait_until("it is seen to be gone", || {
                agents.lock_looking().missing_since.contains_key("claude")
            });
            fixture.install("lib/claude-code/cli.js", CLAUDE_2);
            fs::remove_dir_all(fixture.path("lib/.claude-code-Xy3")).unwrap();
        },
        &UPDATED,
    );
}

#[test]
fn one_that_is_half_installed_is_asked_again() {
    check_seen(
        |fixture| fixture.install("bin/claude", CLAUDE_1),
        |fixture, _| {
            fixture.install("bin/claude", "exec $RUNS.part");
            wait_until("it is asked", || fixture.runs() > 1);
            fixture.install("runs.part", CLAUDE_2);
        },
        &UPDATED,
    );
}

#[test]
fn one_that_is_gone_for_good_is_told_after_a_moment() {
    check_seen(
        |fixture| fixture.install("bin/claude", CLAUDE_1),
        |fixture, _| fs::remove_file(fixture.path("bin/claude")).unwrap(),
        &["claude 1.0.0 detected", "claude 1.0.0 -> null"],
    );
}

/// With an agent that only a registry knows.
fn load_with_slow(folder: &Path) -> crate::providers::Catalog<AgentManifest> {
    let content = "id = \"slow\"\nname = \"Slow\"\nbinaries = [\"slow\"]\n[version]\nargs = [\"--version\"]\npattern = '(1)'\n";
    let layer = Layer::of_files(vec![LayerFile {
        kind: Kind::Agent,
        id: "slow".to_owned(),
        path: PathBuf::from("registry/slow.toml"),
        content: content.to_owned(),
    }]);
    crate::agents::load_over(&layer, folder)
}

#[test]
fn who_asks_for_agents_waits_for_none_that_only_a_registry_knows() {
    let fixture = Fixture::new();
    fixture.install_claude("1.0.0");
    fixture.install(
        "bin/slow",
        "until test -e $RUNS.go; do sleep 0.01; done\necho 1",
    );
    let agents = fixture.agents(|_| ());
    let manifests = Manifests::new(fixture.path("agents.d"), load_with_slow);
    let agents = Arc::new(Agents::new(
        Arc::clone(&fixture.store),
        Arc::new(manifests),
        agents.settings().clone(),
    ));
    let (told, answer) = std::sync::mpsc::channel();
    std::thread::spawn({
        let agents = Arc::clone(&agents);
        move || told.send(agents.detect().unwrap())
    });
    let found = answer.recv_timeout(Duration::from_secs(20)).unwrap();
    let version = |id: &str| {
        let agent = found.iter().find(|agent| agent.id == id).unwrap();
        agent.version.clone()
    };
    assert_eq!(version("claude").as_deref(), Some("1.0.0"));
    assert_eq!(version("slow"), None);
    fs::write(fixture.path("runs.go"), "").unwrap();
    wait_until("its version is told", || {
        agents.get("slow").unwrap().version.as_deref() == Some("1")
    });
}
