use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::payload::{
    AgentDetected, AgentUpdated, DaemonShuttingDown, DaemonStarted, ProfileCreated, ProfileDeleted,
    ProfileStarted, ProfileStopped, ProfileUpdated, ProxyError, ProxyStarted, ProxyStopped,
    RegistrySyncCompleted, RegistrySyncFailed, RegistrySyncStarted, UsageImported, UsageUpdated,
};
use crate::{EventKind, ParseError};

/// Something that became true.
///
/// An event of a type that this version does not know is kept whole in [`Event::Unknown`]. A known type whose data is
/// wrong is never that; it is an error that names the member.
///
/// ```
/// use clown_events::{Event, EventKind, ProfileStarted};
///
/// let event = Event::from(ProfileStarted::new("work", 12345));
/// assert_eq!(event.kind(), Some(EventKind::ProfileStarted));
/// assert_eq!(event.name(), "ProfileStarted");
/// assert_eq!(event.profile(), Some("work"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A profile exists that did not.
    ProfileCreated(ProfileCreated),
    /// A profile's definition differs.
    ProfileUpdated(ProfileUpdated),
    /// A profile is gone.
    ProfileDeleted(ProfileDeleted),
    /// A run's process exists.
    ProfileStarted(ProfileStarted),
    /// A run's process is gone.
    ProfileStopped(ProfileStopped),
    /// An agent was found that was not there.
    AgentDetected(AgentDetected),
    /// An agent's version or path differs.
    AgentUpdated(AgentUpdated),
    /// A registry sync began.
    RegistrySyncStarted(RegistrySyncStarted),
    /// A registry sync ended well.
    RegistrySyncCompleted(RegistrySyncCompleted),
    /// A registry sync failed.
    RegistrySyncFailed(RegistrySyncFailed),
    /// A proxy instance accepts connections.
    ProxyStarted(ProxyStarted),
    /// A proxy instance's process is gone.
    ProxyStopped(ProxyStopped),
    /// A proxy instance could not start, died unasked, or lost all its upstreams.
    ProxyError(ProxyError),
    /// Usage was added to a profile.
    UsageUpdated(UsageUpdated),
    /// An import of usage records ended.
    UsageImported(UsageImported),
    /// The daemon accepts connections.
    DaemonStarted(DaemonStarted),
    /// The daemon is about to close its connections.
    DaemonShuttingDown(DaemonShuttingDown),
    /// An event of a type that this version does not know.
    Unknown(UnknownEvent),
}

impl Event {
    /// The event of this name with this data; an unknown name gives [`Event::Unknown`].
    ///
    /// # Errors
    /// When the name is known and the data does not fit it; the text names the event and the member.
    ///
    /// ```
    /// use clown_events::Event;
    /// use serde_json::value::RawValue;
    ///
    /// let data: Box<RawValue> = serde_json::from_str(r#"{"alias":"work","pid":"x"}"#)?;
    /// let error = Event::from_parts("ProfileStarted", &data).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"ProfileStarted: member "pid": invalid type: string "x", expected u32"#,
    /// );
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn from_parts(name: &str, data: &RawValue) -> Result<Self, ParseError> {
        match EventKind::from_name(name) {
            Some(kind) => read_known(kind, data),
            None => Ok(Self::Unknown(UnknownEvent {
                name: name.to_owned(),
                data: data.to_owned(),
            })),
        }
    }

    /// The kind, or `None` for an event of an unknown type.
    #[must_use]
    pub const fn kind(&self) -> Option<EventKind> {
        known_kind(self)
    }

    /// The `type` on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown(event) => &event.name,
            known => known.kind().map_or("", EventKind::name),
        }
    }

    /// The alias of the profile that the event concerns, if it concerns one.
    ///
    /// It is known for profile and proxy events and [`Event::UsageUpdated`]; never for an unknown type.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        match self {
            Self::ProfileCreated(data) => Some(&data.alias),
            Self::ProfileUpdated(data) => Some(&data.alias),
            Self::ProfileDeleted(data) => Some(&data.alias),
            Self::ProfileStarted(data) => Some(&data.alias),
            Self::ProfileStopped(data) => Some(&data.alias),
            Self::ProxyStarted(data) => Some(&data.profile),
            Self::ProxyStopped(data) => Some(&data.profile),
            Self::ProxyError(data) => Some(&data.profile),
            Self::UsageUpdated(data) => Some(&data.profile),
            Self::AgentDetected(_)
            | Self::AgentUpdated(_)
            | Self::RegistrySyncStarted(_)
            | Self::RegistrySyncCompleted(_)
            | Self::RegistrySyncFailed(_)
            | Self::UsageImported(_)
            | Self::DaemonStarted(_)
            | Self::DaemonShuttingDown(_)
            | Self::Unknown(_) => None,
        }
    }
}

/// An event of a type that this version does not know, kept as it came.
///
/// It is only ever made by reading, so its name is never one that is known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnknownEvent {
    /// The `type` on the wire.
    pub name: String,
    /// The `data` on the wire, byte for byte.
    pub data: Box<RawValue>,
}

/// Equal when the name and every byte of the data are.
impl PartialEq for UnknownEvent {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.data.get() == other.data.get()
    }
}

impl Eq for UnknownEvent {}

/// Writes an event's `data` alone; the envelope writes the rest.
pub(crate) struct Data<'a>(pub &'a Event);

/// One arm for each event, wherever the type of the data matters.
macro_rules! known_events {
    ($($name:ident),+ $(,)?) => {
        $(
            impl From<$name> for Event {
                fn from(data: $name) -> Self {
                    Self::$name(data)
                }
            }
        )+

        const fn known_kind(event: &Event) -> Option<EventKind> {
            match event {
                $(Event::$name(_) => Some(EventKind::$name),)+
                Event::Unknown(_) => None,
            }
        }

        fn read_known(kind: EventKind, data: &RawValue) -> Result<Event, ParseError> {
            match kind {
                $(EventKind::$name => serde_json::from_str(data.get()).map(Event::$name),)+
            }
            .map_err(|error| ParseError::in_data(kind.name(), &error))
        }

        impl Serialize for Data<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    $(Event::$name(data) => data.serialize(serializer),)+
                    Event::Unknown(event) => event.data.serialize(serializer),
                }
            }
        }
    };
}

known_events! {
    ProfileCreated, ProfileUpdated, ProfileDeleted, ProfileStarted, ProfileStopped,
    AgentDetected, AgentUpdated,
    RegistrySyncStarted, RegistrySyncCompleted, RegistrySyncFailed,
    ProxyStarted, ProxyStopped, ProxyError,
    UsageUpdated, UsageImported,
    DaemonStarted, DaemonShuttingDown,
}
