use clown_events::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A profile: an agent bound to a provider, a model and a key.
///
/// ```
/// let profile: clown_api::Profile = serde_json::from_str(
///     r#"{"alias":"work","agent_id":"claude","provider_id":"anthropic","env":{},"args":[],
///         "created_at":"2026-01-08T10:30:00Z","updated_at":"2026-01-08T10:30:00Z"}"#,
/// )?;
/// assert!(profile.model.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The name, also the name of the profile's file.
    pub alias: String,
    /// The agent that runs.
    pub agent_id: String,
    /// The provider that answers the agent's requests.
    pub provider_id: String,
    /// Which of the provider's endpoints; the provider's default where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// The model; the provider's or the agent's default where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model of the agent's small, fast requests; its own choice where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_model: Option<String>,
    /// Variables that are set for the agent.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Arguments that stand before those of a run.
    #[serde(default)]
    pub args: Vec<String>,
    /// Where the agent starts; the caller's folder where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Where the key comes from; never the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyStatus>,
    /// Hooks in the agent's own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks_config: Option<Map<String, Value>>,
    /// Servers of the Model Context Protocol that the agent is to use, by name. Values of their
    /// variables and headers are masked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mcp_servers: BTreeMap<String, McpServer>,
    /// How the profile's proxy works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_config: Option<Map<String, Value>>,
    /// When the profile was first seen.
    pub created_at: Timestamp,
    /// When its definition last changed.
    pub updated_at: Timestamp,
    /// When a run of it last started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// What is wrong with the profile, where something is: it cannot run. With a line, its file does
    /// not parse, and the members above are the last good ones. Without one, they are what the file
    /// says, and something in them cannot be used, such as an agent that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<ProfileFault>,
}

/// A server of the Model Context Protocol: a program with `command`, or an address with `url`.
///
/// ```
/// let server: clown_api::McpServer =
///     serde_json::from_str(r#"{"command":"npx","args":["-y","some-server"]}"#)?;
/// assert!(server.url.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// The program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The program's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The program's variables. An answer masks their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Headers of each request to the address. An answer masks their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

impl std::fmt::Debug for McpServer {
    // Values of variables and headers can be secrets.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("McpServer")
            .field("command", &self.command)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Where a profile's key comes from, as far as it is told.
///
/// ```
/// let key: clown_api::KeyStatus = serde_json::from_str(r#"{"source":"env","set":true}"#)?;
/// assert!(key.set);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStatus {
    /// `env`, `command`, `file`, `keyring`, or `secrets` (the state folder's own 0600 file).
    pub source: String,
    /// Whether a key is there, as far as can be told without running a command.
    pub set: bool,
}

/// What is wrong with a profile's file.
///
/// ```
/// let fault: clown_api::ProfileFault =
///     serde_json::from_str(r#"{"path":"/p/work.toml","line":2,"message":"unknown member"}"#)?;
/// assert_eq!(fault.line, Some(2));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileFault {
    /// The file.
    pub path: String,
    /// Line, from 1, where the place is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column, from 1, where the place is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

/// How a key is given in a request. Exactly one member.
///
/// ```
/// let key = clown_api::KeyInput::Env("WORK_KEY".to_owned());
/// assert_eq!(serde_json::to_string(&key)?, r#"{"env":"WORK_KEY"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyInput {
    /// The key itself; stored, never given back.
    Value(String),
    /// The name of a variable of the environment that the run is started from.
    Env(String),
    /// A command whose first line of output is the key.
    Command(String),
    /// A file that holds the key.
    File(String),
    /// The name of a key that Clown keeps.
    Store(String),
}

impl std::fmt::Debug for KeyInput {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(_) => formatter.write_str("Value(…)"),
            Self::Env(name) => formatter.debug_tuple("Env").field(name).finish(),
            Self::Command(line) => formatter.debug_tuple("Command").field(line).finish(),
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
            Self::Store(name) => formatter.debug_tuple("Store").field(name).finish(),
        }
    }
}

/// The body of `POST /api/v1/profiles`. What is left out has the default that [`Profile`] names;
/// `provider_id` defaults to `self`, the agent's own login.
///
/// ```
/// let mut request = clown_api::CreateProfile::new("work", "claude");
/// request.model = Some("claude-sonnet-4-5".to_owned());
/// assert!(request.provider_id.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateProfile {
    /// The name.
    pub alias: String,
    /// The agent that runs.
    pub agent_id: String,
    /// The provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// One of the provider's endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model of small, fast requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_model: Option<String>,
    /// Variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Where the agent starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyInput>,
    /// Hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks_config: Option<Map<String, Value>>,
    /// Servers of the Model Context Protocol, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mcp_servers: BTreeMap<String, McpServer>,
    /// Proxy settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_config: Option<Map<String, Value>>,
}

impl CreateProfile {
    /// A request with nothing but the two required members.
    pub fn new(alias: impl Into<String>, agent_id: impl Into<String>) -> Self {
        Self {
            alias: alias.into(),
            agent_id: agent_id.into(),
            provider_id: None,
            endpoint_id: None,
            model: None,
            small_model: None,
            env: BTreeMap::new(),
            args: Vec::new(),
            working_dir: None,
            key: None,
            hooks_config: None,
            mcp_servers: BTreeMap::new(),
            proxy_config: None,
        }
    }
}
