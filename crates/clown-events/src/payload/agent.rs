use serde::Serialize;

use super::read_members;

/// An agent was found that was not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AgentDetected {
    /// The agent's identifier, such as `claude`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its version; `unknown` when it does not tell.
    pub version: String,
    /// Where its program lies.
    pub binary_path: String,
}

impl AgentDetected {
    /// The event's data.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        version: impl Into<String>,
        binary_path: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            version: version.into(),
            binary_path: binary_path.into(),
        }
    }
}

read_members!(AgentDetected {
    id,
    name,
    version,
    binary_path
});

/// An agent's version or path differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AgentUpdated {
    /// The agent's identifier.
    pub id: String,
    /// The version so far.
    pub old_version: String,
    /// The version now; `null` on the wire when the agent is no longer found.
    pub new_version: Option<String>,
}

impl AgentUpdated {
    /// The event's data; `None` says that the agent is no longer found.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        old_version: impl Into<String>,
        new_version: Option<String>,
    ) -> Self {
        Self {
            id: id.into(),
            old_version: old_version.into(),
            new_version,
        }
    }
}

read_members!(AgentUpdated {
    id,
    old_version,
    new_version
});
