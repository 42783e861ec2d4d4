mod install;
mod logs;

use crate::context::{ADDRESS_ADVICE, Context, not_running};
use crate::event::words;
use crate::failure::{FAILED, Failure};
use crate::output::{Output, note};
use crate::process::stat_field;
use crate::table::printable;
use clap::Subcommand;
use clown_api::{CatalogueProblem, Daemon, Shutdown};
use clown_client::{Client, ClientError};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the daemon may take to stop. It lets requests through proxies end, which may take 10 s,
/// and closes connections and its database.
const STOP_LIMIT: Duration = Duration::from_secs(30);

const POLL_PAUSE: Duration = Duration::from_millis(20);

/// What programs are told of a daemon that does not run.
#[derive(Debug, Serialize)]
struct Stopped {
    running: bool,
    /// The process that was stopped, where one ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DaemonCommand {
    /// Start the daemon in the background, if none runs
    Start,
    /// Stop the daemon, if one runs
    Stop,
    /// Stop the daemon and start it again
    Restart,
    /// Say whether the daemon runs; never starts it
    Status,
    /// Print the end of the log of a daemon in the background
    Logs {
        /// How many lines
        #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
        lines: usize,
    },
    /// Write a unit file, so that systemd starts the daemon when you log in
    Install,
}

pub(crate) async fn dispatch(context: &Context, command: DaemonCommand) -> anyhow::Result<()> {
    let output = context.output;
    match command {
        DaemonCommand::Start => {
            let client = context.daemon().await?;
            show(output, &client.daemon().await?)
        }
        DaemonCommand::Stop => {
            let pid = stop(context).await?;
            if output.is_json() {
                output.json(&Stopped {
                    running: false,
                    pid,
                })?;
            }
            Ok(())
        }
        DaemonCommand::Restart => {
            stop(context).await?;
            let client = context.daemon().await?;
            show(output, &client.daemon().await?)
        }
        DaemonCommand::Status => status(context).await,
        DaemonCommand::Logs { lines } => logs::logs(output, &context.places.log_file(), lines),
        DaemonCommand::Install => install::install(context),
    }
}

async fn status(context: &Context) -> anyhow::Result<()> {
    match context.client().daemon().await {
        Ok(daemon) => show(context.output, &daemon),
        Err(error) if error.is_not_reachable() => {
            if context.output.is_json() {
                context.output.json(&Stopped {
                    running: false,
                    pid: None,
                })?;
            }
            let advice = if context.has_fixed_address() {
                ADDRESS_ADVICE
            } else {
                "`clown daemon start` starts one"
            };
            Err(not_running(error, advice))
        }
        Err(error) => Err(error.into()),
    }
}

fn show(output: Output, daemon: &Daemon) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(daemon);
    }
    let Daemon {
        version,
        pid,
        address,
        uptime_secs,
        counts,
        problems,
        ..
    } = daemon;
    let uptime = words::duration(*uptime_secs);
    output.line(format_args!(
        "clownd {version} serves at http://{address} as process {pid}, up for {uptime}"
    ))?;
    output.line(format_args!(
        "  {}, {} installed, {}, {}",
        counted(counts.profiles, "profile"),
        counted(counts.agents, "agent"),
        counted(counts.runs, "run"),
        counted(counts.connections, "listener"),
    ))?;
    for problem in problems {
        note(format_args!("  {}", describe_problem(problem)));
    }
    Ok(())
}

/// `1 run`, `2 runs`.
fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// A file that cannot be used, where in it, and what to do.
pub(crate) fn describe_problem(problem: &CatalogueProblem) -> String {
    let mut text = problem.path.clone();
    for place in [problem.line, problem.column].into_iter().flatten() {
        text.push_str(&format!(":{place}"));
    }
    printable(&format!("{text}: {}", problem.message))
}

/// Asks the daemon to stop and waits until it has; the process that it was. None running is what
/// was wanted.
async fn stop(context: &Context) -> anyhow::Result<Option<u32>> {
    let client = context.client();
    let asked = async {
        let pid = match client.daemon().await {
            Ok(daemon) => daemon.pid,
            // One whose database is damaged cannot tell of itself, and stops all the same.
            Err(error @ ClientError::Problem(_)) => context.pid_in_daemon_file().ok_or(error)?,
            Err(error) => return Err(error),
        };
        client.shutdown(&Shutdown::default()).await?;
        Ok::<_, ClientError>(pid)
    };
    let pid = match asked.await {
        Ok(pid) => pid,
        Err(error) if error.is_not_reachable() => {
            context.output.told("No daemon runs.")?;
            return Ok(None);
        }
        Err(error) => return Err(anyhow::Error::new(error)),
    };
    wait_until_gone(context, &client, pid).await?;
    context
        .output
        .told(format_args!("Stopped the daemon (process {pid})."))?;
    Ok(Some(pid))
}

async fn wait_until_gone(context: &Context, client: &Client, pid: u32) -> anyhow::Result<()> {
    let deadline = Instant::now() + STOP_LIMIT;
    loop {
        let answers = match client.daemon().await {
            Ok(now) => now.pid == pid,
            Err(_) => false,
        };
        // Its process holds the state folder's lock until its very end.
        let lives = !context.has_fixed_address() && is_alive(pid);
        if !answers && !lives {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let text = format!(
                "the daemon (process {pid}) was asked to stop and has not after {} s; \
                 `clown daemon logs` may say why",
                STOP_LIMIT.as_secs()
            );
            return Err(Failure::new(FAILED, text).into());
        }
        sleep(POLL_PAUSE).await;
    }
}

/// Whether a process of this number exists. A zombie has ended: only its parent is late.
fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    let is_zombie = || stat_field(pid, 3).is_some_and(|state| state == "Z");
    test_kill_process(pid) != Err(Errno::SRCH) && !is_zombie()
}
