//! Where an agent writes down what it has used.

use super::manifest::{RelativePath, VariableName};
use serde::Deserialize;

/// An agent's logs of the tokens it has used.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageLogs {
    /// How they are written.
    pub form: UsageForm,
    /// The folder that they lie in, below the profile's home.
    pub folder: RelativePath,
    /// Which files of that folder they are.
    pub files: FilePatterns,
    /// The folder that they lie in where no profile is used; None if there are none then.
    pub own: Option<OwnFolder>,
}

/// Where an agent keeps its things when it is started without a profile.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnFolder {
    /// The variable that names the folder.
    pub variable: Option<VariableName>,
    /// The way from what the variable names to the folder.
    pub below: Option<RelativePath>,
    /// The folders if the variable is not set, all that are there. What is below `~/.config` and
    /// `~/.local/share` is where `XDG_CONFIG_HOME` and `XDG_DATA_HOME` say.
    pub default: Vec<HomePath>,
    /// Where other versions of it keep theirs.
    #[serde(default)]
    pub also: Vec<OwnFolder>,
}

/// How logs of usage are written. Each agent has a way of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsageForm {
    /// JSON lines; `message.usage` of those with `type` `assistant`.
    Claude,
    /// JSON lines; `payload.info` of those with `payload.type` `token_count`.
    Codex,
    /// JSON, or JSON lines; `tokens` of messages with `type` `gemini`.
    Gemini,
    /// SQLite; `tokens` and `cost` in the `data` of table `message`.
    Opencode,
    /// JSON lines, one a request, with `inputTokens` and so on.
    Qwen,
    /// JSON lines; `usage` of those with `type` `usage.record`.
    Kimi,
    /// JSON lines; `data.usage` of those with `type` `session.usage_record`.
    Copilot,
    /// JSON, one file a session; `tokenUsage`.
    Droid,
    /// JSON, one file a session; `modelUsage` of its `turns`.
    Grok,
    /// JSON, one file a thread; `usageLedger`, else `usage` of its messages.
    Amp,
    /// SQLite; table `usage_ledger`, else the sums of table `sessions`.
    Goose,
    /// JSON lines; `message.usage` of those with `type` `message`.
    Pi,
    /// JSON lines, one a request of Clown's own proxy. No agent writes it.
    #[serde(skip)]
    Proxy,
}

/// At least one pattern.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<FilePattern>")]
pub struct FilePatterns(Vec<FilePattern>);

impl FilePatterns {
    /// As they are written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pattern| pattern.0.as_str())
    }
}

impl TryFrom<Vec<FilePattern>> for FilePatterns {
    type Error = String;

    fn try_from(patterns: Vec<FilePattern>) -> Result<Self, String> {
        if patterns.is_empty() {
            return Err("the list is empty: name the files, such as \"**/*.jsonl\"".to_owned());
        }
        Ok(Self(patterns))
    }
}

/// A path below a folder, in which `*` stands for a part of a name, and a name `**` for any number
/// of folders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FilePattern(String);

impl TryFrom<String> for FilePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        RelativePath::try_from(text.clone())?;
        if let Some(name) = text
            .split('/')
            .find(|name| *name != "**" && name.contains("**"))
        {
            return Err(format!(
                "`{name}` in `{text}`: `**` stands for folders, so it must be a name of its own"
            ));
        }
        if text.contains(['?', '[', ']', '{', '}']) {
            return Err(format!(
                "`{text}`: of patterns, only `*` and `**` are known"
            ));
        }
        Ok(Self(text))
    }
}

/// A path below a person's home folder, written with `~/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HomePath(RelativePath);

impl HomePath {
    /// The way from the home folder.
    pub fn below_home(&self) -> &RelativePath {
        &self.0
    }
}

impl TryFrom<String> for HomePath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text.strip_prefix("~/").map(str::to_owned);
        rest.and_then(|rest| RelativePath::try_from(rest).ok())
            .map(Self)
            .ok_or_else(|| format!("`{text}` must be a path below `~/`, without `..`"))
    }
}
