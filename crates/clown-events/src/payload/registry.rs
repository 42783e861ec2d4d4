use serde::Serialize;

use super::read_members;

/// A registry sync began. Exactly one [`RegistrySyncCompleted`] or [`RegistrySyncFailed`] follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegistrySyncStarted {
    /// The channel that is synced, such as `stable`.
    pub channel: String,
    /// Whether the sync was asked to ignore what is cached.
    pub force: bool,
}

impl RegistrySyncStarted {
    /// The event's data.
    #[must_use]
    pub fn new(channel: impl Into<String>, force: bool) -> Self {
        Self {
            channel: channel.into(),
            force,
        }
    }
}

read_members!(RegistrySyncStarted { channel, force });

/// A registry sync ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegistrySyncCompleted {
    /// The channel that was synced.
    pub channel: String,
    /// The registry's commit, seven or more hexadecimal digits.
    pub commit: String,
    /// Whether the cached registry was current already.
    pub from_cache: bool,
    /// How many artifacts were downloaded.
    pub artifacts_downloaded: u64,
}

impl RegistrySyncCompleted {
    /// The event's data.
    #[must_use]
    pub fn new(
        channel: impl Into<String>,
        commit: impl Into<String>,
        from_cache: bool,
        artifacts_downloaded: u64,
    ) -> Self {
        Self {
            channel: channel.into(),
            commit: commit.into(),
            from_cache,
            artifacts_downloaded,
        }
    }
}

read_members!(RegistrySyncCompleted {
    channel,
    commit,
    from_cache,
    artifacts_downloaded
});

/// A registry sync failed; the cached registry stays in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegistrySyncFailed {
    /// What went wrong, for people.
    pub error: String,
}

impl RegistrySyncFailed {
    /// The event's data.
    #[must_use]
    pub fn new(error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
        }
    }
}

read_members!(RegistrySyncFailed { error });
