use super::index::{Channel, Commit, IndexError};
use super::signature::SignatureError;
use crate::fetch::FetchError;
use crate::store::StoreError;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// The registry cannot do what it was asked for. What is in use stays in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Nothing answers, or the answer breaks off.
    #[error("cannot get {url}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        source: FetchError,
    },
    /// The answer is an error.
    #[error("{url} was answered with status {status}: ask whoever runs {host}, or try again later")]
    Status {
        /// What was asked for.
        url: String,
        /// Who answered.
        host: String,
        /// What the answer was.
        status: u16,
    },
    /// A folder or a file of it cannot be read.
    #[error("cannot read {}: see that it is there and that you may read it, or check registry.url in config.toml", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such file.
    #[error("there is nothing at {url}: check registry.url in config.toml, and the channel")]
    Missing {
        /// What was asked for.
        url: String,
    },
    /// More than there should be.
    #[error("{url} is longer than {limit} bytes: it is not what the registry should have there")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// What was expected at most.
        limit: u64,
    },
    /// No one can tell who made it.
    #[error(
        "{address} is neither encrypted nor signed, so that anybody on the way could change it: use https, or set registry.public_key in config.toml"
    )]
    NotAuthentic {
        /// The registry's address.
        address: String,
    },
    /// What was fetched is no index that this version can use.
    #[error("cannot use {url}")]
    Index {
        /// Where it is from.
        url: String,
        /// What is wrong.
        source: IndexError,
    },
    /// That of another channel or commit.
    #[error("{url} is the index of {found}, not of {wanted}: ask whoever runs the registry")]
    OtherIndex {
        /// Where it is from.
        url: String,
        /// What it says.
        found: String,
        /// What it should say.
        wanted: String,
    },
    /// A key is set, and there is no signature.
    #[error(
        "{url} is not there, and without that signature the index does not count: ask whoever runs the registry to sign it, or remove registry.public_key from config.toml if it is not to be checked"
    )]
    NotSigned {
        /// Where the signature should be.
        url: String,
    },
    /// The signature does not count.
    #[error("{url} does not count")]
    Signature {
        /// The signature's place.
        url: String,
        /// Why not.
        source: SignatureError,
    },
    /// Older than one that was seen before.
    #[error(
        "{url} is number {found}, and number {known} was seen before: an older index is taken back only with --force"
    )]
    Older {
        /// Where it is from.
        url: String,
        /// Its number.
        found: u64,
        /// The newest that was seen.
        known: u64,
    },
    /// Another one with a number that was seen before.
    #[error(
        "{url} has number {serial} as one before, and is another index: it is taken only with --force"
    )]
    SameSerial {
        /// Where it is from.
        url: String,
        /// The number.
        serial: u64,
    },
    /// An artifact is not what the index says.
    #[error(
        "{url} is not what the index names ({what}): ask whoever runs the registry to build it again"
    )]
    Damaged {
        /// Where it is from.
        url: String,
        /// What differs.
        what: String,
    },
    /// What was kept is no longer whole.
    #[error("commit {commit} is no longer whole on this disk: run `clown registry sync`")]
    NotWhole {
        /// The commit.
        commit: Commit,
    },
    /// It took too long altogether.
    #[error("{host} took longer than {limit_secs} s for everything: try again later")]
    TooSlow {
        /// Who is slow.
        host: String,
        /// The limit.
        limit_secs: u64,
    },
    /// A text is no commit.
    #[error(
        "{0:?} is no commit: give its first 7 to 40 hex digits, as `clown registry status` shows them"
    )]
    InvalidCommit(String),
    /// A commit that is neither kept nor can be got.
    #[error("commit {commit} of channel {channel} is not kept here{asked}: {advice}")]
    NoSuchCommit {
        /// What was asked for.
        commit: String,
        /// The channel.
        channel: Channel,
        /// Who was asked for it, and has it not; empty where nobody was.
        asked: String,
        /// What to do.
        advice: &'static str,
    },
    /// Several commits begin so.
    #[error("{commit} is the beginning of several commits: give more of its digits")]
    AmbiguousCommit {
        /// What was asked for.
        commit: String,
    },
    /// There is nothing to pin.
    #[error(
        "no registry is set: with the built-in set there is nothing to pin. Set registry.url in config.toml first"
    )]
    NoRegistry,
    /// The registry's folder.
    #[error("cannot use {}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Too many wait for it already.
    #[error("too many wait for a sync at the moment: try again when it is done")]
    Busy,
    /// The daemon stops.
    #[error("the daemon stopped before it was done: run `clown registry sync` again")]
    Stopped,
    /// The thread that did it ended badly.
    #[error("the sync ended unexpectedly; the daemon's log says more")]
    Broken,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RegistryError {
    pub(super) fn disk(path: &Path, source: io::Error) -> Self {
        Self::Disk {
            path: path.to_owned(),
            source,
        }
    }

    /// The sentence with its causes.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        text
    }
}

impl From<rusqlite::Error> for RegistryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
