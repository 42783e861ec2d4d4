use crate::KeyStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The body of `POST /api/v1/profiles/{alias}/plan`: what would a run do? At most one of `create`
/// and `patch` says what is to become of the profile first.
///
/// ```
/// let request: clown_api::PlanRun = serde_json::from_str(
///     r#"{"patch":{"model":"m"},"cwd":"/home/me","path":"/usr/bin","cli_pid":4711}"#,
/// )?;
/// assert!(request.create.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRun {
    /// The members of a new profile, as `POST /api/v1/profiles` takes them, without the alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<Map<String, Value>>,
    /// A merge patch, as `PATCH /api/v1/profiles/{alias}` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Map<String, Value>>,
    /// Arguments for the agent, behind the profile's own.
    #[serde(default)]
    pub args: Vec<String>,
    /// The caller's folder.
    pub cwd: String,
    /// The caller's `PATH`, on which the agent is looked for.
    pub path: String,
    /// The process whose variables the agent would get.
    pub cli_pid: u32,
}

impl std::fmt::Debug for PlanRun {
    // What is to be created can hold a key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PlanRun")
            .field("cwd", &self.cwd)
            .field("cli_pid", &self.cli_pid)
            .finish_non_exhaustive()
    }
}

/// What a run would set, write and start. Keys, and other values that may be secrets, are masked.
///
/// ```
/// let plan: clown_api::Plan = serde_json::from_str(
///     r#"{"alias":"work","files":[],"env":{"ANTHROPIC_API_KEY":"********"},"args":[],
///         "problems":[]}"#,
/// )?;
/// assert!(plan.program.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The profile.
    pub alias: String,
    /// What would change in the profile's own file; left out if nothing would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_file: Option<PlannedFile>,
    /// What would change in the agent's files.
    pub files: Vec<PlannedFile>,
    /// Changes to the caller's environment; null means unset.
    pub env: BTreeMap<String, Option<String>>,
    /// The program; left out if the agent is not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// The folder to start in; left out if there is no such folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Where the key would come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyStatus>,
    /// What would keep a run from starting.
    pub problems: Vec<String>,
}

/// A file that would be written.
///
/// ```
/// let file: clown_api::PlannedFile =
///     serde_json::from_str(r#"{"path":"/p/work.toml","new":true,"changes":[]}"#)?;
/// assert!(file.is_new);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// Its path.
    pub path: String,
    /// Whether there is none yet.
    #[serde(rename = "new")]
    pub is_new: bool,
    /// What would change in it.
    pub changes: Vec<PlannedChange>,
}

/// What would change at one place of a file.
///
/// ```
/// let change: clown_api::PlannedChange =
///     serde_json::from_str(r#"{"member":["model"],"after":"m"}"#)?;
/// assert_eq!(change.before, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// The names on the way to it.
    pub member: Vec<String>,
    /// What stands there; left out if nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What would stand there; left out if nothing would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The body of `POST /api/v1/profiles/{alias}/environment`.
///
/// ```
/// let request = clown_api::AskEnvironment { cli_pid: 4711 };
/// assert_eq!(serde_json::to_string(&request)?, r#"{"cli_pid":4711}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskEnvironment {
    /// The process whose variables are to be changed.
    pub cli_pid: u32,
}

/// What a run of a profile sets and unsets. It holds the key.
///
/// ```
/// let environment: clown_api::Environment =
///     serde_json::from_str(r#"{"env":{"OPENAI_API_KEY":null}}"#)?;
/// assert_eq!(environment.env["OPENAI_API_KEY"], None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Changes to the caller's environment; null means unset.
    pub env: BTreeMap<String, Option<String>>,
}

impl std::fmt::Debug for Environment {
    // Values of variables can be keys.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .finish()
    }
}
