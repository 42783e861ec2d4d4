use super::{EndpointUrl, Manifest, Model};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
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
    pub models: Vec<Model>,
    /// What the variables that addresses name in braces stand for.
    #[serde(default)]
    pub placeholders: BTreeMap<String, Placeholder>,
    /// How a key is tried; without this, it cannot be.
    pub check: Option<CheckManifest>,
    /// Where the facts are from.
    #[serde(default)]
    pub sources: Vec<String>,
}

/// What a variable in an address stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placeholder {
    /// In words that follow "it needs".
    pub about: String,
    /// A value as it may look.
    pub example: String,
}

/// How a key is tried: by a route that reads something, costs nothing, and wants the key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckManifest {
    /// Behind the base address of the format.
    #[serde(default)]
    pub paths: BTreeMap<Format, String>,
    /// A word in an answer of status 400 by which the provider says that the key is wrong.
    pub refused: Option<String>,
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
    /// How a key is tried here, where that differs from the provider's other endpoints.
    pub check: Option<CheckManifest>,
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

impl KeyManifest {
    /// Every variable in which people keep it.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let also = self.also.iter().map(String::as_str);
        std::iter::once(self.variable.as_str()).chain(also)
    }
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
    /// Whether a proxy translates requests and answers of it to and from others.
    pub fn is_translated(&self) -> bool {
        !matches!(self, Self::Gemini)
    }

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

    /// Every variable in which people keep its key.
    pub fn key_variables(&self) -> impl Iterator<Item = &str> {
        self.key.iter().flat_map(KeyManifest::variables)
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
        self.check_placeholders()?;
        let checks = self.endpoints.iter().filter_map(|it| it.check.as_ref());
        for check in checks.chain(&self.check) {
            check.check()?;
        }
        let mut ids = BTreeSet::new();
        for endpoint in &self.endpoints {
            let id = endpoint.id.as_str();
            if !ids.insert(id) {
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

    fn check_foreign(&self) -> Result<(), String> {
        super::limits::check(self)?;
        super::foreign::check(self)
    }
}

impl ProviderManifest {
    fn check_placeholders(&self) -> Result<(), String> {
        let urls = self.endpoints.iter().flat_map(|it| it.urls.values());
        let named: BTreeSet<&str> = urls.flat_map(EndpointUrl::placeholders).collect();
        let mut names = self.placeholders.keys();
        match names.find(|name| !named.contains(name.as_str())) {
            Some(name) => Err(format!(
                "no address names `{{{name}}}`, which `placeholders` explains"
            )),
            None => Ok(()),
        }
    }
}

impl CheckManifest {
    fn check(&self) -> Result<(), String> {
        let good = |path: &&String| {
            path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match self.paths.values().find(|path| !good(path)) {
            Some(path) => Err(format!(
                "`{path}` is no path to check: begin it with / and leave out spaces"
            )),
            None => Ok(()),
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
