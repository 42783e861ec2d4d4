use crate::{Answer, Stream, binaries, request, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A person's machine in a temporary folder: configuration, state, programs, and a daemon.
#[derive(Debug)]
pub struct World {
    root: tempfile::TempDir,
    daemon: Option<Child>,
    address: String,
}

/// How the fake Claude Code behaves when it is not asked for its version.
#[derive(Debug, Clone, Copy)]
pub enum FakeAgent<'a> {
    /// Runs this shell script.
    Script(&'a str),
    /// Never answers `--version`.
    HangingVersion,
}

impl World {
    /// Empty folders and no daemon.
    ///
    /// # Panics
    /// When the folders cannot be made.
    pub fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("clown-test-")
            .tempdir()
            .expect("a temporary folder can be made");
        for folder in ["config/profiles", "state", "bin", "home", "work"] {
            fs::create_dir_all(root.path().join(folder)).expect("a folder can be made");
        }
        Self {
            root,
            daemon: None,
            address: String::new(),
        }
    }

    /// As [`World::new`], with a fake Claude Code that runs `script`, and a daemon.
    pub fn with_agent(script: &str) -> Self {
        let mut world = Self::new();
        world.install("claude", "1.0.0", FakeAgent::Script(script));
        world.start();
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn profile_file(&self, alias: &str) -> PathBuf {
        self.path("config/profiles").join(format!("{alias}.toml"))
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Puts an agent's program on the PATH of daemon and command line.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn install(&self, program: &str, version: &str, agent: FakeAgent<'_>) {
        let (answer, script) = match agent {
            FakeAgent::Script(script) => {
                (format!("echo '{version} (Claude Code)'; exit 0"), script)
            }
            FakeAgent::HangingVersion => ("sleep 1000 & wait".to_owned(), ""),
        };
        let text =
            format!("#!/bin/sh\nif [ \"$1\" = --version ]; then\n  {answer}\nfi\n{script}\n");
        let path = self.path("bin").join(program);
        let (source, beside) = (path.with_extension("source"), path.with_extension("new"));
        fs::write(&source, text).expect("a program can be written");
        // By another process: what this one has open for writing, a child that another test forks
        // at this moment holds open too, and then nobody can run it.
        let copied = Command::new("cp").arg(&source).arg(&beside).status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "a program can be copied"
        );
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755))
            .expect("its mode can be set");
        fs::rename(&beside, &path).expect("it can be put in place");
    }

    /// Starts the daemon and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(&mut self) {
        let _ = fs::remove_file(self.path("state/daemon.json"));
        let mut command = self.command(&binaries().clownd);
        command.args(["--listen", "127.0.0.1:0"]);
        let log = fs::File::create(self.path("clownd.stderr")).expect("a log can be made");
        let daemon = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("clownd starts");
        self.daemon = Some(daemon);
        self.find_daemon();
    }

    /// Waits for the file by which daemons are found.
    pub fn find_daemon(&mut self) {
        let file = self.path("state/daemon.json");
        self.address = wait_for("daemon.json", || {
            let found: Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            let address = found["address"].as_str()?.to_owned();
            std::net::TcpStream::connect(&address).ok()?;
            Some(address)
        });
    }

    /// The daemon's process.
    ///
    /// # Panics
    /// When this world started none.
    pub fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().expect("a daemon was started").id()
    }

    pub fn signal_daemon(&self, signal: Signal) {
        send(self.daemon_pid(), signal);
    }

    /// Waits until the daemon that was started has ended; its exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub fn daemon_ended(&mut self) -> Option<i32> {
        let mut daemon = self.daemon.take().expect("a daemon was started");
        let status = wait_for("the daemon's end", || daemon.try_wait().ok().flatten());
        status.code()
    }

    /// Kills the daemon as a crash would.
    pub fn crash_daemon(&mut self) {
        self.signal_daemon(Signal::KILL);
        self.daemon_ended();
    }

    /// A program with this world's folders and nothing of the machine's own configuration.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env(
                "PATH",
                format!(
                    "{}:/usr/local/bin:/usr/bin:/bin",
                    self.path("bin").display()
                ),
            )
            .env("HOME", self.path("home"))
            .env("CLOWN_CONFIG_DIR", self.path("config"))
            .env("CLOWN_STATE_DIR", self.path("state"))
            .current_dir(self.path("work"));
        command
    }

    /// The command line, ready to run.
    pub fn clown(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&binaries().clown);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the command line; its standard output.
    ///
    /// # Panics
    /// When it fails.
    pub fn clown_ok(&self, arguments: &[&str]) -> String {
        let output = self.clown(arguments).output().expect("clown runs");
        assert!(
            output.status.success(),
            "clown {arguments:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("output is text")
    }

    pub fn get(&self, path: &str) -> Answer {
        request(&self.address, "GET", path, None)
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        request(&self.address, method, path, Some(body))
    }

    /// A profile of the fake Claude Code with its own login.
    ///
    /// # Panics
    /// When it is refused.
    pub fn create_profile(&self, alias: &str) {
        let body = json!({"alias": alias, "agent_id": "claude"});
        let answer = self.send("POST", "/api/v1/profiles", &body);
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    pub fn stream(&self, query: &str) -> Stream {
        Stream::connect(&self.address, query)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// The processes of proxy instances in this world that live.
    pub fn proxy_pids(&self) -> Vec<u32> {
        let folder = self.path("state/proxies");
        let wanted = folder.as_os_str().as_encoded_bytes();
        let is_ours = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.windows(wanted.len()).any(|window| window == wanted)
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(is_ours)
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // It may have ended by itself.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        // They go on without a daemon.
        for pid in self.proxy_pids() {
            send(pid, Signal::KILL);
        }
        // A daemon that the command line started in the background.
        let found = fs::read(self.path("state/daemon.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        if let Some(pid) = found.and_then(|found| found["pid"].as_u64()) {
            let ours = fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                let wanted = self.root.path().as_os_str().as_encoded_bytes();
                environment
                    .windows(wanted.len())
                    .any(|window| window == wanted)
            });
            if ours {
                send(pid as u32, Signal::KILL);
            }
        }
    }
}

/// Sends a signal to a process that the test knows to be its own.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
    }
}
