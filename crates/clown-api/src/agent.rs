use serde::{Deserialize, Serialize};

/// A coding agent that Clown knows, installed or not.
///
/// ```
/// let agent: clown_api::Agent = serde_json::from_str(
///     r#"{"id":"claude","name":"Claude Code","installed":false,"profiles":["work"]}"#,
/// )?;
/// assert!(agent.version.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The manifest's id.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// Whether its program was found.
    pub installed: bool,
    /// What its version command told; `unknown` when it told nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where its program is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_path: Option<String>,
    /// Aliases of the profiles that use it.
    pub profiles: Vec<String>,
    /// How it is installed, where the manifest says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_hint: Option<String>,
    /// Its hooks; left out if a profile can set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<AgentHooks>,
}

/// How a profile's hooks are written for an agent.
///
/// ```
/// let hooks: clown_api::AgentHooks =
///     serde_json::from_str(r#"{"form":"groups","events":["Stop"]}"#)?;
/// assert_eq!(hooks.events, ["Stop"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHooks {
    /// `groups`: by event, a list of `{"matcher"?, "hooks":[{"type":"command","command"}]}`; or
    /// `own`: another form, which Clown does not write by itself.
    pub form: String,
    /// The events that the agent knows; empty if that is not known.
    pub events: Vec<String>,
}

/// A manifest of a person's own (`agents.d`, `providers.d`) or a profile's file that cannot be used.
///
/// ```
/// let problem: clown_api::CatalogueProblem =
///     serde_json::from_str(r#"{"path":"/c/agents.d/x.toml","message":"unknown member"}"#)?;
/// assert!(problem.line.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueProblem {
    /// The file.
    pub path: String,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}
