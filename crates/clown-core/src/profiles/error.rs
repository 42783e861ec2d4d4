use crate::keys::KeyError;
use crate::store::StoreError;
use crate::{Alias, InvalidAlias};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A profile could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The name is none.
    #[error(transparent)]
    InvalidAlias(#[from] InvalidAlias),
    /// There is no such profile.
    #[error("there is no profile \"{0}\": `clown profiles list` shows those that exist")]
    NotFound(Alias),
    /// There is one already.
    #[error(
        "the profile \"{0}\" exists already: choose another name, or change it with `clown profiles set`"
    )]
    Exists(Alias),
    /// Its file cannot be used as it is.
    #[error("the profile \"{alias}\" cannot be used: {fault}")]
    Broken {
        /// The profile.
        alias: Alias,
        /// What is wrong with its file.
        fault: Fault,
    },
    /// Runs of it are under way.
    #[error("the profile \"{alias}\" is running ({runs} open): end its runs first")]
    Running {
        /// The profile.
        alias: Alias,
        /// How many.
        runs: u64,
    },
    /// Its file is being written over and over.
    #[error("the file of profile \"{0}\" keeps changing: try again when it is still")]
    Changing(Alias),
    /// It is no longer as the request took it to be.
    #[error("the profile \"{0}\" was changed meanwhile: look at it again")]
    Changed(Alias),
    /// The folder is not there, though profiles are known.
    #[error("the folder of profiles {} cannot be read ({reason}): put it back; the profiles are kept as they were", path.display())]
    FolderMissing {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A member has a value that it cannot have.
    #[error("{member}: {message}")]
    Invalid {
        /// The member.
        member: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// Members that do not exist.
    #[error("a profile has no member {}: it has {}", quoted(names), super::definition::MEMBERS.join(", "))]
    UnknownMembers {
        /// Their names.
        names: Vec<String>,
    },
    /// A file could not be written, moved or removed.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The key could not be stored.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProfileError {
    pub(crate) fn invalid(member: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            member: member.into(),
            message: message.into(),
        }
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

/// What is wrong with a file that a person owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(formatter, ":{line}:{column}")?;
        }
        write!(formatter, ": {}", self.message)
    }
}
