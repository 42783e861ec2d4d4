use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::read_members;

/// The daemon accepts connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DaemonStarted {
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

impl DaemonStarted {
    /// The event's data.
    #[must_use]
    pub fn new(version: impl Into<String>, pid: u32) -> Self {
        Self {
            version: version.into(),
            pid,
        }
    }
}

read_members!(DaemonStarted { version, pid });

/// The daemon is about to close its connections, with close code 1001.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DaemonShuttingDown {
    /// Why it stops.
    pub reason: ShutdownReason,
}

impl DaemonShuttingDown {
    /// The event's data.
    #[must_use]
    pub fn new(reason: ShutdownReason) -> Self {
        Self { reason }
    }
}

read_members!(DaemonShuttingDown { reason });

/// Why the daemon stops.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShutdownReason {
    /// Nobody needed it for a while; it starts again when somebody does. On the wire `idle_timeout`.
    IdleTimeout,
    /// A person or a program asked for it. On the wire `requested`.
    Requested,
    /// The system or a service manager sent a signal. On the wire `signal`.
    Signal,
    /// A newer version takes its place. On the wire `update`.
    Update,
    /// A reason that a newer daemon gives, word for word.
    Other(String),
}

impl ShutdownReason {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::IdleTimeout => "idle_timeout",
            Self::Requested => "requested",
            Self::Signal => "signal",
            Self::Update => "update",
            Self::Other(reason) => reason,
        }
    }
}

/// The reason of this word; a word without a meaning here becomes [`ShutdownReason::Other`].
impl From<&str> for ShutdownReason {
    fn from(word: &str) -> Self {
        match word {
            "idle_timeout" => Self::IdleTimeout,
            "requested" => Self::Requested,
            "signal" => Self::Signal,
            "update" => Self::Update,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for ShutdownReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for ShutdownReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ShutdownReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Cow::<str>::deserialize(deserializer)?.as_ref().into())
    }
}
