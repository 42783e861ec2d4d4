//! A disk without room: commands fail and say so, the daemon stays, and goes on when there is room.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]
#![cfg(target_os = "linux")]

use clown_tests::{Stream, World, binaries, cannot_run, request, wait_for};
use rustix::process::{Pid, Resource, Rlimit, Signal, geteuid, kill_process, prlimit};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A daemon whose state folder is a small disk of its own, which nobody else sees.
struct SmallDisk {
    world: World,
    process: Child,
    address: String,
}

impl SmallDisk {
    /// `None`, with a note, where this process may not mount.
    fn start() -> Option<Self> {
        let mountable = || {
            let mut trial = Command::new("unshare");
            trial.args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
            trial.status().is_ok_and(|status| status.success())
        };
        if !geteuid().is_root() || !mountable() {
            cannot_run("run this test as root, which may mount a small disk");
            return None;
        }
        let world = World::new();
        let mut command = world.command("unshare".as_ref());
        let process = command
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg("mount -t tmpfs -o size=1m,mode=700 tmpfs \"$CLOWN_STATE_DIR\" && exec \"$0\" --listen 127.0.0.1:0")
            .arg(&binaries().clownd)
            .stdin(Stdio::null())
            .stderr(fs::File::create(world.path("log")).unwrap())
            .spawn()
            .unwrap();
        let mut disk = Self {
            world,
            process,
            address: String::new(),
        };
        disk.address = wait_for("daemon.json", || {
            let found: Value =
                serde_json::from_slice(&fs::read(disk.file("daemon.json")).ok()?).ok()?;
            Some(found["address"].as_str()?.to_owned())
        });
        Some(disk)
    }

    /// A file of the state folder as the daemon sees it.
    fn file(&self, name: &str) -> PathBuf {
        let path = self.world.path("state").join(name);
        let inside = path.strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.process.id())).join(inside)
    }

    fn create(&self, number: usize) -> clown_tests::Answer {
        let body = json!({"alias": format!("p{number}"), "agent_id": "claude"});
        request(&self.address, "POST", "/api/v1/profiles", Some(&body))
    }

    fn get(&self, path: &str) -> Value {
        let answer = request(&self.address, "GET", path, None);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Takes all room, until a command fails for it; the number of that one.
    fn fill(&self, first: usize) -> usize {
        let mut filler = fs::File::create(self.file("filler")).unwrap();
        // What is left of a block goes with the second.
        for size in [64 << 10, 1] {
            while std::io::Write::write_all(&mut filler, &vec![0; size]).is_ok() {}
        }
        // The database may have some room within its files.
        for number in first..first + 5_000 {
            let answer = self.create(number);
            if answer.status != 201 {
                assert_eq!(answer.status, 503, "{answer:?}");
                let problem = answer.json();
                assert_eq!(problem["code"], "disk_full", "{problem}");
                assert!(answer.head.to_ascii_lowercase().contains("retry-after: "));
                return number;
            }
        }
        panic!("the disk is never full");
    }

    fn ended(&mut self) -> ExitStatus {
        wait_for("the daemon's end", || self.process.try_wait().unwrap())
    }
}

/// Writes that fail for another reason than room, as on a disk with errors: here, a limit on the
/// length of the daemon's files.
#[test]
fn a_database_that_cannot_be_written_is_told_and_outlived() {
    let world = World::with_agent("exit 0");
    let address = world.address();
    let pid = Pid::from_raw(i32::try_from(world.daemon_pid()).unwrap()).unwrap();
    let limit_files_to = |bytes: Option<u64>| {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(pid), Resource::Fsize, limit).unwrap();
    };
    let create = |alias: &str| {
        let body = json!({"alias": alias, "agent_id": "claude"});
        request(address, "POST", "/api/v1/profiles", Some(&body))
    };
    let get = |path: &str| request(address, "GET", path, None).json();
    assert_eq!(create("before").status, 201);
    let mut stream = Stream::connect(address, "?since=0");
    stream.until("ProfileCreated");

    // Enough for a profile's file, and for no page of the database.
    limit_files_to(Some(1_024));
    let answer = create("refused");
    assert_eq!(answer.status, 503, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["code"], "database_unwritable", "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("nothing was changed") && detail.contains("permissions"),
        "{detail}"
    );
    assert!(
        !world.profile_file("refused").exists(),
        "a refused command has left a file"
    );
    assert_eq!(get("/healthz")["status"], "degraded");
    let doctor = world.clown(&["doctor"]).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written"), "{said}");
    // What needs no writing goes on, also for those who come now.
    assert_eq!(get("/api/v1/profiles")["items"][0]["alias"], "before");
    Stream::connect(address, "?since=0").until("ProfileCreated");

    limit_files_to(None);
    wait_for("a healthy daemon", || {
        (get("/healthz")["status"] == "ok").then_some(())
    });
    assert_eq!(create("after").status, 201);
    let told = stream.until("ProfileCreated").pop().unwrap();
    assert_eq!(told["data"]["alias"], "after");
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_full_disk_is_told_and_outlived() {
    let Some(mut disk) = SmallDisk::start() else {
        return;
    };
    assert_eq!(disk.get("/healthz"), json!({"status": "ok"}));
    let mut stream = Stream::connect(&disk.address, "?since=0");
    stream.until("DaemonStarted");
    let failed = disk.fill(0);

    let health = disk.get("/healthz");
    assert_eq!(health["status"], "degraded");
    let detail = health["detail"].as_str().unwrap();
    assert!(
        detail.contains("full") && detail.contains("make room"),
        "{detail}"
    );
    let problems = disk.get("/api/v1/daemon")["problems"].clone();
    let told = problems.as_array().unwrap().iter().any(|problem| {
        let text = |member: &str| problem[member].as_str().unwrap_or_default();
        text("path").ends_with("/clown.db") && text("message").contains("full")
    });
    assert!(told, "{problems}");
    // What needs no room goes on.
    assert_eq!(
        disk.get("/api/v1/profiles")["items"]
            .as_array()
            .unwrap()
            .len(),
        failed
    );

    fs::remove_file(disk.file("filler")).unwrap();
    wait_for("a healthy daemon", || {
        (disk.get("/healthz")["status"] == "ok").then_some(())
    });
    let answer = disk.create(failed);
    assert_eq!(answer.status, 201, "{answer:?}");
    let aliases: Vec<Value> = (0..=failed)
        .map(|_| stream.until("ProfileCreated").pop().unwrap()["data"]["alias"].clone())
        .collect();
    let expected: Vec<Value> = (0..=failed)
        .map(|number| json!(format!("p{number}")))
        .collect();
    assert_eq!(aliases, expected);

    // The end cannot be recorded, and comes all the same.
    disk.fill(failed + 1);
    kill_process(Pid::from_child(&disk.process), Signal::TERM).unwrap();
    let (messages, code) = stream.rest();
    assert_eq!(code, 1001);
    assert!(
        messages
            .iter()
            .all(|message| message["type"] != "DaemonShuttingDown")
    );
    assert_eq!(disk.ended().code(), Some(0));
    let log = fs::read_to_string(disk.world.path("log")).unwrap();
    assert!(log.contains("cannot record that the daemon stops"), "{log}");
}
