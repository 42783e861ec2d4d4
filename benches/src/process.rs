//! A server in a process of its own, and what it uses up.

use anyhow::{Context as _, bail};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server. It ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

/// When a server began and ended to publish, on the machine's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

impl Server {
    /// Starts `command`, which says `ready PORT` once it listens.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("no standard output")?;
        let mut server = Self {
            child,
            input,
            output: BufReader::new(output),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let line = server.line()?;
        let port = line
            .strip_prefix("ready ")
            .and_then(|port| port.parse().ok());
        server
            .address
            .set_port(port.with_context(|| format!("{command:?} said {line:?}, not ready"))?);
        Ok(server)
    }

    /// Starts a daemon, which tells in its state folder where it listens.
    pub(crate) fn daemon(
        mut command: Command,
        state_dir: &std::path::Path,
    ) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().context("no standard output")?;
        let mut server = Self {
            child,
            input: None,
            output: BufReader::new(output),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(text) = fs::read(state_dir.join("daemon.json"))
                && let Ok(value) = serde_json::from_slice::<serde_json::Value>(&text)
                && let Some(address) = value["address"].as_str()
            {
                server.address = address.parse()?;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("{command:?} does not say where it listens");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Tells the server what to do.
    pub(crate) fn tell(&mut self, order: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("this server takes no orders")?;
        writeln!(input, "{order}").context("the server is gone")
    }

    /// Waits until the server has published.
    pub(crate) fn published(&mut self) -> anyhow::Result<Published> {
        let line = self.line()?;
        let mut words = line.split(' ');
        let mut stamp = || words.next().and_then(|word| word.parse().ok());
        match (stamp(), stamp()) {
            (Some(began), Some(ended)) => Ok(Published { began, ended }),
            _ => bail!("the server said {line:?}, not when it published"),
        }
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the server has ended: {:?}", self.child.wait());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Processor time so far, in nanoseconds.
    pub(crate) fn cpu(&self) -> u64 {
        cpu_of(&self.child.id().to_string())
    }

    /// The same, to a hundredth of a second, with that of threads that have ended.
    pub(crate) fn cpu_of_all(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let text = text.unwrap_or_default();
        // Behind the name, which may have blanks in it.
        let behind = text.rsplit(')').next().unwrap_or_default();
        let ticks = |place: usize| -> u64 {
            let field = behind.split_whitespace().nth(place);
            field.and_then(|field| field.parse().ok()).unwrap_or(0)
        };
        (ticks(11) + ticks(12)) * 10_000_000
    }

    /// Memory that is resident, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that was resident, in bytes.
    pub(crate) fn most_resident(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, member: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(member));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kibibytes.context("no such line")?.parse::<u64>()? << 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already when either fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of this process, in nanoseconds.
pub(crate) fn own_cpu() -> u64 {
    cpu_of("self")
}

/// Adds up the threads: finer than the ticks of `/proc/PID/stat`. A thread that has ended is not
/// counted.
fn cpu_of(process: &str) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else {
        return 0;
    };
    let of_task = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    tasks
        .flatten()
        .filter_map(|task| of_task(task.path()))
        .sum()
}
