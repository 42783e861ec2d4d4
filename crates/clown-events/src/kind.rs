use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of an event, without its data.
///
/// Ordered as documented; the numbers behind the variants are not part of the wire.
///
/// ```
/// use clown_events::{EventGroup, EventKind};
///
/// let kind: EventKind = "ProxyStarted".parse()?;
/// assert_eq!(kind.group(), EventGroup::Proxy);
///
/// let mistyped = "ProfilCreated".parse::<EventKind>().unwrap_err();
/// assert_eq!(mistyped.nearest, Some(EventKind::ProfileCreated));
/// # Ok::<(), clown_events::UnknownKind>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum EventKind {
    /// A profile exists that did not.
    ProfileCreated,
    /// A profile's definition differs.
    ProfileUpdated,
    /// A profile is gone.
    ProfileDeleted,
    /// A run's process exists.
    ProfileStarted,
    /// A run's process is gone.
    ProfileStopped,
    /// An agent was found that was not there.
    AgentDetected,
    /// An agent's version or path differs.
    AgentUpdated,
    /// A registry sync began.
    RegistrySyncStarted,
    /// A registry sync ended well.
    RegistrySyncCompleted,
    /// A registry sync failed.
    RegistrySyncFailed,
    /// A proxy instance accepts connections.
    ProxyStarted,
    /// A proxy instance's process is gone.
    ProxyStopped,
    /// A proxy instance could not start, died unasked, or lost all its upstreams.
    ProxyError,
    /// Usage was added to a profile.
    UsageUpdated,
    /// An import of usage records ended.
    UsageImported,
    /// The daemon accepts connections.
    DaemonStarted,
    /// The daemon is about to close its connections.
    DaemonShuttingDown,
}

impl EventKind {
    /// All kinds, in documented order.
    pub const ALL: [EventKind; 17] = [
        Self::ProfileCreated,
        Self::ProfileUpdated,
        Self::ProfileDeleted,
        Self::ProfileStarted,
        Self::ProfileStopped,
        Self::AgentDetected,
        Self::AgentUpdated,
        Self::RegistrySyncStarted,
        Self::RegistrySyncCompleted,
        Self::RegistrySyncFailed,
        Self::ProxyStarted,
        Self::ProxyStopped,
        Self::ProxyError,
        Self::UsageUpdated,
        Self::UsageImported,
        Self::DaemonStarted,
        Self::DaemonShuttingDown,
    ];

    /// Its place in [`EventKind::ALL`], for tables with an entry a kind. Not part of the wire.
    ///
    /// ```
    /// use clown_events::EventKind;
    ///
    /// let mut seen = [0_u64; EventKind::ALL.len()];
    /// seen[EventKind::ProxyError.index()] += 1;
    /// assert_eq!(EventKind::ALL[EventKind::ProxyError.index()], EventKind::ProxyError);
    /// ```
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The `type` on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProfileCreated => "ProfileCreated",
            Self::ProfileUpdated => "ProfileUpdated",
            Self::ProfileDeleted => "ProfileDeleted",
            Self::ProfileStarted => "ProfileStarted",
            Self::ProfileStopped => "ProfileStopped",
            Self::AgentDetected => "AgentDetected",
            Self::AgentUpdated => "AgentUpdated",
            Self::RegistrySyncStarted => "RegistrySyncStarted",
            Self::RegistrySyncCompleted => "RegistrySyncCompleted",
            Self::RegistrySyncFailed => "RegistrySyncFailed",
            Self::ProxyStarted => "ProxyStarted",
            Self::ProxyStopped => "ProxyStopped",
            Self::ProxyError => "ProxyError",
            Self::UsageUpdated => "UsageUpdated",
            Self::UsageImported => "UsageImported",
            Self::DaemonStarted => "DaemonStarted",
            Self::DaemonShuttingDown => "DaemonShuttingDown",
        }
    }

    /// The kind of exactly this name, if there is one.
    ///
    /// Cheaper than [`str::parse`] where the nearest name is of no interest.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What the event is about.
    #[must_use]
    pub const fn group(self) -> EventGroup {
        match self {
            Self::ProfileCreated
            | Self::ProfileUpdated
            | Self::ProfileDeleted
            | Self::ProfileStarted
            | Self::ProfileStopped => EventGroup::Profile,
            Self::AgentDetected | Self::AgentUpdated => EventGroup::Agent,
            Self::RegistrySyncStarted | Self::RegistrySyncCompleted | Self::RegistrySyncFailed => {
                EventGroup::Registry
            }
            Self::ProxyStarted | Self::ProxyStopped | Self::ProxyError => EventGroup::Proxy,
            Self::UsageUpdated | Self::UsageImported => EventGroup::Usage,
            Self::DaemonStarted | Self::DaemonShuttingDown => EventGroup::Daemon,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::from_name(name).ok_or_else(|| UnknownKind {
            name: name.to_owned(),
            nearest: nearest(name, &Self::ALL, Self::name),
        })
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// What an event is about; each kind's name begins with its group's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventGroup {
    /// Profiles and their runs.
    Profile,
    /// Coding agents on this machine.
    Agent,
    /// The registry of manifests and models.
    Registry,
    /// Proxy instances.
    Proxy,
    /// Tokens and costs.
    Usage,
    /// The daemon itself.
    Daemon,
}

impl EventGroup {
    /// All groups, in documented order.
    pub const ALL: [EventGroup; 6] = [
        Self::Profile,
        Self::Agent,
        Self::Registry,
        Self::Proxy,
        Self::Usage,
        Self::Daemon,
    ];

    /// The name, which is also what the names of its events begin with.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profile => "Profile",
            Self::Agent => "Agent",
            Self::Registry => "Registry",
            Self::Proxy => "Proxy",
            Self::Usage => "Usage",
            Self::Daemon => "Daemon",
        }
    }
}

impl fmt::Display for EventGroup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that no event has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownKind {
    /// The name as it was given.
    pub name: String,
    /// The known name that was probably meant, if any is close.
    pub nearest: Option<EventKind>,
}

impl fmt::Display for UnknownKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unknown event type {:?}", self.name)?;
        match self.nearest {
            Some(nearest) => write!(formatter, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownKind {}

/// The candidate whose name is closest, if it differs in at most two of five letters. Case and `_` do not count.
pub(crate) fn nearest<T: Copy>(
    name: &str,
    candidates: &[T],
    name_of: impl Fn(T) -> &'static str,
) -> Option<T> {
    // Longer names are no typing errors, and the work grows with the length.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let letters = |name: &str| -> Vec<char> {
        name.chars()
            .filter(|letter| letter.is_alphanumeric())
            .map(|letter| letter.to_ascii_lowercase())
            .collect()
    };
    let wanted = letters(name);
    candidates
        .iter()
        .map(|candidate| (*candidate, letters(name_of(*candidate))))
        .map(|(candidate, known)| {
            (
                candidate,
                edits(&wanted, &known),
                wanted.len().max(known.len()),
            )
        })
        .filter(|(_, edits, length)| edits * 5 <= length * 2)
        .min_by_key(|(_, edits, _)| *edits)
        .map(|(candidate, ..)| candidate)
}

/// How many letters must be changed, added, removed, or swapped with their neighbour.
fn edits(from: &[char], to: &[char]) -> usize {
    let mut before = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for row in 1..=from.len() {
        let mut current = vec![row];
        for column in 1..=to.len() {
            let same = from[row - 1] == to[column - 1];
            let mut cost = (last[column - 1] + usize::from(!same))
                .min(last[column] + 1)
                .min(current[column - 1] + 1);
            if row > 1
                && column > 1
                && from[row - 1] == to[column - 2]
                && from[row - 2] == to[column - 1]
            {
                cost = cost.min(before[column - 2] + 1);
            }
            current.push(cost);
        }
        before = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_ordered_and_begin_with_their_group() {
        for (index, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind as u8), index);
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
            assert_eq!(kind.name().parse(), Ok(kind));
            assert!(kind.name().starts_with(kind.group().name()));
            assert_eq!(format!("{kind:?}"), kind.name());
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<EventKind>(&json).unwrap(), kind);
            assert_eq!(
                serde_json::from_value::<EventKind>(kind.name().into()).unwrap(),
                kind
            );
        }
        let mut sorted = EventKind::ALL;
        sorted.sort();
        assert_eq!(sorted, EventKind::ALL);
    }

    #[track_caller]
    fn check(name: &str, expected: Option<EventKind>) {
        let error = name.parse::<EventKind>().unwrap_err();
        assert_eq!(error.nearest, expected, "{name}");
        assert_eq!(error.name, name);
    }

    #[test]
    fn a_mistyped_name_finds_the_nearest() {
        check("ProfilCreated", Some(EventKind::ProfileCreated));
        check("profile_created", Some(EventKind::ProfileCreated));
        check("PROXYERROR", Some(EventKind::ProxyError));
        check("PorxyStarted", Some(EventKind::ProxyStarted));
        check("ProxyStoped", Some(EventKind::ProxyStopped));
        check("UsageUpdate", Some(EventKind::UsageUpdated));
        check("DaemonShutdown", Some(EventKind::DaemonShuttingDown));
        check("", None);
        check("Nope", None);
        check("☃☃☃☃", None);
        check(&"ProfileCreated".repeat(1000), None);
    }

    #[test]
    fn errors_say_what_was_meant() {
        let message = |name: &str| name.parse::<EventKind>().unwrap_err().to_string();
        assert_eq!(
            message("AgentUpdatd"),
            "unknown event type \"AgentUpdatd\"; did you mean AgentUpdated?"
        );
        assert_eq!(message("Nope"), "unknown event type \"Nope\"");
    }
}
