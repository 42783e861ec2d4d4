use crate::{Answer, World, binaries, cannot_run, request, wait_for};
use rustix::process::geteuid;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A daemon whose state folder is a small disk of its own, which nobody else sees.
#[derive(Debug)]
pub struct SmallDisk {
    pub world: World,
    pub address: String,
    process: Child,
}

/// Which folders are on the small disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    State,
    StateAndConfig,
}

impl SmallDisk {
    /// Starts the daemon of `world`, which has none yet. `None`, with a note, where this process
    /// may not mount.
    ///
    /// # Panics
    /// When the daemon does not serve.
    pub fn start(world: World, on_disk: OnDisk) -> Option<Self> {
        let mountable = || {
            let mut trial = Command::new("unshare");
            trial.args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
            trial.status().is_ok_and(|status| status.success())
        };
        if !geteuid().is_root() || !mountable() {
            cannot_run("run this test as root, which may mount a small disk");
            return None;
        }
        let with_config = match on_disk {
            OnDisk::State => "",
            OnDisk::StateAndConfig => {
                "cp -a \"$CLOWN_CONFIG_DIR\" \"$CLOWN_STATE_DIR/.config\" && \
                 mount --bind \"$CLOWN_STATE_DIR/.config\" \"$CLOWN_CONFIG_DIR\" && "
            }
        };
        let log = fs::File::create(world.path("log")).expect("a log can be made");
        let mut command = world.command("unshare".as_ref());
        let process = command
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg(format!(
                "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$CLOWN_STATE_DIR\" && {with_config}\
                 exec \"$0\" --listen 127.0.0.1:0"
            ))
            .arg(&binaries().clownd)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("clownd starts");
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
    pub fn file(&self, name: &str) -> PathBuf {
        self.seen(&format!("state/{name}"))
    }

    /// A file of the world as the daemon sees it.
    ///
    /// # Panics
    /// When the world is in no full path.
    pub fn seen(&self, name: &str) -> PathBuf {
        let path = self.world.path(name);
        let inside = path.strip_prefix("/").expect("it is a full path");
        PathBuf::from(format!("/proc/{}/root", self.process.id())).join(inside)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn create(&self, number: usize) -> Answer {
        let body = json!({"alias": format!("p{number}"), "agent_id": "claude"});
        request(&self.address, "POST", "/api/v1/profiles", Some(&body))
    }

    /// What is at `path`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn get(&self, path: &str) -> Value {
        let answer = request(&self.address, "GET", path, None);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Takes all room that files can have.
    ///
    /// # Panics
    /// When there is no disk.
    pub fn take_room(&self) {
        let mut filler = fs::File::create(self.file("filler")).expect("a file can be made");
        // What is left of a block goes with the second.
        for size in [64 << 10, 1] {
            while std::io::Write::write_all(&mut filler, &vec![0; size]).is_ok() {}
        }
    }

    /// Takes all room, until a command fails for it; the number of that one.
    ///
    /// # Panics
    /// When the disk is never full, or that is not told.
    pub fn fill(&self, first: usize) -> usize {
        self.take_room();
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

    /// Gives back what [`SmallDisk::take_room`] took.
    ///
    /// # Panics
    /// When it took nothing.
    pub fn make_room(&self) {
        fs::remove_file(self.file("filler")).expect("the disk was filled");
    }

    /// How the daemon ended.
    ///
    /// # Panics
    /// When it does not end.
    pub fn ended(&mut self) -> ExitStatus {
        wait_for("the daemon's end", || {
            self.process.try_wait().ok().flatten()
        })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
