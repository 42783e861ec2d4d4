use crate::Alias;
use std::io;
use std::path::PathBuf;

/// A key could not be had or kept. No variant holds a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The variable is nowhere set.
    #[error(
        "profile {profile} takes its key from the variable {variable}, which is set neither where you run it nor where the daemon was started: set it, or give the profile another key"
    )]
    VariableUnset {
        /// The profile.
        profile: Alias,
        /// The variable.
        variable: String,
    },
    /// The command ended with another code than 0.
    #[error(
        "profile {profile}: the command that prints its key failed ({how}): {last_line}{}",
        beside(*advice)
    )]
    CommandFailed {
        /// The profile.
        profile: Alias,
        /// Its code or signal.
        how: String,
        /// The last line of its standard error.
        last_line: String,
        /// How such a program is unlocked, where that is known.
        advice: Option<&'static str>,
    },
    /// The command could not be run.
    #[error("profile {profile}: the command that prints its key could not be started")]
    CommandNotStarted {
        /// The profile.
        profile: Alias,
        /// Why.
        source: io::Error,
    },
    /// The command did not end.
    #[error(
        "profile {profile}: the command that prints its key had not ended after {seconds} s and was stopped: it must not ask anything{}",
        beside(*advice)
    )]
    CommandTimeout {
        /// The profile.
        profile: Alias,
        /// The limit.
        seconds: u64,
        /// As in [`KeyError::CommandFailed`].
        advice: Option<&'static str>,
    },
    /// The file cannot be read.
    #[error("profile {profile} takes its key from {}, which cannot be read", path.display())]
    File {
        /// The profile.
        profile: Alias,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing is kept under the name.
    #[error(
        "profile {profile} uses the stored key {name}, but no key is stored under that name: store it anew with `clown profiles set {profile} --key-stdin`"
    )]
    NotStored {
        /// The profile.
        profile: Alias,
        /// The key's name.
        name: Alias,
    },
    /// What was found cannot be a key.
    #[error("profile {profile}: what {origin} gives cannot be used as a key: {flaw}")]
    Unusable {
        /// The profile.
        profile: Alias,
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// A value to be stored cannot be a key.
    #[error("the key for {name} was not stored: {flaw}")]
    Refused {
        /// The key's name.
        name: Alias,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// The key is another provider's.
    #[error(
        "the stored key {name} belongs to the provider {owner} and is not given to {wanted}: use another key, or none"
    )]
    OtherProvider {
        /// The key's name.
        name: Alias,
        /// Its provider.
        owner: String,
        /// The provider of who asks.
        wanted: String,
    },
    /// There is no such key.
    #[error("there is no stored key \"{0}\": `clown keys list` shows those that exist")]
    NotFound(Alias),
    /// A new key needs a provider.
    #[error("the key {0} is a new one: say which provider it is for")]
    ProviderMissing(Alias),
    /// Another key has the name.
    #[error(
        "a stored key has the name \"{name}\" already{}: change that with `clown keys rotate {name}`, or refer to it with `--key store:{name}`",
        used_by(profiles)
    )]
    Taken {
        /// The key's name.
        name: Alias,
        /// Profiles that use it.
        profiles: Vec<Alias>,
    },
    /// Profiles use it.
    #[error(
        "the stored key {name} is in use{}: give them another key first, or force it",
        used_by(profiles)
    )]
    InUse {
        /// The key's name.
        name: Alias,
        /// Profiles that use it.
        profiles: Vec<Alias>,
    },
    /// The keyring holds the key and does not give it.
    #[error(
        "the key {name} is in the system's keyring, which does not give it ({reason}): unlock the keyring and try again, or store the key anew"
    )]
    Keyring {
        /// The key's name.
        name: Alias,
        /// What the keyring said.
        reason: String,
    },
    /// A file of the key store failed.
    #[error("the file {} for a stored key cannot be used", path.display())]
    StoreFile {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Advice that follows a sentence.
pub(super) fn beside(advice: Option<&str>) -> String {
    advice.map_or_else(String::new, |advice| format!("; {advice}"))
}

fn used_by(profiles: &[Alias]) -> String {
    let names: Vec<&str> = profiles.iter().map(Alias::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(", by {}", names.join(", ")),
    }
}
