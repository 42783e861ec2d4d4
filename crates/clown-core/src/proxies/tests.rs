//! The life of instances, with real processes that serve nobody.

use super::supervisor::LOOK_AT_HEALTH;
use super::*;
use crate::bus::Read;
use crate::keys::Secret;
use crate::providers::KeyAuth;
use clown_events::{Envelope, Event};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Instances are `sleep`. They listen nowhere, and are said to.
#[derive(Debug, Default)]
struct Fake {
    /// Ports that others have.
    in_use: Mutex<BTreeSet<u16>>,
    /// What each process works by.
    works: Mutex<HashMap<u32, (u16, Plan)>>,
    endings: Mutex<Vec<Ending>>,
    /// Processes by folder, as their locks would tell.
    folders: Mutex<HashMap<PathBuf, u32>>,
    next_port: AtomicU16,
    launches: AtomicUsize,
    dies_at_once: AtomicBool,
    health: Mutex<Health>,
}

impl Launcher for Fake {
    fn launch(&self, folder: &Path) -> io::Result<Child> {
        self.launches.fetch_add(1, Ordering::SeqCst);
        let child = Command::new("sleep")
            .arg("1000")
            .stdin(Stdio::null())
            .spawn()?;
        let mut folders = lock(&self.folders);
        folders.insert(folder.to_owned(), child.id());
        Ok(child)
    }

    fn work(&self, _folder: &Path, pid: u32, port: u16, plan: &Plan) -> io::Result<Worked> {
        if let Some((port, known)) = lock(&self.works).get_mut(&pid) {
            *known = plan.clone();
            return Ok(Worked::On(*port));
        }
        if lock(&self.in_use).contains(&port) {
            return Ok(Worked::PortInUse);
        }
        if self.dies_at_once.load(Ordering::SeqCst) {
            signal(pid, Signal::KILL);
        }
        let port = match port {
            0 => 40_000 + self.next_port.fetch_add(1, Ordering::SeqCst),
            port => port,
        };
        lock(&self.works).insert(pid, (port, plan.clone()));
        Ok(Worked::On(port))
    }

    fn health(&self, _folder: &Path, _pid: u32) -> io::Result<Health> {
        Ok(lock(&self.health).clone())
    }

    fn stop(&self, folder: &Path, pid: u32) -> io::Result<()> {
        let ending = Ending {
            pid,
            code: 0,
            asked: true,
        };
        lock(&self.endings).push(ending);
        lock(&self.folders).remove(folder);
        signal(pid, Signal::TERM);
        Ok(())
    }

    fn find(&self, folder: &Path) -> io::Result<Option<Found>> {
        let Some(pid) = lock(&self.folders).get(folder).copied() else {
            return Ok(None);
        };
        let lives = ProcessIdentity::of(pid).is_some_and(|it| it.is_alive());
        let works = lock(&self.works).get(&pid).cloned();
        Ok(lives.then_some(Found { pid, works }))
    }

    fn ending(&self, _folder: &Path) -> Option<Ending> {
        lock(&self.endings).last().copied()
    }

    fn is_healthy(&self, _port: u16, _pid: u32) -> bool {
        true
    }

    fn port_owner(&self, port: u16) -> Option<String> {
        (port == 8081).then(|| "process 7 (other)".to_owned())
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

struct World {
    folder: tempfile::TempDir,
    store: Arc<Store>,
    fake: Arc<Fake>,
    proxies: Proxies,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open_in_memory().unwrap());
        let fake = Arc::new(Fake::default());
        let proxies = Self::proxies(folder.path(), &store, &fake);
        Self {
            folder,
            store,
            fake,
            proxies,
        }
    }

    fn proxies(folder: &Path, store: &Arc<Store>, fake: &Arc<Fake>) -> Proxies {
        let settings = ProxySettings {
            launcher: Arc::clone(fake) as Arc<dyn Launcher>,
            folder: folder.join("proxies"),
            first_port: 8081,
        };
        Proxies::new(Arc::clone(store), settings).unwrap()
    }

    /// The daemon is killed, and another one starts.
    fn crash(&mut self) -> Vec<Alias> {
        self.proxies = Self::proxies(self.folder.path(), &self.store, &self.fake);
        self.proxies.recover().unwrap()
    }

    fn start(&self, alias: &str, wish: PortWish) -> Result<Instance, ProxyFault> {
        self.proxies.start(&name(alias), plan("a"), wish)
    }

    /// What was told, each as its type and what matters of it.
    fn told(&self) -> Vec<String> {
        let Read::Slices(slices) = self.store.bus().read_after(crate::Seq::START, usize::MAX)
        else {
            return Vec::new();
        };
        let entries = slices
            .iter()
            .flat_map(|slice| (0..slice.entries().len()).map(|index| slice.json(index, false)));
        entries
            .map(|json| serde_json::from_slice::<Envelope>(&json).unwrap().event)
            .map(|event| match event {
                Event::ProxyStarted(data) => format!("started {} {}", data.profile, data.port),
                Event::ProxyStopped(data) => format!("stopped {} {}", data.profile, data.exit_code),
                Event::ProxyError(data) => format!("error {} {}", data.profile, data.error),
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let told = self.told();
            if is_so(&told) {
                return told;
            }
            assert!(Instant::now() < deadline, "never {what}: {told:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn name(alias: &str) -> Alias {
    alias.parse().unwrap()
}

fn plan(base: &str) -> Plan {
    Plan {
        profile: "work".to_owned(),
        agent: "claude".to_owned(),
        provider: "anthropic".to_owned(),
        local_key: Secret::new("local"),
        upstream: Upstream {
            keys: vec![Secret::new("real")],
            auth: KeyAuth::Own,
            bases: BTreeMap::from([(crate::providers::Format::OpenaiChat, base.to_owned())]),
        },
        others: BTreeMap::new(),
        rules: clown_routes::Rules::default(),
        small_model: None,
        over_budget: false,
    }
}

#[test]
fn it_is_started_once_and_works_by_the_newest_plan() {
    let world = World::new();
    let first = world.start("work", PortWish::Usual).unwrap();
    assert_eq!(first.port, 8081);
    assert_eq!(world.start("work", PortWish::Usual).unwrap(), first);
    assert_eq!(world.start("play", PortWish::Usual).unwrap().port, 8082);
    world.proxies.apply(&name("work"), plan("b")).unwrap();
    let works = lock(&world.fake.works).get(&first.pid).cloned();
    assert_eq!(works, Some((8081, plan("b"))));
    assert_eq!(world.proxies.plan_in_use(&name("work")), Some(plan("b")));
    assert_eq!(world.proxies.plan_in_use(&name("nobody")), None);
    assert_eq!(world.proxies.running_count().unwrap(), 2);
    world.proxies.stop(&name("work")).unwrap();
    world.proxies.stop(&name("work")).unwrap();
    let again = world
        .proxies
        .restart(&name("play"), plan("c"), PortWish::Usual);
    assert_eq!(again.unwrap().port, 8082, "where its agents know it");
    world.proxies.stop_all();
    assert!(matches!(
        world.start("work", PortWish::Usual),
        Err(ProxyFault::Stopping)
    ));
    let told = [
        "started work 8081",
        "started play 8082",
        "stopped work 143",
        "stopped play 143",
        "started play 8082",
        "stopped play 143",
    ];
    assert_eq!(world.told(), told);
    assert_eq!(world.proxies.running_count().unwrap(), 0);
}

#[test]
fn a_port_that_others_have_is_told_and_the_next_is_taken() {
    let world = World::new();
    lock(&world.fake.in_use).extend([8081, 9000]);
    let in_use = "error work Port already in use: 8081, by process 7 (other)";
    assert_eq!(world.start("work", PortWish::Usual).unwrap().port, 8082);
    assert_eq!(world.told(), [in_use, "started work 8082"]);
    let refused = world.start("play", PortWish::Fixed(9000)).unwrap_err();
    let ProxyFault::PortInUse {
        port: 9000,
        owner: None,
    } = refused
    else {
        panic!("{refused}");
    };
    assert_eq!(world.told()[2..], ["error play Port already in use: 9000"]);
    let known = world.proxies.get(&name("play")).unwrap();
    assert_eq!(known.error.as_deref(), Some("Port already in use: 9000"));
    world.proxies.stop_all();
}

#[test]
fn one_that_dies_is_started_again_on_its_port() {
    let world = World::new();
    let first = world.start("work", PortWish::Any).unwrap();
    signal(first.pid, Signal::KILL);
    let told = world.wait_until("started again", |told| told.len() == 4);
    let started = format!("started work {}", first.port);
    let died = "error work the proxy ended unasked, by signal 9";
    assert_eq!(told, [started.as_str(), "stopped work 137", died, &started]);
    let known = world.proxies.get(&name("work")).unwrap();
    assert_ne!(known.instance.unwrap().pid, first.pid);
    assert_eq!(known.error, None);
    world.proxies.stop_all();
}

#[test]
fn one_that_dies_over_and_over_is_given_up() {
    let world = World::new();
    let first = world.start("work", PortWish::Any).unwrap();
    world.fake.dies_at_once.store(true, Ordering::SeqCst);
    signal(first.pid, Signal::KILL);
    let is_over = |told: &[String]| told.last().is_some_and(|last| last.contains("given up"));
    let told = world.wait_until("given up", is_over);
    assert_eq!(world.fake.launches.load(Ordering::SeqCst), 6, "{told:?}");
    assert!(
        told.last().unwrap().contains("clown proxy start work"),
        "{told:?}"
    );
    // Somebody wants it, and by now it works.
    world.fake.dies_at_once.store(false, Ordering::SeqCst);
    world.start("work", PortWish::Any).unwrap();
    world.proxies.stop_all();
}

#[test]
fn the_next_daemon_takes_over_what_lives_and_tells_of_what_does_not() {
    let mut world = World::new();
    let work = world.start("work", PortWish::Usual).unwrap();
    let play = world.start("play", PortWish::Usual).unwrap();
    let idle = world.start("idle", PortWish::Usual).unwrap();
    let before = world.told().len();
    world.proxies.leave();
    signal(play.pid, Signal::KILL);
    let handle = ProcessHandle::open(ProcessIdentity::of(play.pid).unwrap());
    assert!(
        handle
            .unwrap()
            .unwrap()
            .wait(Duration::from_secs(20))
            .unwrap()
    );
    // Told to stop by a daemon that was killed before it was gone.
    world
        .fake
        .stop(&world.folder.path().join("proxies/idle"), idle.pid)
        .unwrap();
    assert_eq!(world.crash(), [name("play")]);
    let died = "error play the proxy ended unasked, and nobody knows how";
    assert_eq!(
        world.told()[before..],
        ["stopped idle 0", "stopped play -1", died]
    );
    assert_eq!(world.start("work", PortWish::Usual).unwrap(), work);
    assert!(world.proxies.plan_in_use(&name("work")).is_some());
    signal(work.pid, Signal::KILL);
    let told = world.wait_until("started again", |told| told.len() == before + 6);
    assert_eq!(told.last().unwrap(), "started work 8081");
    world.proxies.stop_all();
}

#[test]
fn the_local_key_stays_and_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let key = world.proxies.local_key(&name("work")).unwrap();
    assert_eq!(world.proxies.local_key(&name("work")).unwrap(), key);
    assert_ne!(world.proxies.local_key(&name("play")).unwrap(), key);
    assert!(key.expose().starts_with("clown-local-"));
    let folder = world.folder.path().join("proxies/work");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("key")), 0o600);
    fs::write(folder.join("key"), "short").unwrap();
    assert!(
        world
            .proxies
            .local_key(&name("work"))
            .unwrap()
            .expose()
            .len()
            > 64
    );
}

#[test]
fn the_log_is_the_end_of_all_spools() {
    let world = World::new();
    let folder = world.folder.path().join("proxies/work");
    fs::create_dir_all(&folder).unwrap();
    let check = |lines: usize, after: Option<&str>, expected: &[&str]| {
        let log = world.proxies.log(&name("work"), lines, after).unwrap();
        let ids: Vec<&str> = log.iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{lines} {after:?}");
    };
    check(5, None, &[]);
    let lines = |ids: &[&str]| {
        let lines = ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}\n"));
        lines.collect::<String>()
    };
    fs::write(folder.join("spool-1.jsonl"), lines(&["a", "b"])).unwrap();
    fs::write(folder.join("spool-2.jsonl"), lines(&["c"])).unwrap();
    fs::write(
        folder.join("spool.jsonl"),
        lines(&["d", "e"]) + "{\"id\":\"ha",
    )
    .unwrap();
    check(5, None, &["a", "b", "c", "d", "e"]);
    check(3, None, &["c", "d", "e"]);
    check(5, Some("c"), &["d", "e"]);
}

#[test]
fn that_all_upstreams_fail_is_told_once_until_one_answers() {
    let world = World::new();
    let work = world.start("work", PortWish::Usual).unwrap();
    let say = |trouble: Option<&str>| {
        lock(&world.fake.health).trouble = trouble.map(ToOwned::to_owned);
    };
    say(Some("all upstreams fail: a/x (529)"));
    let error = "error work all upstreams fail: a/x (529)";
    let started = format!("started work {}", work.port);
    world.wait_until("told", |told| *told == [&*started, error]);
    // One that answers again, and fails anew.
    say(None);
    std::thread::sleep(2 * LOOK_AT_HEALTH);
    say(Some("all upstreams fail: a/x (500)"));
    let again = "error work all upstreams fail: a/x (500)";
    world.wait_until("told again", |told| *told == [&*started, error, again]);
    world.proxies.stop_all();
}
