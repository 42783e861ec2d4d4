use clown_events::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The body of `POST /api/v1/profiles/{alias}/runs`.
///
/// ```
/// let request: clown_api::PrepareRun = serde_json::from_str(
///     r#"{"args":["-p","hi"],"cwd":"/home/me","path":"/usr/bin","cli_pid":4711}"#,
/// )?;
/// assert_eq!(request.cli_pid, 4711);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareRun {
    /// Arguments for the agent, behind the profile's own.
    #[serde(default)]
    pub args: Vec<String>,
    /// The caller's folder.
    pub cwd: String,
    /// The caller's `PATH`, on which the agent is looked for.
    pub path: String,
    /// The process that will start the agent and report of it.
    pub cli_pid: u32,
}

/// What to start. The caller starts `program` as its own child.
///
/// ```
/// let run: clown_api::PreparedRun = serde_json::from_str(
///     r#"{"run_id":"r1","program":"/bin/claude","args":[],"env":{"OPENAI_API_KEY":null},
///         "working_dir":"/home/me"}"#,
/// )?;
/// assert_eq!(run.env["OPENAI_API_KEY"], None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedRun {
    /// The run's id, for the two reports.
    pub run_id: String,
    /// The program's path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Changes to the caller's environment; null means unset.
    pub env: BTreeMap<String, Option<String>>,
    /// The folder to start in.
    pub working_dir: String,
}

impl std::fmt::Debug for PreparedRun {
    // Values of variables can be keys.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PreparedRun")
            .field("run_id", &self.run_id)
            .field("program", &self.program)
            .field("working_dir", &self.working_dir)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The body of `POST /api/v1/runs/{id}/started`.
///
/// ```
/// let report = clown_api::StartedRun { pid: 12345 };
/// assert_eq!(serde_json::to_string(&report)?, r#"{"pid":12345}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartedRun {
    /// The agent's process.
    pub pid: u32,
}

/// The body of `POST /api/v1/runs/{id}/exited`.
///
/// ```
/// let report = clown_api::ExitedRun { exit_code: 128 + 15 };
/// assert_eq!(serde_json::to_string(&report)?, r#"{"exit_code":143}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExitedRun {
    /// The agent's code; 128+N when signal N ended it.
    pub exit_code: i32,
}

/// Where a run stands.
///
/// ```
/// assert_eq!(serde_json::to_string(&clown_api::RunState::Running)?, r#""running""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Asked for; the process is not reported yet.
    Prepared,
    /// The process exists.
    Running,
    /// The process is gone.
    Exited,
    /// Never started: whoever asked for it is gone.
    Abandoned,
}

/// A run of a profile.
///
/// ```
/// let run: clown_api::Run = serde_json::from_str(
///     r#"{"id":"r1","profile":"work","state":"prepared","prepared_at":"2026-01-08T10:30:00Z"}"#,
/// )?;
/// assert_eq!(run.state, clown_api::RunState::Prepared);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// The alias it runs under.
    pub profile: String,
    /// Where it stands.
    pub state: RunState,
    /// The agent's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The agent's code, 128+N for signal N, -1 when nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When it was asked for.
    pub prepared_at: Timestamp,
    /// When its process was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its process was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}
