use serde::Serialize;

use super::read_members;

/// A profile exists that did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileCreated {
    /// The profile's alias.
    pub alias: String,
    /// The agent that it runs.
    pub agent_id: String,
    /// The provider that it uses.
    pub provider_id: String,
    /// The model in effect: the profile's own, else the provider's default, else the agent's.
    pub model: String,
}

impl ProfileCreated {
    /// The event's data.
    #[must_use]
    pub fn new(
        alias: impl Into<String>,
        agent_id: impl Into<String>,
        provider_id: impl Into<String>,
        model: impl Into<String>,
    ) -> Self {
        Self {
            alias: alias.into(),
            agent_id: agent_id.into(),
            provider_id: provider_id.into(),
            model: model.into(),
        }
    }
}

read_members!(ProfileCreated {
    alias,
    agent_id,
    provider_id,
    model
});

/// A profile's definition differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileUpdated {
    /// The profile's alias.
    pub alias: String,
    /// The names of the members that differ, in the order in which the HTTP API lists a profile's members.
    pub changes: Vec<String>,
}

impl ProfileUpdated {
    /// The event's data.
    #[must_use]
    pub fn new(alias: impl Into<String>, changes: Vec<String>) -> Self {
        Self {
            alias: alias.into(),
            changes,
        }
    }
}

read_members!(ProfileUpdated { alias, changes });

/// A profile is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileDeleted {
    /// The profile's alias.
    pub alias: String,
}

impl ProfileDeleted {
    /// The event's data.
    #[must_use]
    pub fn new(alias: impl Into<String>) -> Self {
        Self {
            alias: alias.into(),
        }
    }
}

read_members!(ProfileDeleted { alias });

/// A run's process exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileStarted {
    /// The profile's alias.
    pub alias: String,
    /// The agent's process.
    pub pid: u32,
}

impl ProfileStarted {
    /// The event's data.
    #[must_use]
    pub fn new(alias: impl Into<String>, pid: u32) -> Self {
        Self {
            alias: alias.into(),
            pid,
        }
    }
}

read_members!(ProfileStarted { alias, pid });

/// A run's process is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileStopped {
    /// The profile's alias.
    pub alias: String,
    /// The agent's exit code; 128+N if signal N ended it, -1 if nobody knows.
    pub exit_code: i32,
    /// How long it ran, in whole seconds.
    pub runtime_secs: u64,
}

impl ProfileStopped {
    /// The event's data.
    #[must_use]
    pub fn new(alias: impl Into<String>, exit_code: i32, runtime_secs: u64) -> Self {
        Self {
            alias: alias.into(),
            exit_code,
            runtime_secs,
        }
    }
}

read_members!(ProfileStopped {
    alias,
    exit_code,
    runtime_secs
});
