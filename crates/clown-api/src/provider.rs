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
    /// The same models, with what is known of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_details: Vec<Model>,
    /// What the variables that addresses name in braces stand for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placeholders: Vec<Placeholder>,
    /// Whether nobody but a registry knows it: neither is it built in, nor is there a manifest of
    /// one's own. A key is then used only where one is given in so many words.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_registry: bool,
}

/// A model of a provider.
///
/// ```
/// let model: clown_api::Model = serde_json::from_str(r#"{"id":"m","context":200000}"#)?;
/// assert_eq!(model.context, Some(200_000));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// As the provider calls it.
    pub id: String,
    /// How many tokens fit into it at once, in and out together, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
}

/// A variable in an endpoint's address. A profile gives its value in `env`.
///
/// ```
/// let text = r#"{"variable":"AWS_REGION","about":"an AWS region","example":"us-east-1"}"#;
/// let placeholder: clown_api::Placeholder = serde_json::from_str(text)?;
/// assert_eq!(placeholder.variable, "AWS_REGION");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placeholder {
    /// Its name, as it stands in braces.
    pub variable: String,
    /// What it is, for people.
    pub about: String,
    /// A value as it may look.
    pub example: String,
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
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Base address by request format (`anthropic-messages`, `openai-responses`, `openai-chat`, `gemini`).
    pub urls: BTreeMap<String, String>,
}
