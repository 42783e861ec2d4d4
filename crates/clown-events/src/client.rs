use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::filter::error::shortened;
use crate::filter::{patterns_of, profiles_of};
use crate::{ControlMessage, FilterError};

/// What a client asks of the daemon in a text message.
///
/// An `id`, any JSON value, comes back in the answer.
///
/// ```
/// use clown_events::{ClientMessage, ErrorCode};
///
/// let message = ClientMessage::subscribe(["ProfileCreated", "Usage*"]).with_profiles(["work"]).with_id(1);
/// let text = r#"{"action":"subscribe","events":["ProfileCreated","Usage*"],"profiles":["work"],"id":1}"#;
/// assert_eq!(message.to_json(), text);
/// assert_eq!(ClientMessage::parse(text), Ok(message));
///
/// let refused = ClientMessage::parse(r#"{"action":"subscribe"}"#).unwrap_err();
/// assert_eq!(refused.code, ErrorCode::InvalidEvents);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientMessage {
    /// Replaces the whole filter; answered by `Subscribed`.
    Subscribe {
        /// Exact names or prefixes with `*`; `*` alone is all, no element none.
        events: Vec<String>,
        /// The aliases of the profiles that events must concern; empty for any.
        profiles: Vec<String>,
        /// What the answer repeats.
        id: Option<Value>,
    },
    /// Takes names away from what is in force; answered by `Subscribed`.
    Unsubscribe {
        /// Exact names or prefixes with `*`.
        events: Vec<String>,
        /// What the answer repeats.
        id: Option<Value>,
    },
    /// Asks for a `Pong`.
    Ping {
        /// What the answer repeats.
        id: Option<Value>,
    },
}

impl ClientMessage {
    /// A message that asks for these events, of any profile.
    #[must_use]
    pub fn subscribe<E: Into<String>>(events: impl IntoIterator<Item = E>) -> Self {
        Self::Subscribe {
            events: events.into_iter().map(Into::into).collect(),
            profiles: Vec::new(),
            id: None,
        }
    }

    /// A message that asks for these events no more.
    #[must_use]
    pub fn unsubscribe<E: Into<String>>(events: impl IntoIterator<Item = E>) -> Self {
        Self::Unsubscribe {
            events: events.into_iter().map(Into::into).collect(),
            id: None,
        }
    }

    /// A message that asks for a `Pong`.
    #[must_use]
    pub const fn ping() -> Self {
        Self::Ping { id: None }
    }

    /// Sets the profiles that events must concern; only [`ClientMessage::Subscribe`] has them.
    #[must_use]
    pub fn with_profiles<P: Into<String>>(mut self, aliases: impl IntoIterator<Item = P>) -> Self {
        if let Self::Subscribe { profiles, .. } = &mut self {
            *profiles = aliases.into_iter().map(Into::into).collect();
        }
        self
    }

    /// Sets what the answer repeats.
    #[must_use]
    pub fn with_id(mut self, value: impl Into<Value>) -> Self {
        let (Self::Subscribe { id, .. } | Self::Unsubscribe { id, .. } | Self::Ping { id }) =
            &mut self;
        *id = Some(value.into());
        self
    }

    /// What the answer repeats.
    #[must_use]
    pub const fn id(&self) -> Option<&Value> {
        let (Self::Subscribe { id, .. } | Self::Unsubscribe { id, .. } | Self::Ping { id }) = self;
        id.as_ref()
    }

    /// Reads a message as the daemon does. Names of unknown events pass; malformed ones do not. Members that are not
    /// known are skipped.
    ///
    /// # Errors
    /// With the code and the `id` that the daemon answers with.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let mut members: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            ClientError::new(
                ErrorCode::InvalidJson,
                format!("the message is no JSON object: {error}"),
            )
        })?;
        let id = members.remove("id");
        Self::from_members(&members, id.clone()).map_err(|error| ClientError { id, ..error })
    }

    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and JSON values can always be written")
    }

    fn from_members(members: &Map<String, Value>, id: Option<Value>) -> Result<Self, ClientError> {
        match members.get("action").and_then(Value::as_str) {
            Some("subscribe") => {
                let events =
                    strings(members, "events")?.ok_or_else(|| lacks_events("subscribe"))?;
                let profiles = strings(members, "profiles")?.unwrap_or_default();
                patterns_of(&events)?;
                profiles_of(&profiles)?;
                Ok(Self::Subscribe {
                    events,
                    profiles,
                    id,
                })
            }
            Some("unsubscribe") => {
                let events =
                    strings(members, "events")?.ok_or_else(|| lacks_events("unsubscribe"))?;
                patterns_of(&events)?;
                Ok(Self::Unsubscribe { events, id })
            }
            Some("ping") => Ok(Self::Ping { id }),
            Some(other) => Err(ClientError::new(
                ErrorCode::UnknownAction,
                format!(
                    "unknown action {:?}; use subscribe, unsubscribe or ping",
                    shortened(other)
                ),
            )),
            None => Err(ClientError::new(
                ErrorCode::UnknownAction,
                "the message has no action; use subscribe, unsubscribe or ping",
            )),
        }
    }
}

impl Serialize for ClientMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        match self {
            Self::Subscribe {
                events, profiles, ..
            } => {
                members.serialize_entry("action", "subscribe")?;
                members.serialize_entry("events", events)?;
                if !profiles.is_empty() {
                    members.serialize_entry("profiles", profiles)?;
                }
            }
            Self::Unsubscribe { events, .. } => {
                members.serialize_entry("action", "unsubscribe")?;
                members.serialize_entry("events", events)?;
            }
            Self::Ping { .. } => members.serialize_entry("action", "ping")?,
        }
        if let Some(id) = self.id() {
            members.serialize_entry("id", id)?;
        }
        members.end()
    }
}

/// Why the daemon refuses a client's message. The connection stays open.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClientError {
    /// What a program goes by.
    pub code: ErrorCode,
    /// What a person reads.
    pub message: String,
    /// The `id` of the message, where it could be read.
    pub id: Option<Value>,
}

impl ClientError {
    /// An error without an `id`.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            id: None,
        }
    }

    /// Sets the `id` of the message that is refused.
    #[must_use]
    pub fn with_id(mut self, id: Option<Value>) -> Self {
        self.id = id;
        self
    }
}

impl From<FilterError> for ClientError {
    fn from(error: FilterError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// The answer that the client gets.
impl From<ClientError> for ControlMessage {
    fn from(error: ClientError) -> Self {
        Self::Error {
            id: error.id,
            code: error.code,
            message: error.message,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ClientError {}

/// What is wrong with a client's message, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The message is no JSON object. On the wire `invalid_json`.
    InvalidJson,
    /// There is no such action. On the wire `unknown_action`.
    UnknownAction,
    /// The names or profiles are absent or malformed. On the wire `invalid_events`.
    InvalidEvents,
    /// There are more than 128 names. On the wire `too_many`.
    TooMany,
    /// Messages came too fast. On the wire `rate_limited`.
    RateLimited,
    /// A code that a newer daemon gives, word for word.
    Other(String),
}

impl ErrorCode {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::UnknownAction => "unknown_action",
            Self::InvalidEvents => "invalid_events",
            Self::TooMany => "too_many",
            Self::RateLimited => "rate_limited",
            Self::Other(code) => code,
        }
    }
}

/// The code of this word; a word without a meaning here becomes [`ErrorCode::Other`].
impl From<&str> for ErrorCode {
    fn from(word: &str) -> Self {
        match word {
            "invalid_json" => Self::InvalidJson,
            "unknown_action" => Self::UnknownAction,
            "invalid_events" => Self::InvalidEvents,
            "too_many" => Self::TooMany,
            "rate_limited" => Self::RateLimited,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Cow::<str>::deserialize(deserializer)?.as_ref().into())
    }
}

fn lacks_events(action: &str) -> ClientError {
    let message =
        format!("{action} lacks the member \"events\", a list of names; [\"*\"] is all, [] none");
    ClientError::new(ErrorCode::InvalidEvents, message)
}

/// A member that is a list of strings; `None` if it is absent.
fn strings(members: &Map<String, Value>, member: &str) -> Result<Option<Vec<String>>, ClientError> {
    let Some(value) = members.get(member) else {
        return Ok(None);
    };
    let strings = value.as_array().and_then(|elements| {
        elements
            .iter()
            .map(|element| element.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
    });
    match strings {
        Some(strings) => Ok(Some(strings)),
        None => Err(ClientError::new(
            ErrorCode::InvalidEvents,
            format!("the member {member:?} is no list of strings"),
        )),
    }
}
