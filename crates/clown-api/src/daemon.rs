use clown_events::Timestamp;
use serde::{Deserialize, Serialize};

/// The daemon, as `GET /api/v1/daemon` and the snapshot tell it.
///
/// ```
/// let daemon: clown_api::Daemon = serde_json::from_str(
///     r#"{"version":"0.1.0","pid":1,"address":"127.0.0.1:8765","started_at":"2026-01-08T10:30:00Z",
///         "uptime_secs":5,"counts":{"connections":1,"profiles":2,"agents":1,"runs":0},"problems":[]}"#,
/// )?;
/// assert_eq!(daemon.counts.profiles, 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub address: String,
    /// When it began to serve.
    pub started_at: Timestamp,
    /// Whole seconds since then.
    pub uptime_secs: u64,
    /// How much of each there is.
    pub counts: Counts,
    /// Files of people that cannot be used, and what is wrong with them.
    pub problems: Vec<crate::CatalogueProblem>,
}

/// Counts in [`Daemon`].
///
/// ```
/// let counts = clown_api::Counts { connections: 1, profiles: 2, agents: 3, runs: 0 };
/// assert_eq!(counts.agents, 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Open event streams.
    pub connections: u64,
    /// Profiles.
    pub profiles: u64,
    /// Agents that are installed.
    pub agents: u64,
    /// Runs whose process exists.
    pub runs: u64,
}

/// The body of `POST /api/v1/daemon/shutdown`.
///
/// ```
/// assert_eq!(serde_json::to_string(&clown_api::Shutdown::default())?, "{}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// Why: `requested` (the default) or `update`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The file `daemon.json` in the state folder, by which clients find the daemon.
///
/// ```
/// let found: clown_api::DaemonFile = serde_json::from_str(
///     r#"{"pid":1,"address":"127.0.0.1:8765","version":"0.1.0","started_at":"2026-01-08T10:30:00Z"}"#,
/// )?;
/// assert_eq!(found.address, "127.0.0.1:8765");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonFile {
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub address: String,
    /// Its version.
    pub version: String,
    /// When it began to serve.
    pub started_at: Timestamp,
}
