use super::{FIRST_MODEL, agent};
use crate::launch::{find_program, last_lines, shell_word};
use crate::whole_file::write_whole;
use anyhow::Context as _;
use clown_client::{Client, Discovery};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, ChildStdout, Command};

const START_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(5);
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// Should the demo itself be killed, its daemon ends by itself soon after.
const IDLE_TIMEOUT: &str = "30s";

/// The model that the demo has a price for.
pub(super) const MODEL: &str = "large-2";

/// So many answers are imported.
const OLD_ANSWERS: u64 = 3;

/// The provider that the demo's registry has.
pub(super) const PROVIDER: &str = "make-believe";

fn provider(base: &str) -> String {
    format!(
        r#"id = "{PROVIDER}"
name = "Make-believe provider"

[[endpoints]]
id = "here"
urls = {{ openai-chat = "{base}" }}
"#
    )
}

/// A world of temporary folders with a daemon of its own. Dropping it ends the daemon and removes
/// the folders.
pub(super) struct Stage {
    // Ended before the folders go, because fields are dropped in this order.
    daemon: Option<Running>,
    own_program: PathBuf,
    dir: TempDir,
}

impl Stage {
    /// Makes the folders, and puts the make-believe agent and its manifest into them. The
    /// make-believe provider is at `provider_base`.
    pub(super) fn set(provider_base: &str) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("clown-demo-")
            .tempdir()
            .context("cannot make a temporary folder for the demo; set TMPDIR to one that works")?;
        let own_program =
            std::env::current_exe().context("this program does not know its place")?;
        let stage = Self {
            daemon: None,
            own_program,
            dir,
        };
        for name in [
            "bin",
            "config/agents.d",
            "home",
            "manifests/providers",
            "state",
            "work",
        ] {
            let path = stage.path(name);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        fs::set_permissions(stage.path("state"), fs::Permissions::from_mode(0o700))?;
        let manifest = stage
            .path("config/agents.d")
            .join(format!("{}.toml", agent::ID));
        fs::write(&manifest, agent::manifest())
            .with_context(|| format!("cannot write {}", manifest.display()))?;
        stage.install_agent(agent::FIRST_VERSION)?;
        let registry = toml_edit::value(stage.path("registry").display().to_string());
        let config = format!(
            "[registry]\nurl = {registry}\nsync = \"never\"\n[proxy]\nport = 0\n\
             [prices.\"{MODEL}\"]\ninput = 3\noutput = 15\n\
             [prices.\"{FIRST_MODEL}\"]\ninput = 3\noutput = 15\n"
        );
        stage.write_whole("config", "config.toml", &config, 0o600)?;
        stage.write_whole(
            "manifests/providers",
            &format!("{PROVIDER}.toml"),
            &provider(provider_base),
            0o600,
        )?;
        Ok(stage)
    }

    /// What the agent has used before there was a profile, in a folder of its own.
    pub(super) fn write_old_log(&self, folder: &str) -> anyhow::Result<()> {
        agent::write_log(&self.path(folder), "earlier", MODEL, OLD_ANSWERS)
    }

    /// Puts the agent in place in this version, as an installer would.
    pub(super) fn install_agent(&self, version: &str) -> anyhow::Result<()> {
        let script = format!(
            "#!/bin/sh\nexec {} demo-agent --version-to-say {version} -- \"$@\"\n",
            shell_word(self.own_program.as_os_str())
        );
        self.write_whole("bin", agent::PROGRAM, &script, 0o755)
    }

    /// Replaces text in the profile's file, as `sed -i` does.
    pub(super) fn edit_profile(&self, alias: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let name = format!("{alias}.toml");
        let path = self.path("config/profiles").join(&name);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        self.write_whole("config/profiles", &name, &text.replace(from, to), 0o600)
    }

    /// Kills the proxy of a profile, as a crash would.
    pub(super) async fn kill_proxy(&self, alias: &str) -> anyhow::Result<()> {
        let proxy = Client::new(self.discovery()).proxy(alias).await?;
        let pid = proxy.pid.and_then(|pid| i32::try_from(pid).ok());
        let pid = pid
            .and_then(Pid::from_raw)
            .context("the proxy does not run")?;
        Ok(kill_process(pid, Signal::KILL)?)
    }

    pub(super) fn discovery(&self) -> Discovery {
        Discovery::in_state_dir(self.path("state"))
    }

    /// Starts the daemon and waits until it serves.
    pub(super) async fn start_daemon(&mut self) -> anyhow::Result<()> {
        let log_path = self.path("clownd.stderr");
        let log = File::create(&log_path)
            .with_context(|| format!("cannot make {}", log_path.display()))?;
        let mut command = self.command(&find_program()?);
        command
            .args(["--listen", "127.0.0.1:0", "--idle-timeout", IDLE_TIMEOUT])
            .stdout(Stdio::null())
            .stderr(log);
        let daemon = self.daemon.insert(Running::start(command)?);
        let client = Client::new(Discovery::in_state_dir(self.dir.path().join("state")));
        let deadline = Instant::now() + START_LIMIT;
        while client.health().await.is_err() {
            if daemon.child.try_wait()?.is_some() || Instant::now() >= deadline {
                let said = last_lines(&fs::read(&log_path).unwrap_or_default(), 10).join("\n    ");
                anyhow::bail!("the demo's daemon does not start:\n    {said}");
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
        Ok(())
    }

    /// Waits for the daemon's end.
    pub(super) async fn daemon_ended(&mut self) -> anyhow::Result<()> {
        if let Some(daemon) = &mut self.daemon {
            let ended = tokio::time::timeout(STOP_LIMIT, daemon.child.wait()).await;
            ended.context("the demo's daemon does not end")??;
        }
        Ok(())
    }

    /// Runs a command of this program that is to fail.
    pub(super) async fn clown_fails(&self, args: &[&str]) -> anyhow::Result<()> {
        match self.spawn(args)?.succeeded().await {
            Ok(()) => anyhow::bail!("a step of the demo went well that should have failed"),
            Err(_) => Ok(()),
        }
    }

    /// A command of this program, in this world.
    pub(super) fn spawn(&self, args: &[&str]) -> anyhow::Result<Running> {
        let mut command = self.command(&self.own_program);
        command
            .arg("--no-start")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Running::start(command)
    }

    /// Runs a command of this program to its end.
    pub(super) async fn clown(&self, args: &[&str]) -> anyhow::Result<()> {
        self.spawn(args)?.succeeded().await
    }

    /// Nothing of the person's environment gets into this world.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .arg("--config-dir")
            .arg(self.path("config"))
            .arg("--state-dir")
            .arg(self.path("state"))
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.path("home"))
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_whole(&self, dir: &str, name: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        let path = self.path(dir).join(name);
        write_whole(&path, text.as_bytes(), mode)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A process that is ended, with those it started, when this is dropped.
pub(super) struct Running {
    child: Child,
}

impl Running {
    /// Starts it in a process group of its own: an interrupt from the terminal reaches the demo
    /// alone, which then ends everything in order.
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let child = command.process_group(0).spawn().with_context(|| {
            format!("cannot start {}", command.as_std().get_program().display())
        })?;
        Ok(Self { child })
    }

    pub(super) fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end, which must be a good one.
    pub(super) async fn succeeded(mut self) -> anyhow::Result<()> {
        use tokio::io::AsyncReadExt as _;

        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut said).await?;
        }
        let status = self.child.wait().await?;
        anyhow::ensure!(
            status.success(),
            "a step of the demo failed ({status}): {}",
            said.trim()
        );
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let Some(pid) = pid else { return };
        // Gone already is as good.
        let _ = kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + STOP_LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            std::thread::sleep(POLL_PAUSE);
        }
    }
}
