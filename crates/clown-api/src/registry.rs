use crate::CatalogueProblem;
use clown_events::Timestamp;
use serde::{Deserialize, Serialize};

/// The registry in use: `GET /api/v1/registry`.
///
/// ```
/// let registry: clown_api::Registry = serde_json::from_str(
///     r#"{"channel":"stable","commit":"5d41402abc4b2a76b9719d911017c5925d41402a","signature":"built_in",
///         "artifacts":{"agents":4,"providers":5,"templates":0,"prices":0},"syncing":false,"kept":[],"problems":[]}"#,
/// )?;
/// assert_eq!(registry.signature, clown_api::RegistrySignature::BuiltIn);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Where it is; missing where the built-in set is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The channel that is followed.
    pub channel: String,
    /// The commit in use: 40 hex digits that follow from what it holds.
    pub commit: String,
    /// Its number in the channel; missing for the built-in set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// When it was built; missing for the built-in set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Who vouches for it.
    pub signature: RegistrySignature,
    /// The commit that stays in use; missing where none is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// How many artifacts it has of each kind.
    pub artifacts: RegistryArtifacts,
    /// Whether a sync is under way.
    pub syncing: bool,
    /// When a sync last ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Timestamp>,
    /// How the last sync failed; missing where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<RegistryFailure>,
    /// Commits on this disk, the one that was fetched last first.
    pub kept: Vec<KeptCommit>,
    /// What of it people's own files replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<ReplacedArtifact>,
    /// What of it cannot be used.
    pub problems: Vec<CatalogueProblem>,
}

/// An artifact of a registry in whose place a person's own file is used.
///
/// ```
/// let replaced: clown_api::ReplacedArtifact =
///     serde_json::from_str(r#"{"kind":"agent","id":"claude","path":"/home/me/.config/clown/agents.d/claude.toml"}"#)?;
/// assert_eq!(replaced.id, "claude");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedArtifact {
    /// `agent`, `provider` or `template`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The person's own file.
    pub path: String,
}

/// Who vouches for a registry.
///
/// ```
/// assert_eq!(serde_json::to_string(&clown_api::RegistrySignature::NotSigned)?, r#""not_signed""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrySignature {
    /// It came with Clown.
    BuiltIn,
    /// It is signed with the key that the configuration names.
    Verified,
    /// Nobody but the place that it came from.
    NotSigned,
}

/// Counts in [`Registry`].
///
/// ```
/// let counts = clown_api::RegistryArtifacts { agents: 4, providers: 5, templates: 0, prices: 0 };
/// assert_eq!(counts.agents, 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryArtifacts {
    /// Manifests of agents.
    pub agents: u64,
    /// Manifests of providers.
    pub providers: u64,
    /// Templates of profiles.
    pub templates: u64,
    /// Prices of models.
    pub prices: u64,
}

/// A failure in [`Registry`].
///
/// ```
/// let failure: clown_api::RegistryFailure =
///     serde_json::from_str(r#"{"at":"2026-01-08T10:30:00Z","error":"the host is away"}"#)?;
/// assert_eq!(failure.error, "the host is away");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryFailure {
    /// When.
    pub at: Timestamp,
    /// Why, and what is in use, for people.
    pub error: String,
}

/// A commit that is on this disk.
///
/// ```
/// let kept: clown_api::KeptCommit = serde_json::from_str(
///     r#"{"commit":"5d41402abc4b2a76b9719d911017c5925d41402a","channel":"stable","serial":7,
///         "created_at":"2026-01-08T10:30:00Z","fetched_at":"2026-01-08T11:00:00Z"}"#,
/// )?;
/// assert_eq!(kept.serial, 7);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCommit {
    /// The commit.
    pub commit: String,
    /// Its channel.
    pub channel: String,
    /// Its number in the channel.
    pub serial: u64,
    /// When it was built.
    pub created_at: Timestamp,
    /// When it was fetched last.
    pub fetched_at: Timestamp,
}

/// The body of `POST /api/v1/registry/sync`.
///
/// ```
/// assert_eq!(serde_json::to_string(&clown_api::SyncRegistry::default())?, "{}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncRegistry {
    /// The channel to follow from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Whether everything is fetched anew, and an older index is taken too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
    /// Whether nothing is fetched, and what is kept is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<bool>,
}

/// The body of `PUT /api/v1/registry/pin`.
///
/// ```
/// let pin = clown_api::PinRegistry { commit: "5d41402".to_owned() };
/// assert_eq!(serde_json::to_string(&pin)?, r#"{"commit":"5d41402"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinRegistry {
    /// 7 to 40 digits of one that is kept, or all 40 of one that is to be fetched.
    pub commit: String,
}

/// What came of a sync, a pin or its end.
///
/// ```
/// let synced: clown_api::SyncedRegistry = serde_json::from_str(
///     r#"{"channel":"stable","commit":"5d41402abc4b2a76b9719d911017c5925d41402a","from_cache":true,
///         "artifacts_downloaded":0}"#,
/// )?;
/// assert!(synced.note.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncedRegistry {
    /// The channel.
    pub channel: String,
    /// The commit in use now.
    pub commit: String,
    /// The commit that was in use before; missing where it is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Whether what was kept was good enough.
    pub from_cache: bool,
    /// How many artifacts were downloaded.
    pub artifacts_downloaded: u64,
    /// What a person should know beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
