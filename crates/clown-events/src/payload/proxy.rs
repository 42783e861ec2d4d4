use serde::Serialize;

use super::read_members;

/// A proxy instance accepts connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProxyStarted {
    /// The alias of the profile that it serves.
    pub profile: String,
    /// The port that it listens on.
    pub port: u16,
    /// Its process.
    pub pid: u32,
}

impl ProxyStarted {
    /// The event's data.
    #[must_use]
    pub fn new(profile: impl Into<String>, port: u16, pid: u32) -> Self {
        Self {
            profile: profile.into(),
            port,
            pid,
        }
    }
}

read_members!(ProxyStarted { profile, port, pid });

/// A proxy instance's process is gone, however that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProxyStopped {
    /// The alias of the profile that it served.
    pub profile: String,
    /// Its exit code; 128+N if signal N ended it, -1 if nobody knows.
    pub exit_code: i32,
}

impl ProxyStopped {
    /// The event's data.
    #[must_use]
    pub fn new(profile: impl Into<String>, exit_code: i32) -> Self {
        Self {
            profile: profile.into(),
            exit_code,
        }
    }
}

read_members!(ProxyStopped { profile, exit_code });

/// A proxy instance could not start, died unasked, or lost all its upstreams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProxyError {
    /// The alias of the profile that it serves.
    pub profile: String,
    /// What went wrong, for people.
    pub error: String,
}

impl ProxyError {
    /// The event's data.
    #[must_use]
    pub fn new(profile: impl Into<String>, error: impl Into<String>) -> Self {
        Self {
            profile: profile.into(),
            error: error.into(),
        }
    }
}

read_members!(ProxyError { profile, error });
