//! What an instance works by.

use clown_routes::Rules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// All that an instance is told. It holds keys, so it goes over the control socket and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The profile that it serves.
    pub profile: String,
    /// The profile's agent.
    pub agent: String,
    /// The profile's provider.
    pub provider: String,
    /// The only key that it takes.
    pub local_key: Secret,
    /// Where requests go that no rule takes.
    pub upstream: Upstream,
    /// The other providers that rules name, by id.
    #[serde(default)]
    pub others: BTreeMap<String, Upstream>,
    /// Who takes which request.
    #[serde(default)]
    pub rules: Rules,
    /// The profile's model for small requests.
    #[serde(default)]
    pub small_model: Option<String>,
    /// Whether the profile has used up its budget.
    #[serde(default)]
    pub over_budget: bool,
    /// How that is reached.
    #[serde(default)]
    pub network: Network,
    /// How much, and for how long.
    #[serde(default)]
    pub limits: Limits,
}

/// The provider's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The base address of each format that is spoken there, as that format's official client takes it.
    pub bases: BTreeMap<Format, String>,
    /// The real key; None where none is wanted.
    pub key: Option<Secret>,
    /// More keys, which take turns with it.
    #[serde(default)]
    pub more_keys: Vec<Secret>,
    /// How requests carry it.
    pub auth: Auth,
}

/// How other machines are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// PEM files with authorities that are trusted beside the system's.
    pub authorities: Vec<PathBuf>,
    /// For `http` addresses. It may hold a password.
    pub http_proxy: Option<Secret>,
    /// For `https` addresses.
    pub https_proxy: Option<Secret>,
    /// For both, where there is no other.
    pub all_proxy: Option<Secret>,
    /// What is asked directly.
    pub no_proxy: Option<String>,
}

/// How much is taken, and for how long something is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The longest body of a request.
    pub body_bytes: usize,
    /// Connections at the same time.
    pub connections: usize,
    /// Until the upstream is connected.
    pub connect: Duration,
    /// Until the upstream begins to answer.
    pub head: Duration,
    /// Between two pieces of an answer.
    pub silence: Duration,
    /// How long open requests may go on once the instance is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 20,
            connections: 1_024,
            connect: Duration::from_secs(10),
            head: Duration::from_secs(600),
            silence: Duration::from_secs(300),
            drain: Duration::from_secs(10),
        }
    }
}

/// What agents and providers speak with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `<base>/v1/messages`
    AnthropicMessages,
    /// `<base>/responses`
    OpenaiResponses,
    /// `<base>/chat/completions`
    OpenaiChat,
    /// `<base>/v1beta/models/<model>:generateContent`
    Gemini,
}

impl Upstream {
    /// All of its keys.
    pub fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.key.iter().chain(&self.more_keys)
    }
}

impl Format {
    /// The one that requests and answers can be translated to and from, if it is one of those.
    pub fn translatable(self) -> Option<crate::format::Format> {
        match self {
            Self::AnthropicMessages => Some(crate::format::Format::Messages),
            Self::OpenaiResponses => Some(crate::format::Format::Responses),
            Self::OpenaiChat => Some(crate::format::Format::Chat),
            Self::Gemini => None,
        }
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::OpenaiResponses => "openai-responses",
            Self::OpenaiChat => "openai-chat",
            Self::Gemini => "gemini",
        }
    }
}

/// How requests carry the real key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// In the header that the format defines, such as `x-api-key`.
    #[default]
    Own,
    /// In `Authorization: Bearer`, whatever the format.
    Bearer,
}

/// A text that is wiped from memory when it is dropped, and never shown. It is written only where it
/// goes over the control socket.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes it as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_written_for_the_socket_and_shown_to_nobody() {
        let configuration = Configuration {
            profile: "work".to_owned(),
            agent: "claude".to_owned(),
            provider: "anthropic".to_owned(),
            local_key: Secret::new("s3cret-local"),
            upstream: Upstream {
                bases: BTreeMap::from([(Format::AnthropicMessages, "http://x".to_owned())]),
                key: Some(Secret::new("s3cret-real")),
                more_keys: vec![Secret::new("s3cret-more")],
                auth: Auth::Own,
            },
            others: BTreeMap::new(),
            rules: Rules::default(),
            small_model: None,
            over_budget: false,
            network: Network {
                https_proxy: Some(Secret::new("http://me:s3cret@x")),
                ..Network::default()
            },
            limits: Limits::default(),
        };
        assert!(!format!("{configuration:?}").contains("s3cret"));
        let text = serde_json::to_string(&configuration).unwrap();
        let read: Configuration = serde_json::from_str(&text).unwrap();
        assert_eq!(read, configuration);
        assert_eq!(read.local_key.expose(), "s3cret-local");
    }
}
