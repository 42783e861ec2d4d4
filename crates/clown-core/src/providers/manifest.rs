use super::Manifest;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// One provider: where it serves which formats, and what key it wants.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderManifest {
    /// What profiles name it by.
    pub id: Identifier,
    /// Its name for people.
    pub name: String,
    /// None for the agent's own login.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// The endpoint of profiles that name none; the first one if this is not given.
    pub default_endpoint: Option<Identifier>,
    /// Taken before others by agents that speak several.
    pub preferred_format: Option<Format>,
    /// None if it wants no key.
    pub key: Option<KeyManifest>,
    /// The model of profiles that name none.
    pub default_model: Option<String>,
    /// Some of its models, to choose from.
    #[serde(default)]
    pub models: Vec<String>,
}

/// One address of a provider: its own, a region's, a mirror's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// What profiles name it by.
    pub id: Identifier,
    /// Its name for people.
    pub name: Option<String>,
    /// The base address of each format that is served there.
    pub urls: BTreeMap<Format, EndpointUrl>,
}

/// The key that a provider wants.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyManifest {
    /// The environment variable in which people usually keep it.
    pub variable: String,
    /// Other variables in which people keep keys of it. None of them reaches an agent.
    #[serde(default)]
    pub also: Vec<String>,
    /// Whether nothing works without it.
    #[serde(default)]
    pub required: bool,
    /// How requests carry it.
    #[serde(default)]
    pub auth: KeyAuth,
}

/// How requests carry a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAuth {
    /// In the header that the format defines, such as `x-api-key`.
    #[default]
    Own,
    /// In `Authorization: Bearer`, whatever the format.
    Bearer,
}

impl KeyAuth {
    /// As templates see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Bearer => "bearer",
        }
    }
}

/// What agents and providers speak with each other. The base address of each format is what its
/// official client takes, so it ends before or after the version as noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
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

impl Format {
    /// As manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::OpenaiResponses => "openai-responses",
            Self::OpenaiChat => "openai-chat",
            Self::Gemini => "gemini",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl ProviderManifest {
    /// Whether this is the agent's own login, which needs nothing of ours.
    pub fn is_own_login(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// The endpoint of profiles that name none.
    pub fn default_endpoint(&self) -> Option<&Endpoint> {
        match &self.default_endpoint {
            Some(id) => self.endpoint(id.as_str()),
            None => self.endpoints.first(),
        }
    }

    /// The endpoint with this id.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.id.as_str() == id)
    }
}

impl Manifest for ProviderManifest {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn check(&self) -> Result<(), String> {
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let id = endpoint.id.as_str();
            if self.endpoints[..index]
                .iter()
                .any(|other| other.id == endpoint.id)
            {
                return Err(format!(
                    "two endpoints have the id `{id}`: give one another"
                ));
            }
            if endpoint.urls.is_empty() {
                return Err(format!(
                    "the endpoint `{id}` has no address: add one under `urls`"
                ));
            }
        }
        match &self.default_endpoint {
            Some(id) if self.endpoint(id.as_str()).is_none() => Err(format!(
                "`default_endpoint` is `{}`, but no endpoint has that id",
                id.as_str()
            )),
            _ => Ok(()),
        }
    }
}

/// 1 to 64 of `a-z A-Z 0-9 . _ -`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Identifier(String);

impl Identifier {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Identifier {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if starts_well && text.len() <= 64 && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is no id: use 1 to 64 of a-z A-Z 0-9 . _ -, the first a letter or digit"
            ))
        }
    }
}

/// An `http` or `https` address without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// As agents get it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EndpointUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let host = rest.map_or("", |rest| rest.split('/').next().unwrap_or(""));
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || !printable || text.contains(['?', '#', '"', '\\']) {
            return Err(format!(
                "`{text}` is no address: it must begin with http:// or https:// and have a host, no query and no spaces"
            ));
        }
        if host.contains('@') {
            return Err(
                "the address holds a user or a password: keep keys out of manifests".to_owned(),
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}
