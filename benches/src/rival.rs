//! Who is measured.

use crate::event;
use crate::flags::Flags;
use crate::process::Server;
use anyhow::{Context as _, bail, ensure};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server that sends the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rival {
    /// Ours.
    Clown,
    /// Ready-made frames to raw sockets.
    Raw,
    /// tokio-tungstenite, a send for each event and client.
    Tungstenite,
    /// npm's ws.
    Ws,
    /// PyPI's socketify, on uWebSockets.
    Socketify,
    /// PyPI's websockets.
    Websockets,
}

impl Rival {
    pub(crate) const ALL: [Self; 6] = [
        Self::Clown,
        Self::Raw,
        Self::Tungstenite,
        Self::Ws,
        Self::Socketify,
        Self::Websockets,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clown => "clown",
            Self::Raw => "raw",
            Self::Tungstenite => "tungstenite",
            Self::Ws => "ws",
            Self::Socketify => "socketify",
            Self::Websockets => "websockets",
        }
    }

    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Clown => "Clown",
            Self::Raw => "floor: raw sockets, ready-made frames",
            Self::Tungstenite => "tokio-tungstenite, a send each",
            Self::Ws => "ws (npm), `send` each",
            Self::Socketify => "socketify (PyPI), `publish`",
            Self::Websockets => "websockets (PyPI), `broadcast`",
        }
    }
}

/// Who takes part, and where they are.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) rivals: Vec<Rival>,
    pub(crate) full: bool,
    folder: PathBuf,
    own: PathBuf,
}

impl Field {
    /// Fails when one that is to take part is not installed.
    pub(crate) fn of(flags: &Flags) -> anyhow::Result<Self> {
        let mut rivals = Rival::ALL.to_vec();
        if !flags.servers.is_empty() {
            for name in &flags.servers {
                ensure!(
                    Rival::ALL.iter().any(|rival| rival.name() == name),
                    "there is no server {name:?}"
                );
            }
            rivals.retain(|rival| flags.servers.iter().any(|name| name == rival.name()));
        }
        let field = Self {
            full: rivals.len() == Rival::ALL.len(),
            rivals,
            folder: std::path::absolute(&flags.rivals)?,
            own: std::env::current_exe()?,
        };
        for rival in &field.rivals {
            field.check(*rival)?;
        }
        Ok(field)
    }

    fn check(&self, rival: Rival) -> anyhow::Result<()> {
        let needed = match rival {
            Rival::Clown | Rival::Raw | Rival::Tungstenite => return Ok(()),
            Rival::Ws => self.folder.join("node_modules/ws/package.json"),
            Rival::Socketify | Rival::Websockets => self.python(),
        };
        let module = format!("import {}", rival.name());
        let installed = match rival {
            Rival::Ws => needed.exists(),
            _ => Command::new(&needed)
                .args(["-c", &module])
                .status()
                .is_ok_and(|status| status.success()),
        };
        if !installed {
            bail!(
                "{} is not installed in {}: run benches/install, or name with --servers whom to measure (then it is not the full comparison)",
                rival.name(),
                self.folder.display()
            );
        }
        Ok(())
    }

    fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    /// What each rival is, with its version.
    pub(crate) fn versions(&self) -> anyhow::Result<Vec<(String, String)>> {
        let ws = std::fs::read(self.folder.join("node_modules/ws/package.json"));
        let mut versions = Vec::new();
        let mut ask = |name: &str, command: &mut Command| -> anyhow::Result<()> {
            let output = command
                .output()
                .with_context(|| format!("cannot run {name}"))?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            versions.push((name.to_owned(), text));
            Ok(())
        };
        if self.rivals.contains(&Rival::Ws) {
            ask("node", Command::new("node").arg("--version"))?;
        }
        for rival in [Rival::Socketify, Rival::Websockets] {
            if self.rivals.contains(&rival) {
                let name = rival.name();
                let code = format!("import importlib.metadata as m; print(m.version({name:?}))");
                ask(name, Command::new(self.python()).args(["-c", &code]))?;
            }
        }
        if let Ok(text) = ws {
            let package: serde_json::Value = serde_json::from_slice(&text)?;
            let version = package["version"].as_str().unwrap_or_default();
            versions.push(("ws".to_owned(), version.to_owned()));
        }
        Ok(versions)
    }

    /// Starts `rival`, which is to publish `events` at most.
    pub(crate) fn start(
        &self,
        rival: Rival,
        state_dir: &Path,
        events: u64,
        batch: u64,
    ) -> anyhow::Result<Server> {
        let (head, tail) = event::template();
        let texts = [head, tail].map(OsString::from_vec);
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("rivals");
        let mut command;
        match rival {
            Rival::Clown => return self.start_clown(state_dir, batch, false),
            Rival::Raw | Rival::Tungstenite => {
                command = Command::new(&self.own);
                command.args([rival.name(), "--events", &events.to_string()]);
            }
            Rival::Ws => {
                command = Command::new("node");
                command.env("NODE_PATH", self.folder.join("node_modules"));
                command.arg(sources.join("ws.js")).args(texts);
            }
            Rival::Socketify | Rival::Websockets => {
                command = Command::new(self.python());
                let script = format!("{}_server.py", rival.name());
                command.arg(sources.join(script)).args(texts);
            }
        }
        Server::start(command)
    }

    /// Starts the real store, bus and server, with a way to publish.
    pub(crate) fn start_clown(
        &self,
        state_dir: &Path,
        batch: u64,
        power: bool,
    ) -> anyhow::Result<Server> {
        let mut command = Command::new(&self.own);
        command.args(["clown", "--batch", &batch.to_string(), "--state-dir"]);
        command.arg(state_dir);
        if power {
            command.arg("--power");
        }
        Server::start(command)
    }

    /// Starts the real daemon with a folder of its own.
    pub(crate) fn start_daemon(&self, folder: &Path) -> anyhow::Result<Server> {
        let binary = self.own.with_file_name("clownd");
        ensure!(
            binary.exists(),
            "{} is missing: build it with `cargo build --release -p clownd`",
            binary.display()
        );
        let state_dir = folder.join("state");
        let mut command = Command::new(binary);
        command.args(["--listen", "127.0.0.1:0", "--log-level", "error"]);
        command.arg("--state-dir").arg(&state_dir);
        command.arg("--config-dir").arg(folder.join("config"));
        // No agents of this machine are looked for.
        command.env("PATH", folder);
        Server::daemon(command, &state_dir)
    }
}
