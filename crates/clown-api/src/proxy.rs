use clown_events::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a proxy instance stands.
///
/// ```
/// assert_eq!(serde_json::to_string(&clown_api::ProxyState::Running)?, r#""running""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyState {
    /// It accepts connections.
    Running,
    /// There is no process.
    Stopped,
}

/// The last that is known of a profile's proxy instance.
///
/// ```
/// let proxy: clown_api::Proxy = serde_json::from_str(
///     r#"{"profile":"work","state":"running","port":8081,"pid":12345,
///         "started_at":"2026-01-08T10:30:00Z"}"#,
/// )?;
/// assert_eq!(proxy.port, Some(8081));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxy {
    /// The alias of the profile that it serves.
    pub profile: String,
    /// Where it stands.
    pub state: ProxyState,
    /// The port it listens on, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its process, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The code of the last one that ended: 128+N for signal N, -1 when nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What last went wrong, while none has started since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the last one began to accept connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the last one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// Targets that have failed again and again, and are left alone for a while; only where one proxy
    /// is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ProxyTarget>,
}

/// A target that a proxy leaves alone for a while.
///
/// ```
/// let target: clown_api::ProxyTarget = serde_json::from_str(
///     r#"{"target":"gemini/gemini-2.5-pro","state":"open","seconds":12,"error":"529"}"#,
/// )?;
/// assert_eq!(target.state, "open");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyTarget {
    /// `provider/model`.
    pub target: String,
    /// `open`, or `half-open`: the next request tries it.
    pub state: String,
    /// For how many more seconds nobody asks it.
    pub seconds: u64,
    /// What went wrong last.
    pub error: String,
}

/// The body of `POST /api/v1/proxies/{alias}/explain`.
///
/// ```
/// let question: clown_api::ExplainRoute = serde_json::from_str(
///     r#"{"request":{"model":"claude-sonnet-5-5","messages":[]}}"#,
/// )?;
/// assert!(question.headers.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRoute {
    /// What an agent would send: the body of Messages, Chat Completions or Responses.
    pub request: serde_json::Value,
    /// The headers that it would send with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// What the rules of a profile make of a request.
///
/// ```
/// let explained: clown_api::RouteExplained =
///     serde_json::from_str(r#"{"targets":["anthropic/claude-sonnet-5-5"],"verdicts":[]}"#)?;
/// assert_eq!(explained.rule, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteExplained {
    /// The rule that takes it; missing where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Who answers: the first that can.
    pub targets: Vec<String>,
    /// What each rule makes of it, in the order in which they are asked.
    pub verdicts: Vec<RouteVerdict>,
}

/// What one rule makes of a request.
///
/// ```
/// let verdict: clown_api::RouteVerdict = serde_json::from_str(
///     r#"{"rule":"long","when":"tokens > 60000","holds":false,"seen":["tokens is 7"],"is_late":false}"#,
/// )?;
/// assert!(!verdict.holds);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteVerdict {
    /// The rule.
    pub rule: String,
    /// Its condition.
    pub when: String,
    /// Whether that holds.
    pub holds: bool,
    /// What it looked at.
    pub seen: Vec<String>,
    /// Whether it holds, and another rule was before it.
    pub is_late: bool,
}

/// The body of `POST /api/v1/proxies/{alias}/start` and `/restart`.
///
/// ```
/// assert_eq!(serde_json::to_string(&clown_api::StartProxy::default())?, "{}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartProxy {
    /// The process in whose environment a key in a variable is looked for first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli_pid: Option<u32>,
}

/// A request that a proxy has taken. Neither what was asked nor what was answered is in it.
///
/// ```
/// let request: clown_api::ProxyRequest = serde_json::from_str(
///     r#"{"id":"19b9d3a8a40-00000000-8c2f6d1e","at":"2026-01-08T10:30:00Z","agent":"claude",
///         "provider":"anthropic","format":"anthropic-messages","path":"/v1/messages",
///         "model":"claude-sonnet-5-5","streamed":true,"status":200,"duration_ms":1800}"#,
/// )?;
/// assert_eq!(request.status, Some(200));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyRequest {
    /// Its own id; later ones of one proxy are greater.
    pub id: String,
    /// When it came.
    pub at: Timestamp,
    /// The profile's agent.
    pub agent: String,
    /// Who was asked.
    pub provider: String,
    /// The rule that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How it was asked, such as `anthropic-messages`.
    pub format: String,
    /// Where it was asked, without parameters.
    pub path: String,
    /// The agent's own name for the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_used: Option<String>,
    /// The provider's id of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Whether the answer came as a stream of events.
    pub streamed: bool,
    /// The status that the agent got; missing if it left before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Until the answer's first byte, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// All of it, in milliseconds.
    pub duration_ms: u64,
    /// What was used; missing where the provider has not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<ProxyTokens>,
    /// What went wrong, as a word such as `client_left`; missing where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Tokens of a [`ProxyRequest`], by what they cost.
///
/// ```
/// let tokens: clown_api::ProxyTokens =
///     serde_json::from_str(r#"{"input":9,"output":5,"cache_write":0,"cache_write_hour":0,"cache_read":0}"#)?;
/// assert_eq!(tokens.output, 5);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyTokens {
    /// Of the prompt, without those that went to or came from a cache.
    pub input: u64,
    /// Of the answer, with what the model thought.
    pub output: u64,
    /// Put into the cache for the provider's usual time.
    pub cache_write: u64,
    /// Put into the cache for an hour.
    pub cache_write_hour: u64,
    /// Taken from the cache.
    pub cache_read: u64,
}
