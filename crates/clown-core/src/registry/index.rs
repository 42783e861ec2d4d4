//! The index of a registry: what there is, and under which hash it lies.

use crate::providers::Identifier;
use clown_events::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt;

/// The format that this version reads and writes.
pub const FORMAT: u64 = 1;

/// The largest index that is read.
pub const MAX_INDEX_BYTES: usize = 4 << 20;

/// The largest artifact, and the largest sum of them.
pub const MAX_ARTIFACT_BYTES: u64 = 1 << 20;
const MAX_TOTAL_BYTES: u64 = 64 << 20;
const MAX_ARTIFACTS: usize = 10_000;

/// An index that has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Which of the registry's channels it belongs to.
    pub channel: Channel,
    /// Which artifacts it names, in one number: see [`Commit::of`].
    pub commit: Commit,
    /// Rises with each index of a channel, so that an older one can be told.
    pub serial: u64,
    /// When it was built.
    pub created_at: Timestamp,
    /// The oldest version of Clown that can use it.
    pub minimum_version: Version,
    /// Those of a kind that this version knows, by kind and id.
    pub artifacts: Vec<Artifact>,
}

/// One file of a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Artifact {
    /// What it is.
    pub kind: Kind,
    /// Its id among those of its kind.
    pub id: Identifier,
    /// Its content's hash, which is also where it lies.
    pub sha256: Hash,
    /// Its length in bytes.
    pub size: u64,
}

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The manifest of an agent.
    Agent,
    /// The manifest of a provider.
    Provider,
    /// A profile to begin with.
    Template,
    /// What models cost.
    Prices,
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Provider, Self::Template, Self::Prices];

    /// As an index writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Provider => "provider",
            Self::Template => "template",
            Self::Prices => "prices",
        }
    }

    /// The folder of its sources.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Agent => "agents",
            Self::Provider => "providers",
            Self::Template => "templates",
            Self::Prices => "prices",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The SHA-256 of something, as 64 hex digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(String);

impl Hash {
    /// Of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(hex(&Sha256::digest(content)))
    }

    /// The digits; safe as the name of a file.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Exactly 64 digits, or nothing.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 64 && is_hex(text)).then(|| Self(text.to_owned()))
    }
}

/// The name of a registry's state: 40 hex digits that follow from what it holds, so that nobody
/// can put another content under the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit(String);

impl Commit {
    /// The first 40 hex digits of the SHA-256 of a line `kind id sha256 size` for each artifact,
    /// sorted as bytes.
    pub fn of<'a>(artifacts: impl IntoIterator<Item = (&'a str, &'a str, &'a str, u64)>) -> Self {
        let mut lines: Vec<String> = artifacts
            .into_iter()
            .map(|(kind, id, sha256, size)| format!("{kind} {id} {sha256} {size}\n"))
            .collect();
        lines.sort_unstable();
        let mut digits = hex(&Sha256::digest(lines.concat()));
        digits.truncate(40);
        Self(digits)
    }

    /// The digits; safe as the name of a file.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As people are shown it.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// All 40 digits, or nothing.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 40 && is_hex(text)).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether `text` is the beginning of a commit that is long enough to be meant.
pub fn is_commit_prefix(text: &str) -> bool {
    (7..=40).contains(&text.len()) && is_hex(text)
}

/// The name of a channel: 1 to 64 of `a-z A-Z 0-9 . _ -`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel(String);

impl Channel {
    /// The one that is followed where none is named.
    pub fn stable() -> Self {
        Self("stable".to_owned())
    }

    /// As it is written; safe as the name of a folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A text is no name of a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of a channel: give 1 to 64 letters, digits, `.`, `_` and `-`, the first a letter or digit, and not `artifacts`"
)]
pub struct InvalidChannel(String);

impl std::str::FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        let shown = || InvalidChannel(text.chars().take(80).collect());
        let id = Identifier::try_from(text.to_owned()).map_err(|_| shown())?;
        // The folder of that name is another one.
        if id.as_str() == "artifacts" {
            return Err(shown());
        }
        Ok(Self(id.as_str().to_owned()))
    }
}

/// A version of Clown: three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64, u64, u64);

impl Version {
    /// That of this program.
    pub fn own() -> Self {
        // The package's own version has this form; otherwise nothing is old enough.
        Self::parse(env!("CARGO_PKG_VERSION")).unwrap_or(Self(0, 0, 0))
    }

    /// `1.2.3`, with whatever follows a `-` or `+` left out.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Why something is no index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It does not parse, or its members do not fit.
    #[error("it is no index of a registry: {0}")]
    Malformed(String),
    /// A later format.
    #[error("it has format {0}, and this version of Clown reads format {FORMAT}: update Clown")]
    Format(u64),
    /// Made for later versions.
    #[error("it needs Clown {needed} or later, and this is {own}: update Clown")]
    Version {
        /// The oldest that will do.
        needed: Version,
        /// This one.
        own: Version,
    },
}

/// As it is written. Members that are not known are left alone: they belong to later versions.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    format: u64,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    commit: String,
    #[serde(default)]
    serial: u64,
    created_at: Option<Timestamp>,
    #[serde(default)]
    minimum_version: String,
    #[serde(default)]
    artifacts: Vec<DocumentArtifact>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DocumentArtifact {
    kind: String,
    id: String,
    sha256: String,
    size: u64,
}

impl Index {
    /// Reads and checks an index.
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        let malformed = |why: String| IndexError::Malformed(why);
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        // First of all: what follows may mean something else in another format.
        if document.format != FORMAT {
            return Err(IndexError::Format(document.format));
        }
        let needed = Version::parse(&document.minimum_version)
            .ok_or_else(|| malformed("`minimum_version` is no version such as 0.1.0".to_owned()))?;
        if needed > Version::own() {
            return Err(IndexError::Version {
                needed,
                own: Version::own(),
            });
        }
        let channel = document
            .channel
            .parse()
            .map_err(|error: InvalidChannel| malformed(error.to_string()))?;
        let commit = Commit::parse(&document.commit)
            .ok_or_else(|| malformed("`commit` is not 40 hex digits in lower case".to_owned()))?;
        if document.serial == 0 || document.serial > MAX_SERIAL {
            return Err(malformed(format!(
                "`serial` is not a number from 1 to {MAX_SERIAL}"
            )));
        }
        let created_at = document
            .created_at
            .ok_or_else(|| malformed("`created_at` is missing".to_owned()))?;
        let artifacts = check_artifacts(&document.artifacts).map_err(malformed)?;
        let holds = Commit::of(document.artifacts.iter().map(|artifact| {
            (
                artifact.kind.as_str(),
                artifact.id.as_str(),
                artifact.sha256.as_str(),
                artifact.size,
            )
        }));
        if holds != commit {
            return Err(malformed(format!(
                "`commit` is {}, and what it lists makes {}",
                commit.short(),
                holds.short()
            )));
        }
        Ok(Self {
            channel,
            commit,
            serial: document.serial,
            created_at,
            minimum_version: needed,
            artifacts,
        })
    }

    /// The index as a file.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let document = Document {
            format: FORMAT,
            channel: self.channel.as_str().to_owned(),
            commit: self.commit.as_str().to_owned(),
            serial: self.serial,
            created_at: Some(self.created_at),
            minimum_version: self.minimum_version.to_string(),
            artifacts: self
                .artifacts
                .iter()
                .map(|artifact| DocumentArtifact {
                    kind: artifact.kind.as_str().to_owned(),
                    id: artifact.id.as_str().to_owned(),
                    sha256: artifact.sha256.as_str().to_owned(),
                    size: artifact.size,
                })
                .collect(),
        };
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }

    /// What the signature's trusted comment says about it.
    pub fn trusted_comment(&self) -> String {
        format!(
            "clown registry channel:{} commit:{} serial:{}",
            self.channel, self.commit, self.serial
        )
    }
}

/// What a database can hold.
const MAX_SERIAL: u64 = (1 << 53) - 1;

/// Those of known kinds, each checked; the others only as far as no name of theirs is wrong.
fn check_artifacts(listed: &[DocumentArtifact]) -> Result<Vec<Artifact>, String> {
    if listed.len() > MAX_ARTIFACTS {
        return Err(format!("it lists more than {MAX_ARTIFACTS} artifacts"));
    }
    let mut artifacts = Vec::with_capacity(listed.len());
    let mut names = BTreeSet::new();
    let mut total: u64 = 0;
    for artifact in listed {
        let shown = |text: &str| text.chars().take(80).collect::<String>();
        let DocumentArtifact { kind, id, size, .. } = artifact;
        let name = format!("the artifact {:?} of kind {:?}", shown(id), shown(kind));
        let checked_id = Identifier::try_from(id.clone()).map_err(|_| {
            format!("{name} has no good id: 1 to 64 letters, digits, `.`, `_` and `-`")
        })?;
        if Identifier::try_from(kind.clone()).is_err() {
            return Err(format!("{name} has no good kind"));
        }
        let sha256 = Hash::parse(&artifact.sha256)
            .ok_or_else(|| format!("{name} has no sha256 of 64 hex digits in lower case"))?;
        if *size > MAX_ARTIFACT_BYTES {
            return Err(format!(
                "{name} is larger than {MAX_ARTIFACT_BYTES} bytes: {size}"
            ));
        }
        total += size;
        if total > MAX_TOTAL_BYTES {
            return Err(format!(
                "its artifacts are larger than {MAX_TOTAL_BYTES} bytes together"
            ));
        }
        if !names.insert((kind.as_str(), id.as_str())) {
            return Err(format!("{name} is listed twice"));
        }
        if let Some(kind) = Kind::parse(kind) {
            artifacts.push(Artifact {
                kind,
                id: checked_id,
                sha256,
                size: *size,
            });
        }
    }
    artifacts.sort_unstable();
    Ok(artifacts)
}

fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
