mod install;
mod logs;

use crate::context::Context;
use crate::event::words;
use crate::failure::{FAILED, Failure, NOT_REACHABLE};
use crate::output::{Output, note};
use crate::table::printable;
use clap::Subcommand;
use clown_api::{CatalogueProblem, Daemon, Shutdown};
use clown_client::{Client, ClientError};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the daemon may take to stop. It closes connections and its database.
const STOP_LIMIT: Duration = Duration::from_secs(15);

const POLL_PAUSE: Duration = Duration::from_millis(20);

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
        DaemonCommand::Stop => stop(context).await,
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
                context.output.json(&json!({"running": false}))?;
            }
            let text = format!("{error}; `clown daemon start` starts one");
            Err(Failure::new(NOT_REACHABLE, text).into())
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
        "  {} profiles, {} agents installed, {} running, {} listening",
        counts.profiles, counts.agents, counts.runs, counts.connections
    ))?;
    for problem in problems {
        note(format_args!("  {}", describe_problem(problem)));
    }
    Ok(())
}

/// A file that cannot be used, where in it, and what to do.
pub(crate) fn describe_problem(problem: &CatalogueProblem) -> String {
    let mut text = problem.path.clone();
    for place in [problem.line, problem.column].into_iter().flatten() {
        text.push_str(&format!(":{place}"));
    }
    printable(&format!("{text}: {}", problem.message))
}

/// Asks the daemon to stop and waits until it has. None running is what was wanted.
async fn stop(context: &Context) -> anyhow::Result<()> {
    let client = context.client();
    let asked = async {
        let daemon = client.daemon().await?;
        client.shutdown(&Shutdown::default()).await?;
        Ok(daemon)
    };
    let daemon: Daemon = match asked.await {
        Ok(daemon) => daemon,
        Err(error) if is_gone(&error) => {
            return context.output.told("No daemon runs.");
        }
        Err(error) => return Err(anyhow::Error::new(error)),
    };
    wait_until_gone(context, &client, &daemon).await?;
    context
        .output
        .told(format_args!("Stopped the daemon (process {}).", daemon.pid))
}

async fn wait_until_gone(
    context: &Context,
    client: &Client,
    daemon: &Daemon,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + STOP_LIMIT;
    loop {
        let answers = match client.daemon().await {
            Ok(now) => now.pid == daemon.pid,
            Err(_) => false,
        };
        // Its process holds the state folder's lock until its very end.
        let lives = !context.has_fixed_address() && is_alive(daemon.pid);
        if !answers && !lives {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let text = format!(
                "the daemon (process {}) was asked to stop and has not after {} s; \
                 `clown daemon logs` may say why",
                daemon.pid,
                STOP_LIMIT.as_secs()
            );
            return Err(Failure::new(FAILED, text).into());
        }
        sleep(POLL_PAUSE).await;
    }
}

fn is_gone(error: &ClientError) -> bool {
    error.is_not_reachable()
}

/// Whether a process of this number exists. A zombie has ended: only its parent is late.
fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The state stands behind the name, which may itself hold parentheses.
    !stat
        .rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('Z'))
}
