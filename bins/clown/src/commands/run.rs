use super::plan;
use crate::context::Context;
use crate::failure::FAILED;
use crate::output::note;
use crate::process::{self, ExitRecord, Forwarding, Gated, NotLetGo, Terminal};
use anyhow::Context as _;
use clap::Args;
use clown_api::{ExitedRun, PrepareRun, PreparedRun, StartedRun};
use clown_client::{Client, ClientError};
use rustix::process::Pid;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    pub(crate) alias: String,
    /// Show what would be set, written and started, with secrets masked, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Arguments for the agent, behind the profile's own
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<OsString>,
}

/// A command that prints the profile's key may take 30 s.
const PREPARE_LIMIT: Duration = Duration::from_secs(45);
/// How often it is asked for.
const PREPARE_TRIES: u32 = 3;
/// How long an agent waits at the gate for a daemon that is gone.
const STARTED_LIMIT: Duration = Duration::from_secs(5);
/// How long this program stays for a daemon that is gone, when the agent has ended.
const EXITED_LIMIT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// Runs the profile's agent in this terminal and folder. The exit code is the agent's.
pub(crate) async fn run(context: &Context, args: RunArgs) -> anyhow::Result<ExitCode> {
    if args.dry_run {
        return dry_run(context, &args).await;
    }
    let request = PrepareRun {
        // The agent's arguments stay here, to be put behind the profile's: they may be long, or be
        // no text, or hold what nobody else has to know.
        args: Vec::new(),
        cwd: plan::here()?,
        path: std::env::var_os("PATH")
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        cli_pid: std::process::id(),
    };
    let (client, prepared) = prepare(context, &args.alias, &request).await?;
    let report = Report {
        context,
        client: client.with_time_limit(EXITED_LIMIT),
        run_id: &prepared.run_id,
    };

    let terminal = Terminal::remember();
    let signals = Forwarding::start().context("cannot catch signals")?;
    let command = command(&prepared, &args.args, &request.cwd);
    let gated = match process::start_behind_gate(command) {
        Ok(gated) => gated,
        Err(error) => return Ok(no_child(&prepared, &error)),
    };
    let agent = pid_of(&gated)?;
    let mut record = ExitRecord::new(&context.places.state_dir, &prepared.run_id, agent);
    if let Err(refused) = report.started(gated.pid(), &record).await {
        gated.turn_back();
        return Err(refused).context("the agent was not started");
    }
    let code = match signals.let_go(gated, agent) {
        Ok(()) => {
            let code = follow(agent).await?;
            terminal.restore();
            record.end(code);
            write(&record);
            // Not before: until now the system could have told the daemon the code.
            signals.reap(agent);
            code
        }
        Err(not) => {
            let code = not_let_go(&not, &prepared);
            record.end(code);
            write(&record);
            code
        }
    };
    Ok(report.exited(code, &record).await)
}

/// Shows the run. The exit code is 1 if it could not start.
async fn dry_run(context: &Context, args: &RunArgs) -> anyhow::Result<ExitCode> {
    let client = context.daemon().await?;
    let mut plan = client.plan_run(&args.alias, &plan::request()?).await?;
    // The run's own stay here, as they do in a run.
    let own = args
        .args
        .iter()
        .map(|word| word.to_string_lossy().into_owned());
    plan.args.extend(own);
    plan::show(context, &plan)?;
    let can_start = plan.problems.is_empty();
    Ok(if can_start {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// Asks for the run. When the daemon goes away meanwhile it is asked again, since what was prepared
/// and never started is nothing to anybody.
async fn prepare(
    context: &Context,
    alias: &str,
    request: &PrepareRun,
) -> anyhow::Result<(Client, PreparedRun)> {
    let mut tries = PREPARE_TRIES;
    loop {
        tries -= 1;
        let client = context.daemon().await?;
        let asking = client.clone().with_time_limit(PREPARE_LIMIT);
        match asking.prepare_run(alias, request).await {
            Ok(prepared) => return Ok((client, prepared)),
            Err(error) if tries > 0 && has_gone(&error) => sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the daemon has gone away, or is about to.
fn has_gone(error: &ClientError) -> bool {
    matches!(error, ClientError::Broken { .. })
        || error.is_not_reachable()
        || error.code() == Some("stopping")
}

fn command(prepared: &PreparedRun, args: &[OsString], here: &str) -> Command {
    let mut command = Command::new(&prepared.program);
    command.args(&prepared.args).args(args);
    if prepared.working_dir != here {
        command.current_dir(&prepared.working_dir);
        command.env("PWD", &prepared.working_dir);
    }
    for (name, value) in &prepared.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn pid_of(gated: &Gated) -> anyhow::Result<Pid> {
    let pid = i32::try_from(gated.pid()).ok().and_then(Pid::from_raw);
    pid.context("the agent's process has no number")
}

fn not_let_go(not: &NotLetGo, prepared: &PreparedRun) -> i32 {
    match not {
        NotLetGo::Signal(signal) => 128 + signal,
        NotLetGo::NoProgram(error) => {
            let program = &prepared.program;
            if is_interpreter_missing(program, error) {
                note(format_args!(
                    "clown: cannot start {program}: the interpreter that its first line names is not there"
                ));
                return 126;
            }
            note(format_args!("clown: cannot start {program}: {error}"));
            code_of(error)
        }
    }
}

/// The system says of the script what is true of its interpreter.
fn is_interpreter_missing(program: &str, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound && Path::new(program).is_file()
}

/// As shells tell what they cannot run.
fn code_of(error: &io::Error) -> i32 {
    match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    }
}

/// Nothing was reported yet, and nothing has to be.
fn no_child(prepared: &PreparedRun, error: &io::Error) -> ExitCode {
    if Path::new(&prepared.working_dir).is_dir() {
        note(format_args!(
            "clown: cannot start {}: {error}",
            prepared.program
        ));
    } else {
        let folder = &prepared.working_dir;
        note(format_args!(
            "clown: cannot start the agent in {folder}: {error}"
        ));
    }
    exit_code(code_of(error))
}

/// Waits for the agent's end on a thread of its own.
async fn follow(agent: Pid) -> anyhow::Result<i32> {
    let waited = tokio::task::spawn_blocking(move || process::wait(agent)).await;
    waited
        .map_err(io::Error::from)
        .flatten()
        .context("cannot wait for the agent")
}

fn write(record: &ExitRecord) {
    if let Err(error) = record.write() {
        note(format_args!(
            "clown: the exit code cannot be written down for the daemon: {error}"
        ));
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// Tells the daemon.
struct Report<'a> {
    context: &'a Context,
    client: Client,
    run_id: &'a str,
}

impl Report<'_> {
    /// The agent has its number. A daemon that is gone is waited for, or started; if it does not
    /// come, the record will tell. An error only if the daemon refuses.
    async fn started(&self, pid: u32, record: &ExitRecord) -> anyhow::Result<()> {
        let deadline = Instant::now() + STARTED_LIMIT;
        let report = StartedRun { pid };
        loop {
            match self.client.run_started(self.run_id, report).await {
                Ok(()) => return Ok(()),
                Err(error) if is_refusal(&error) => return Err(error.into()),
                Err(_) if Instant::now() >= deadline => break,
                Err(_) => {}
            }
            // Whether it can be had is seen when it is asked again.
            let _ = timeout_at(deadline, self.context.daemon()).await;
            sleep(PAUSE).await;
        }
        write(record);
        // A daemon that was started meanwhile has perhaps not seen the record.
        match self.client.run_started(self.run_id, report).await {
            Err(error) if is_refusal(&error) => {
                record.remove();
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    /// The agent has ended; its code is on the disk.
    async fn exited(&self, code: i32, record: &ExitRecord) -> ExitCode {
        let deadline = Instant::now() + EXITED_LIMIT;
        let report = ExitedRun { exit_code: code };
        let answer = loop {
            let answer = self.client.run_exited(self.run_id, report).await;
            match &answer {
                Err(error) if !is_refusal(error) && Instant::now() < deadline => sleep(PAUSE).await,
                _ => break answer,
            }
        };
        match answer {
            Ok(()) => record.remove(),
            Err(error) if is_refusal(&error) => {
                record.remove();
                note(format_args!(
                    "clown: the daemon does not take the exit code: {error}"
                ));
            }
            Err(_) => {
                note(
                    "clown: the daemon is away; it will hear of this run's end when it runs again",
                );
            }
        }
        exit_code(code)
    }
}

/// Whether asking again cannot help.
fn is_refusal(error: &ClientError) -> bool {
    matches!(error, ClientError::Problem(problem) if (400..500).contains(&problem.status))
}
