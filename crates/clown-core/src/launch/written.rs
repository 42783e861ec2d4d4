//! What Clown has put into an agent's files, so that it can be taken out again when a profile
//! changes, and what the person had there comes back.

use super::{Member, Wanted};
use crate::agents::FileKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// The record of one profile's home.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// By path below the home.
    pub files: BTreeMap<String, FileRecord>,
}

/// What was put into one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRecord {
    pub kind: Kind,
    pub members: Vec<Written>,
}

/// One thing that was put into a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    pub at: Vec<String>,
    /// What it is; none for what is not to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// In place of a value that is not to be shown, which is only ever compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// It is one element of the list at that place.
    #[serde(default)]
    pub element: bool,
    /// It is not to be shown to anybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// What the person had at that place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
}

/// [`FileKind`], as the record writes it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Json,
    Jsonc,
    Toml,
}

impl Record {
    /// A record that is not there, or is no record, is an empty one: then nothing is taken out.
    pub fn read(home: &Path) -> io::Result<Self> {
        match std::fs::read(Self::path(home)) {
            Ok(content) => Ok(serde_json::from_slice(&content).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    pub fn write(&self, home: &Path) -> io::Result<()> {
        let mut content = serde_json::to_vec_pretty(self)?;
        content.push(b'\n');
        crate::files::write_atomically(&Self::path(home), &content, 0o600)
    }

    pub fn path(home: &Path) -> PathBuf {
        home.join(".clown-written.json")
    }

    /// With what only `other` has.
    pub fn joined_with(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        for (path, file) in &other.files {
            let entry = joined.files.entry(path.clone());
            let present = &mut entry.or_insert_with(|| FileRecord {
                kind: file.kind,
                members: Vec::new(),
            });
            for written in &file.members {
                if !present
                    .members
                    .iter()
                    .any(|member| member.is_same_place(written))
                {
                    present.members.push(written.clone());
                }
            }
        }
        joined
    }
}

impl Written {
    /// What `member` puts into a file.
    pub fn of(member: &Member) -> Self {
        let (value, element) = match &member.wanted {
            Wanted::Value(value) => (value, false),
            Wanted::Element(value) => (value, true),
        };
        Self {
            at: member.at.clone(),
            value: (!member.secret).then(|| value.clone()),
            sha256: member.secret.then(|| digest(value)),
            element,
            secret: member.secret,
            before: None,
        }
    }

    /// Whether `value` is what was put there.
    pub fn is(&self, value: &Value) -> bool {
        match (&self.value, &self.sha256) {
            (Some(known), _) => known == value,
            (None, Some(known)) => *known == digest(value),
            (None, None) => false,
        }
    }

    /// Whether `member` is this one, or what is to stand in its place. Elements of one list are
    /// told apart by what they are, members by where they are.
    pub fn is_of(&self, member: &Member) -> bool {
        self.at == member.at
            && match &member.wanted {
                Wanted::Value(_) => !self.element,
                Wanted::Element(value) => self.element && self.is(value),
            }
    }

    fn is_same_place(&self, other: &Self) -> bool {
        self.at == other.at
            && self.element == other.element
            && (!self.element || self.known_digest() == other.known_digest())
    }

    fn known_digest(&self) -> Option<String> {
        self.value.as_ref().map(digest).or(self.sha256.clone())
    }
}

/// Of the value as JSON, its members by name: their order is nothing that counts.
fn digest(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    let mut text = String::new();
    for byte in Sha256::digest(value.to_string()) {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl From<FileKind> for Kind {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::Json => Self::Json,
            FileKind::Jsonc => Self::Jsonc,
            FileKind::Toml => Self::Toml,
        }
    }
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Json => Self::Json,
            Kind::Jsonc => Self::Jsonc,
            Kind::Toml => Self::Toml,
        }
    }
}
