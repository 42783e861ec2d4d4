use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A provider of models. Never holds a secret.
///
/// ```
/// let provider: clown_api::Provider = serde_json::from_str(
///     r#"{"id":"self","name":"The agent's own login","endpoints":[],"models":[],"key_required":false}"#,
/// )?;
/// assert_eq!(provider.id, "self");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The manifest's id.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// Where it can be reached; empty for `self`.
    pub endpoints: Vec<Endpoint>,
    /// The endpoint that is used when a profile names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_endpoint: Option<String>,
    /// The variable in which people usually keep its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// Whether a profile needs a key.
    pub key_required: bool,
    /// The model that is used when a profile names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
    /// Models that it is known to have; others work too.
    pub models: Vec<String>,
}

/// One address of a provider.
///
/// ```
/// let endpoint: clown_api::Endpoint =
///     serde_json::from_str(r#"{"id":"eu","urls":{"openai-chat":"https://eu.example/v1"}}"#)?;
/// assert_eq!(endpoint.urls["openai-chat"], "https://eu.example/v1");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The id that a profile's `endpoint_id` names.
    pub id: String,
    /// Base address by request format (`anthropic-messages`, `openai-responses`, `openai-chat`, `gemini`).
    pub urls: BTreeMap<String, String>,
}
