//! Runs: agents that somebody started under a profile, from the wish until the exit code.
//!
//! Whoever starts an agent (the caller) asks for a run first, reports the agent's process, and
//! reports its code. All three can fail to happen, since each process can be killed at any moment;
//! so both processes are watched, the caller leaves a record on the disk, and the kernel is asked.
//! Every run that was told to have started is told to have stopped, once.

mod error;
mod record;
mod rows;
mod transition;
mod watch;

pub use error::RunError;
pub use rows::{Run, RunState, list_in, open_in, unfinished_in};

use crate::Alias;
use crate::process::{ProcessHandle, ProcessIdentity, boot_id, is_ours};
use crate::store::{Store, Tx};
use clown_events::{ProfileStarted, ProfileStopped, Timestamp};
use record::ExitRecord;
use rows::Row;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use transition::{Closing, Ending, Observed, Report, Starting, Verdict};
use watch::{Processes, Watch};

/// The service.
#[derive(Debug)]
pub struct Runs {
    inner: Arc<Inner>,
    watch: Watch,
}

#[derive(Debug)]
struct Inner {
    store: Arc<Store>,
    records: PathBuf,
    boot: String,
}

/// What a run will be.
pub struct PrepareInput {
    /// The profile.
    pub alias: Alias,
    /// The process that will start the agent.
    pub cli_pid: u32,
    /// The agent's program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Changes to the caller's environment; none means unset.
    pub env: BTreeMap<String, Option<String>>,
    /// The folder to start in.
    pub working_dir: PathBuf,
}

/// What to start.
#[derive(Clone)]
pub struct PreparedRun {
    /// The run's id, for the reports.
    pub run_id: String,
    /// The agent's program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Changes to the caller's environment; none means unset.
    pub env: BTreeMap<String, Option<String>>,
    /// The folder to start in.
    pub working_dir: PathBuf,
}

impl Runs {
    /// Runs whose callers leave their records in the folder `records`. Call [`Runs::recover`]
    /// before anything is asked of it.
    pub fn new(store: Arc<Store>, records: PathBuf) -> Result<Self, RunError> {
        record::prepare_folder(&records)?;
        let inner = Arc::new(Inner {
            store,
            records,
            boot: boot_id().map_err(RunError::System)?,
        });
        let watch = Watch::start(Arc::clone(&inner)).map_err(RunError::System)?;
        Ok(Self { inner, watch })
    }

    /// Takes up what an earlier daemon left: watches the runs that go on, and closes those that
    /// ended meanwhile.
    pub fn recover(&self) -> Result<(), RunError> {
        for run in self.inner.store.read(unfinished_in)? {
            let Some(row) = self.inner.row(&run.id)? else {
                continue;
            };
            let here = row.boot == self.inner.boot;
            let open = |identity| match here {
                true => ProcessHandle::open(identity).map_err(RunError::System),
                false => Ok(None),
            };
            let processes = Processes {
                cli: open(row.cli)?.map(Arc::new),
                agent: match row.agent {
                    Some(agent) => open(agent)?.map(Arc::new),
                    None => None,
                },
            };
            self.watch.settle_or_retry(&run.id, processes);
        }
        record::clear_old(&self.inner.records, |id| {
            Ok(self.inner.row(id)?.map(|row| row.run.state.is_open()))
        })
    }

    /// Records that `input.cli_pid` is about to start an agent.
    pub fn prepare(&self, input: PrepareInput) -> Result<PreparedRun, RunError> {
        let PrepareInput {
            alias,
            cli_pid,
            program,
            args,
            mut env,
            working_dir,
        } = input;
        let no_caller = || RunError::NoCaller { pid: cli_pid };
        let caller = ProcessIdentity::of(cli_pid).filter(|_| is_ours(cli_pid));
        let caller = caller
            .filter(ProcessIdentity::is_alive)
            .ok_or_else(no_caller)?;
        let handle = ProcessHandle::open(caller).map_err(RunError::System)?;
        let handle = handle.ok_or_else(no_caller)?;

        let run_id = new_id();
        let (id, boot, profile) = (run_id.clone(), self.inner.boot.clone(), alias.clone());
        self.inner
            .store
            .commit(move |tx| rows::insert(tx, &id, &profile, caller, &boot, tx.now()))?;
        let processes = Processes {
            cli: Some(Arc::new(handle)),
            agent: None,
        };
        self.watch.settle_or_retry(&run_id, processes);
        env.insert("CLOWN_RUN_ID".to_owned(), Some(run_id.clone()));
        env.insert("CLOWN_PROFILE".to_owned(), Some(alias.to_string()));
        Ok(PreparedRun {
            run_id,
            program,
            args,
            env,
            working_dir,
        })
    }

    /// The agent of a run is the process `pid`. Saying it again changes nothing.
    pub fn started(&self, id: &str, pid: u32) -> Result<Run, RunError> {
        // A report that comes again may come when the process is gone.
        let agent = ProcessIdentity::of(pid).filter(|_| is_ours(pid));
        let handle = match agent {
            Some(agent) => ProcessHandle::open(agent).map_err(RunError::System)?,
            None => None,
        };
        let agent = handle.as_ref().map(ProcessHandle::identity);
        let run_id = id.to_owned();
        let (run, is_news) = self.inner.store.commit(move |tx| {
            let row = rows::get(tx, &run_id)?.ok_or_else(|| RunError::NotFound(run_id.clone()))?;
            match transition::started(&row, pid)? {
                Report::Known => Ok((row.run, false)),
                Report::News => {
                    let agent = agent.ok_or(RunError::NoAgent { pid })?;
                    let started_at = tx.now();
                    start(tx, &row, &Starting { agent, started_at })?;
                    Ok::<_, RunError>((reread(tx, &run_id)?, true))
                }
            }
        })?;
        if is_news && let Some(handle) = handle {
            self.watch.add_agent(id, Arc::new(handle));
        }
        Ok(run)
    }

    /// The agent of a run has ended with this code; or the run is given up, if it never started.
    /// Saying it again changes nothing.
    pub fn exited(&self, id: &str, exit_code: i32) -> Result<Run, RunError> {
        // It knows better when that was, and who it was if nobody could be told at the time.
        let record = record::read(&self.inner.records, id)?;
        let run_id = id.to_owned();
        let run = self.inner.store.commit(move |tx| {
            let row = rows::get(tx, &run_id)?.ok_or_else(|| RunError::NotFound(run_id.clone()))?;
            let ended_at = record.as_ref().and_then(|record| record.ended_at);
            let ending = Ending {
                exit_code,
                ended_at,
            };
            match transition::exited(&row, record.as_ref())? {
                Closing::Known => {}
                Closing::End => end(tx, &row, &ending)?,
                Closing::StartAndEnd(starting) => start_and_end(tx, &row, &starting, &ending)?,
                Closing::Abandon => rows::abandon(tx, &row, tx.now())?,
            }
            reread(tx, &run_id)
        })?;
        self.watch.forget(id);
        record::remove(&self.inner.records, id);
        Ok(run)
    }

    /// All runs that are known, the latest first.
    pub fn list(&self) -> Result<Vec<Run>, RunError> {
        Ok(self.inner.store.read(list_in)?)
    }

    /// As [`Runs::list`], in a transaction that reads more.
    pub fn list_in(&self, connection: &Connection) -> Result<Vec<Run>, crate::store::StoreError> {
        list_in(connection)
    }

    /// How many runs of `alias` are prepared or running.
    pub fn running_count(&self, alias: &Alias) -> Result<u64, RunError> {
        Ok(self
            .inner
            .store
            .read(|connection| open_in(connection, alias))?)
    }

    /// How many runs are prepared or running.
    pub fn open_count(&self) -> Result<u64, RunError> {
        Ok(self.inner.store.read(rows::count_open)?)
    }
}

impl Inner {
    fn row(&self, id: &str) -> Result<Option<Row>, RunError> {
        Ok(self.store.read(|connection| rows::get(connection, id))?)
    }

    /// Finds out what became of a run and commits it. What is still held of its processes says
    /// who lives; the answer is whether the run goes on.
    fn settle(&self, id: &str, processes: &mut Processes) -> Result<bool, RunError> {
        // Somebody can report while the case is judged; then there is another case to judge. A
        // run has two steps to go, so this ends.
        loop {
            let Some(row) = self.row(id)? else {
                return Ok(false);
            };
            if !row.run.state.is_open() {
                return Ok(false);
            }
            let verdict = self.judge(&row, processes)?;
            if verdict == Verdict::Wait {
                return Ok(true);
            }
            let goes_on = matches!(verdict, Verdict::Start(_));
            if self.commit(&row, verdict)? {
                if !goes_on {
                    record::remove(&self.records, id);
                }
                return Ok(goes_on);
            }
        }
    }

    fn judge(&self, row: &Row, processes: &mut Processes) -> Result<Verdict, RunError> {
        let here = row.boot == self.boot;
        let record = record::read(&self.records, &row.run.id)?;
        let agent = row
            .agent
            .or_else(|| record.as_ref().and_then(ExitRecord::agent));
        if here
            && processes.agent.is_none()
            && let Some(agent) = agent
        {
            let held = ProcessHandle::open(agent).map_err(RunError::System)?;
            processes.agent = held.filter(|_| is_ours(agent.pid)).map(Arc::new);
        }
        let observed = Observed {
            cli_alive: is_alive(processes.cli.as_ref()),
            agent_alive: is_alive(processes.agent.as_ref()),
            record: record.as_ref(),
            kernel_code: processes.agent.as_ref().and_then(|agent| agent.exit_code()),
            // Nothing of an earlier boot has lived longer than that.
            latest_end: if here { None } else { latest_end() },
        };
        Ok(transition::judge(row, &observed))
    }

    /// Changes a run that is still as it was when its case was judged. False when it is not.
    fn commit(&self, judged: &Row, verdict: Verdict) -> Result<bool, RunError> {
        let (id, state) = (judged.run.id.clone(), judged.run.state);
        self.store.commit(move |tx| {
            let row = match rows::get(tx, &id)? {
                Some(row) if row.run.state == state => row,
                _ => return Ok(false),
            };
            match verdict {
                Verdict::Wait => {}
                Verdict::Start(starting) => start(tx, &row, &starting)?,
                Verdict::StartAndEnd(starting, ending) => {
                    start_and_end(tx, &row, &starting, &ending)?;
                }
                Verdict::End(ending) => end(tx, &row, &ending)?,
                Verdict::Abandon => rows::abandon(tx, &row, tx.now())?,
            }
            Ok(true)
        })
    }
}

fn is_alive(process: Option<&Arc<ProcessHandle>>) -> bool {
    process.is_some_and(|process| !process.has_ended())
}

fn latest_end() -> Option<Timestamp> {
    Timestamp::from_unix_millis(crate::process::booted_at()?).ok()
}

fn start(tx: &mut Tx<'_>, row: &Row, starting: &Starting) -> Result<(), RunError> {
    rows::start(tx, row, starting)?;
    tx.publish(ProfileStarted::new(
        row.run.profile.as_str(),
        starting.agent.pid,
    ));
    Ok(())
}

fn end(tx: &mut Tx<'_>, row: &Row, ending: &Ending) -> Result<(), RunError> {
    let started_at = row.run.started_at.unwrap_or(tx.now());
    // A clock that was set back makes no run shorter than nothing.
    let ended_at = ending.ended_at.unwrap_or(tx.now()).max(started_at);
    rows::end(tx, row, ending.exit_code, ended_at)?;
    let millis = ended_at.unix_millis() - started_at.unix_millis();
    let seconds = u64::try_from(millis / 1000).unwrap_or(0);
    tx.publish(ProfileStopped::new(
        row.run.profile.as_str(),
        ending.exit_code,
        seconds,
    ));
    Ok(())
}

fn start_and_end(
    tx: &mut Tx<'_>,
    row: &Row,
    starting: &Starting,
    ending: &Ending,
) -> Result<(), RunError> {
    start(tx, row, starting)?;
    let mut started = row.clone();
    started.run.started_at = Some(starting.started_at);
    end(tx, &started, ending)
}

fn reread(tx: &Tx<'_>, id: &str) -> Result<Run, RunError> {
    let row = rows::get(tx, id)?.ok_or_else(|| RunError::NotFound(id.to_owned()))?;
    Ok(row.run)
}

/// Ids sort by time; the rest keeps apart what begins in the same millisecond.
fn new_id() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!(
        "{:011x}-{:08x}",
        Timestamp::now().unix_millis(),
        hasher.finish() >> 32
    )
}

/// Names of variables only: values can be keys.
impl fmt::Debug for PreparedRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PreparedRun")
            .field("run_id", &self.run_id)
            .field("program", &self.program)
            .field("working_dir", &self.working_dir)
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}

/// Names of variables only: values can be keys.
impl fmt::Debug for PrepareInput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrepareInput")
            .field("alias", &self.alias)
            .field("cli_pid", &self.cli_pid)
            .field("program", &self.program)
            .field("working_dir", &self.working_dir)
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
