use clown_events::Timestamp;
use serde::{Deserialize, Serialize};

/// A key that Clown keeps under a name, for one provider; never its value.
///
/// ```
/// let key: clown_api::StoredKey =
///     serde_json::from_str(r#"{"name":"work","source":"keyring","profiles":[]}"#)?;
/// assert!(key.provider_id.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// Its name.
    pub name: String,
    /// The only provider that it is for; left out where no run has told yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// `keyring`, or `secrets` (the state folder's own 0600 file).
    pub source: String,
    /// Aliases of the profiles that refer to it.
    pub profiles: Vec<String>,
    /// When its value was last set, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_at: Option<Timestamp>,
}

/// The body of `PUT /api/v1/keys/{name}`.
///
/// ```
/// let request: clown_api::SetKey =
///     serde_json::from_str(r#"{"provider_id":"anthropic","value":"sk-1"}"#)?;
/// assert!(!format!("{request:?}").contains("sk-1"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetKey {
    /// The provider that it is for; needed for a new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// The key itself; stored, never given back.
    pub value: String,
}

impl std::fmt::Debug for SetKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SetKey")
            .field("provider_id", &self.provider_id)
            .finish_non_exhaustive()
    }
}
