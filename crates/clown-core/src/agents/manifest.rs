use super::mcp::McpFile;
use super::member::{MemberPath, MemberValue};
use super::pattern::NamePattern;
use super::template::{SecretTemplate, Template};
use super::usage::UsageLogs;
use super::version::VersionCommand;
use crate::providers::{Format, Identifier, Manifest};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// One coding agent: how it is found, kept apart, and told its endpoint, model and key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentManifest {
    /// What profiles name it by.
    pub id: Identifier,
    /// Its name for people.
    pub name: String,
    /// The names of its program; the first one that is found is it.
    pub binaries: Binaries,
    /// How it tells its version.
    pub version: VersionCommand,
    /// How people install it.
    pub install: Option<String>,
    /// Where these facts are from.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What it speaks with providers, the best first.
    #[serde(default)]
    pub formats: Vec<Format>,
    /// The model if neither profile nor provider names one.
    pub default_model: Option<String>,
    /// Variables that make it keep its things in the profile's home.
    #[serde(default)]
    pub isolation: BTreeMap<VariableName, Template>,
    /// Variables of the caller's shell that would change account, endpoint or model.
    #[serde(default)]
    pub clears: Vec<NamePattern>,
    /// Variables that tell it endpoint, model and key; one that renders empty is left out.
    #[serde(default)]
    pub env: BTreeMap<VariableName, SecretTemplate>,
    /// Folders below the profile's home that must be there before it starts.
    #[serde(default)]
    pub folders: Vec<RelativePath>,
    /// Its own configuration files.
    #[serde(default)]
    pub files: Vec<ConfigFile>,
    /// Where a profile's hooks go; None if it has none.
    pub hooks: Option<HooksFile>,
    /// Where a profile's MCP servers go; None if it takes none from a file.
    pub mcp: Option<McpFile>,
    /// Where it writes down what it has used; None if it does not, or nobody knows.
    pub usage: Option<UsageLogs>,
}

impl AgentManifest {
    /// Whether a profile can name a model for small requests: whether anything that the agent is told
    /// depends on it.
    pub fn takes_small_model(&self) -> bool {
        let isolation = self.isolation.values().any(Template::uses_small_model);
        let env = self.env.values().any(SecretTemplate::uses_small_model);
        isolation || env || self.files.iter().any(ConfigFile::uses_small_model)
    }
}

/// Members that are set in one of the agent's own configuration files.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Below the profile's home.
    pub path: RelativePath,
    /// How it is written.
    pub kind: FileKind,
    /// If it renders empty, nothing of this is set.
    pub when: Option<Template>,
    /// What is set where. What renders empty is left out.
    pub members: BTreeMap<MemberPath, MemberValue>,
}

impl ConfigFile {
    fn uses_small_model(&self) -> bool {
        let when = self.when.iter();
        let names = self.members.keys().flat_map(MemberPath::names);
        when.chain(names).any(Template::uses_small_model)
            || self.members.values().any(|value| value.uses_small_model())
    }
}

/// Where a profile's hooks go: each of their members becomes one of `member`'s.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HooksFile {
    /// Below the profile's home.
    pub file: RelativePath,
    /// How it is written.
    pub kind: FileKind,
    /// The member that holds the hooks.
    pub member: String,
    /// How one hook is written.
    #[serde(default)]
    pub form: HooksForm,
    /// The events that it knows; empty if that is not known.
    #[serde(default)]
    pub events: Vec<String>,
}

/// How an agent's hooks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HooksForm {
    /// By event, a list of groups `{ matcher, hooks = [{ type = "command", command }] }`.
    #[default]
    Groups,
    /// Otherwise: people write them themselves.
    Own,
}

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// JSON without comments.
    Json,
    /// JSON with comments and commas at the end.
    Jsonc,
    /// TOML.
    Toml,
}

impl Manifest for AgentManifest {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn check(&self) -> Result<(), String> {
        // All else is wrong with a single value, and was seen where that stands.
        match &self.mcp {
            Some(file) if file.stdio.is_none() && file.http.is_none() => Err(
                "`mcp` has neither `stdio` nor `http`: say what a server becomes, or leave it out"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    fn check_foreign(&self) -> Result<(), String> {
        super::foreign::check(self)
    }
}

/// Each is looked for in every folder of the path.
const MAX_BINARIES: usize = 8;

/// 1 to 8 names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<BinaryName>")]
pub struct Binaries(Vec<BinaryName>);

impl Binaries {
    /// In the order in which they are looked for.
    pub fn iter(&self) -> impl Iterator<Item = &BinaryName> {
        self.0.iter()
    }
}

impl TryFrom<Vec<BinaryName>> for Binaries {
    type Error = String;

    fn try_from(names: Vec<BinaryName>) -> Result<Self, String> {
        if names.is_empty() {
            return Err("the list is empty: name the agent's program".to_owned());
        }
        if names.len() > MAX_BINARIES {
            return Err(format!(
                "the list has {} names of the agent's program: at most {MAX_BINARIES} are looked for",
                names.len()
            ));
        }
        Ok(Self(names))
    }
}

/// The name of a program, not a path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BinaryName(String);

impl BinaryName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BinaryName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.contains(['/', '\0']) || text == "." || text == ".." {
            return Err(format!(
                "`{text}` is no program's name: it is looked for on PATH, so give no path"
            ));
        }
        Ok(Self(text))
    }
}

/// The name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct VariableName(String);

impl VariableName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for VariableName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.contains(['=', '\0']) {
            return Err(format!("`{text}` is no name of an environment variable"));
        }
        Ok(Self(text))
    }
}

/// A path that stays below the folder it is joined to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct RelativePath(String);

impl RelativePath {
    /// Below `folder`.
    pub fn below(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RelativePath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let stays = |component| matches!(component, Component::Normal(_));
        if text.is_empty() || text.contains('\0') || !Path::new(&text).components().all(stays) {
            return Err(format!(
                "`{text}` must be a path below the profile's home, without `..`"
            ));
        }
        Ok(Self(text))
    }
}
