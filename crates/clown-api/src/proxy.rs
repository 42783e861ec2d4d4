use clown_events::Timestamp;
use serde::{Deserialize, Serialize};

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
}
