use crate::Alias;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where a profile's key comes from. In a file and in JSON it has exactly one member:
/// `{ env = "NAME" }`, `{ command = "…" }`, `{ file = "/…" }` or `{ store = "name" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub enum KeySource {
    /// A variable of the environment of whoever runs the profile, or else of the daemon.
    Env(String),
    /// The first line that a shell command prints.
    Command(String),
    /// The content of a file.
    File(PathBuf),
    /// What Clown keeps under this name.
    Store(Alias),
}

impl KeySource {
    /// The member's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Env(_) => "env",
            Self::Command(_) => "command",
            Self::File(_) => "file",
            Self::Store(_) => "store",
        }
    }

    /// A source from the text of one member, checked.
    pub fn from_member(kind: &str, value: &str) -> Result<Self, InvalidKeySource> {
        let form = match kind {
            "env" => Form::Env(value.to_owned()),
            "command" => Form::Command(value.to_owned()),
            "file" => Form::File(value.into()),
            "store" => Form::Store(value.to_owned()),
            _ => return Err(InvalidKeySource::Kind(kind.to_owned())),
        };
        form.try_into()
    }
}

/// A key's source makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeySource {
    /// Not one of the four.
    #[error("a key comes from `env`, `command`, `file` or `store`, not from `{0}`")]
    Kind(String),
    /// Not the name of a variable.
    #[error("{0:?} cannot name an environment variable: write its name alone, such as WORK_KEY")]
    Env(String),
    /// An empty command.
    #[error("the command that prints the key is empty")]
    Command,
    /// Not a full path.
    #[error("the key's file {0:?} must be a full path, beginning with /")]
    File(PathBuf),
    /// Not a name for the store.
    #[error(
        "{0:?} cannot name a stored key: use 1 to 64 letters, digits, dots, underscores or hyphens"
    )]
    Store(String),
}

/// How it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Env(String),
    Command(String),
    File(PathBuf),
    Store(String),
}

impl TryFrom<Form> for KeySource {
    type Error = InvalidKeySource;

    fn try_from(form: Form) -> Result<Self, InvalidKeySource> {
        match form {
            Form::Env(name) => {
                // A value put here by mistake must not be repeated in an error whole.
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                let begins_well = !name.starts_with(|first: char| first.is_ascii_digit());
                if name.is_empty() || !begins_well || !name.bytes().all(plain) {
                    return Err(InvalidKeySource::Env(name.chars().take(8).collect()));
                }
                Ok(Self::Env(name))
            }
            Form::Command(line) if line.trim().is_empty() => Err(InvalidKeySource::Command),
            Form::Command(line) => Ok(Self::Command(line)),
            Form::File(path) if !path.is_absolute() => Err(InvalidKeySource::File(path)),
            Form::File(path) => Ok(Self::File(path)),
            Form::Store(name) => match name.parse() {
                Ok(name) => Ok(Self::Store(name)),
                Err(_) => Err(InvalidKeySource::Store(name.chars().take(80).collect())),
            },
        }
    }
}

impl From<KeySource> for Form {
    fn from(source: KeySource) -> Self {
        match source {
            KeySource::Env(name) => Self::Env(name),
            KeySource::Command(line) => Self::Command(line),
            KeySource::File(path) => Self::File(path),
            KeySource::Store(name) => Self::Store(name.to_string()),
        }
    }
}
