use crate::KeyInput;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The body of `POST /api/v1/providers/{id}/check`. Every member may be left out.
///
/// ```
/// let request = clown_api::CheckProvider {
///     profile: Some("work".to_owned()),
///     ..clown_api::CheckProvider::default()
/// };
/// assert_eq!(serde_json::to_string(&request)?, r#"{"profile":"work"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckProvider {
    /// The profile whose endpoint, variables and key are used where no others are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// One of the provider's endpoints; its default if there is none here and in the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// Checks every endpoint; each gets the key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub all_endpoints: bool,
    /// The key to try. It is kept nowhere, and never given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyInput>,
    /// Values for the variables in addresses, before those of the profile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The process in whose environment a key may be, as for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli_pid: Option<u32>,
}

/// What a check of a provider found.
///
/// ```
/// let check: clown_api::ProviderCheck =
///     serde_json::from_str(r#"{"provider_id":"openai","well":true,"checks":[]}"#)?;
/// assert!(check.well);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderCheck {
    /// The provider.
    pub provider_id: String,
    /// Whether every address answers, and nothing is wrong with the key as far as that can be told.
    pub well: bool,
    /// Endpoint by endpoint, format by format.
    pub checks: Vec<FormatCheck>,
}

/// What was found at one address.
///
/// ```
/// let text = r#"{"endpoint_id":"default","format":"openai-chat","url":"https://a.example/v1",
///     "address":"unknown_host","key":"not_tried","message":"a.example is a name that leads nowhere"}"#;
/// let check: clown_api::FormatCheck = serde_json::from_str(text)?;
/// assert_eq!(check.address, clown_api::AddressState::UnknownHost);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatCheck {
    /// The endpoint.
    pub endpoint_id: String,
    /// The request format.
    pub format: String,
    /// The base address.
    pub url: String,
    /// Whether it answers.
    pub address: AddressState,
    /// The HTTP status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, in milliseconds, if anything was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
    /// Whether the key works.
    pub key: KeyState,
    /// All of this in one sentence for people.
    pub message: String,
}

/// Whether an address answers.
///
/// ```
/// let state: clown_api::AddressState = serde_json::from_str(r#""timed_out""#)?;
/// assert_eq!(state, clown_api::AddressState::TimedOut);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AddressState {
    /// It answers.
    Answers,
    /// A variable in it has no value.
    Incomplete,
    /// Its name leads nowhere.
    UnknownHost,
    /// It refuses connections.
    Refused,
    /// There is no way to it.
    Unreachable,
    /// It takes too long.
    TimedOut,
    /// It offers no safe connection.
    Tls,
    /// Something answers, but not the provider's API: 404, a page, a redirect.
    Wrong,
    /// It answers with a status of 500 or above.
    Failing,
}

/// Whether a key works.
///
/// ```
/// let state: clown_api::KeyState = serde_json::from_str(r#""not_tried""#)?;
/// assert_eq!(state, clown_api::KeyState::NotTried);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyState {
    /// It was let in.
    Works,
    /// It was turned away: 401 or 403.
    Refused,
    /// It is known, and over its limit at the moment: 429.
    Limited,
    /// It is known, and has to be paid for first: 402.
    NoCredit,
    /// One is wanted, and none was given.
    Missing,
    /// It answers without one as well.
    NotNeeded,
    /// There is no harmless way to tell, or the address does not answer.
    NotTried,
}

fn is_false(flag: &bool) -> bool {
    !flag
}
