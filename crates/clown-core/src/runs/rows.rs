//! The `runs` table. Nothing else knows its SQL.

use super::transition::Starting;
use crate::Alias;
use crate::process::ProcessIdentity;
use crate::store::StoreError;
use clown_events::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::time::Duration;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Asked for; no process is known.
    Prepared,
    /// The process exists, or nobody has told its code yet.
    Running,
    /// The process is gone.
    Exited,
    /// It never started: whoever asked for it is gone.
    Abandoned,
}

/// A run of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// The profile.
    pub profile: Alias,
    /// Where it stands.
    pub state: RunState,
    /// The agent's process.
    pub pid: Option<u32>,
    /// The agent's code, 128+N for signal N, -1 when nobody can tell.
    pub exit_code: Option<i32>,
    /// When it was asked for.
    pub prepared_at: Timestamp,
    /// When its process was there.
    pub started_at: Option<Timestamp>,
    /// When its process was gone.
    pub ended_at: Option<Timestamp>,
}

/// A run with what only this service needs.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub run: Run,
    pub cli: ProcessIdentity,
    pub agent: Option<ProcessIdentity>,
    pub boot: String,
}

impl RunState {
    /// Neither ended nor given up.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Prepared | Self::Running)
    }

    fn from_sql(text: &str) -> Option<Self> {
        match text {
            "prepared" => Some(Self::Prepared),
            "running" => Some(Self::Running),
            "exited" => Some(Self::Exited),
            "abandoned" => Some(Self::Abandoned),
            _ => None,
        }
    }
}

const COLUMNS: &str = "id, profile, state, cli_pid, cli_start, pid, pid_start, boot, exit_code, \
                       prepared_at, started_at, ended_at";

/// How many closed runs are kept.
const KEPT: i64 = 1_000;

/// All runs that are known, the latest first.
pub fn list_in(connection: &Connection) -> Result<Vec<Run>, StoreError> {
    list(connection, "")
}

/// The runs that are prepared or running, the latest first.
pub fn unfinished_in(connection: &Connection) -> Result<Vec<Run>, StoreError> {
    list(connection, "WHERE state IN ('prepared', 'running')")
}

fn list(connection: &Connection, only: &str) -> Result<Vec<Run>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs {only} ORDER BY prepared_at DESC, id DESC"
    ))?;
    let rows = statement.query_map([], read)?;
    rows.map(|row| Ok(row?.run)).collect()
}

/// How long a run that was asked for is waited for. It may still start after that, but holds
/// nothing back: whoever asked may have forgotten it.
const PREPARED_FOR: Duration = Duration::from_secs(10 * 60);

/// How many runs of `alias` are running, or prepared not long ago.
pub fn open_in(connection: &Connection, alias: &Alias) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM runs WHERE profile = ?2
               AND (state = 'running' OR (state = 'prepared' AND prepared_at > ?1))";
    count(connection, sql, &[&waited_since(), &alias.as_str()])
}

/// How many runs are running, or prepared not long ago.
pub(super) fn count_open(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM runs
               WHERE state = 'running' OR (state = 'prepared' AND prepared_at > ?1)";
    count(connection, sql, &[&waited_since()])
}

fn waited_since() -> i64 {
    let now = Timestamp::now().unix_millis();
    now - i64::try_from(PREPARED_FOR.as_millis()).unwrap_or(i64::MAX)
}

fn count(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let count: i64 = statement.query_row(parameters, |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// One run.
pub(super) fn get(connection: &Connection, id: &str) -> Result<Option<Row>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id], read)
        .optional()?)
}

/// Adds a run that is prepared.
pub(super) fn insert(
    connection: &Connection,
    id: &str,
    profile: &Alias,
    cli: ProcessIdentity,
    boot: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO runs (id, profile, state, cli_pid, cli_start, boot, prepared_at)
             VALUES (?1, ?2, 'prepared', ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            id,
            profile.as_str(),
            cli.pid,
            ticks(cli.start),
            boot,
            now.unix_millis()
        ])?;
    Ok(())
}

/// The run has started.
pub(super) fn start(
    connection: &Connection,
    row: &Row,
    starting: &Starting,
) -> Result<(), StoreError> {
    let started_at = starting.started_at.unix_millis();
    connection
        .prepare_cached(
            "UPDATE runs SET state = 'running', pid = ?2, pid_start = ?3, started_at = ?4
             WHERE id = ?1",
        )?
        .execute(params![
            row.run.id,
            starting.agent.pid,
            ticks(starting.agent.start),
            started_at
        ])?;
    connection
        .prepare_cached(
            "UPDATE profiles SET last_used = max(ifnull(last_used, ?2), ?2) WHERE alias = ?1",
        )?
        .execute(params![row.run.profile.as_str(), started_at])?;
    Ok(())
}

/// The run has ended.
pub(super) fn end(
    connection: &Connection,
    row: &Row,
    exit_code: i32,
    ended_at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE runs SET state = 'exited', exit_code = ?2, ended_at = ?3 WHERE id = ?1",
        )?
        .execute(params![row.run.id, exit_code, ended_at.unix_millis()])?;
    prune(connection)
}

/// The run never started.
pub(super) fn abandon(
    connection: &Connection,
    row: &Row,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE runs SET state = 'abandoned', ended_at = ?2 WHERE id = ?1")?
        .execute(params![row.run.id, now.unix_millis()])?;
    prune(connection)
}

/// Forgets all but the latest closed runs.
fn prune(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM runs WHERE ended_at < (
                 SELECT ended_at FROM runs WHERE ended_at IS NOT NULL
                 ORDER BY ended_at DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([KEPT - 1])?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let state: String = row.get(2)?;
    let profile: String = row.get(1)?;
    let pid: Option<u32> = row.get(5)?;
    let pid_start: Option<i64> = row.get(6)?;
    Ok(Row {
        run: Run {
            id: row.get(0)?,
            profile: profile.parse().map_err(|error| unreadable(1, error))?,
            state: RunState::from_sql(&state).ok_or(rusqlite::Error::InvalidQuery)?,
            pid,
            exit_code: row.get(8)?,
            prepared_at: time(9, Some(row.get(9)?))?.ok_or(rusqlite::Error::InvalidQuery)?,
            started_at: time(10, row.get(10)?)?,
            ended_at: time(11, row.get(11)?)?,
        },
        cli: identity(row.get(3)?, row.get(4)?),
        agent: pid.zip(pid_start).map(|(pid, start)| identity(pid, start)),
        boot: row.get(7)?,
    })
}

fn time(column: usize, millis: Option<i64>) -> rusqlite::Result<Option<Timestamp>> {
    let time = millis.map(Timestamp::from_unix_millis).transpose();
    time.map_err(|error| unreadable(column, error))
}

fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn identity(pid: u32, start: i64) -> ProcessIdentity {
    ProcessIdentity {
        pid,
        start: u64::try_from(start).unwrap_or(0),
    }
}

/// SQLite's integers are signed; no system has run for as many ticks as do not fit.
fn ticks(start: u64) -> i64 {
    i64::try_from(start).unwrap_or(i64::MAX)
}

#[cfg(test)]
impl Row {
    pub(super) fn for_test(state: RunState, pid: Option<u32>) -> Self {
        let zero = ProcessIdentity { pid: 0, start: 0 };
        Self {
            run: Run {
                id: "r".to_owned(),
                profile: "work".parse().expect("an alias"),
                state,
                pid,
                exit_code: None,
                prepared_at: Timestamp::now(),
                started_at: None,
                ended_at: None,
            },
            cli: zero,
            agent: pid.map(|pid| ProcessIdentity { pid, start: 70 }),
            boot: String::new(),
        }
    }
}
