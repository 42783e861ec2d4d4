//! The `data` of control messages.

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::ControlMessage;
use crate::payload::read_members;
use crate::{ErrorCode, ParseError};

/// Writes a control message's `data` alone.
pub(super) struct Data<'a>(pub &'a ControlMessage);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        if let ControlMessage::Subscribed { id: Some(id), .. }
        | ControlMessage::Pong { id: Some(id) }
        | ControlMessage::Error { id: Some(id), .. } = self.0
        {
            members.serialize_entry("id", id)?;
        }
        match self.0 {
            ControlMessage::Subscribed {
                events,
                profiles,
                unknown,
                seq,
                ..
            } => {
                members.serialize_entry("events", events)?;
                members.serialize_entry("profiles", profiles)?;
                members.serialize_entry("unknown", unknown)?;
                members.serialize_entry("seq", seq)?;
            }
            ControlMessage::Error { code, message, .. } => {
                members.serialize_entry("code", code)?;
                members.serialize_entry("message", message)?;
            }
            ControlMessage::Gap {
                since,
                oldest,
                latest,
            } => {
                members.serialize_entry("since", since)?;
                members.serialize_entry("oldest", oldest)?;
                members.serialize_entry("latest", latest)?;
            }
            ControlMessage::Pong { .. } | ControlMessage::Cursor {} => {}
        }
        members.end()
    }
}

/// The control message of this name with this data.
pub(super) fn read(name: &str, data: &RawValue) -> Result<ControlMessage, ParseError> {
    match name {
        "Subscribed" => read_as::<Subscribed>(data),
        "Pong" => read_as::<Pong>(data),
        "Error" => read_as::<Error>(data),
        "Gap" => read_as::<Gap>(data),
        "Cursor" => read_as::<Cursor>(data),
        _ => Err(serde_json::Error::custom("not a control message")),
    }
    .map_err(|error| ParseError::in_data(name, &error))
}

fn read_as<T: DeserializeOwned + Into<ControlMessage>>(
    data: &RawValue,
) -> serde_json::Result<ControlMessage> {
    serde_json::from_str::<T>(data.get()).map(Into::into)
}

// A variant of an enum cannot be read on its own, so each has a struct beside it.

struct Subscribed {
    id: Id,
    events: Vec<String>,
    profiles: Vec<String>,
    unknown: Vec<String>,
    seq: u64,
}

read_members!(Subscribed { events, profiles, unknown, seq; or_default id });

impl From<Subscribed> for ControlMessage {
    fn from(data: Subscribed) -> Self {
        let Subscribed {
            id: Id(id),
            events,
            profiles,
            unknown,
            seq,
        } = data;
        Self::Subscribed {
            id,
            events,
            profiles,
            unknown,
            seq,
        }
    }
}

struct Pong {
    id: Id,
}

read_members!(Pong { ; or_default id });

impl From<Pong> for ControlMessage {
    fn from(data: Pong) -> Self {
        Self::Pong { id: data.id.0 }
    }
}

struct Error {
    id: Id,
    code: ErrorCode,
    message: String,
}

read_members!(Error { code, message; or_default id });

impl From<Error> for ControlMessage {
    fn from(data: Error) -> Self {
        Self::Error {
            id: data.id.0,
            code: data.code,
            message: data.message,
        }
    }
}

struct Gap {
    since: u64,
    oldest: u64,
    latest: u64,
}

read_members!(Gap {
    since,
    oldest,
    latest
});

impl From<Gap> for ControlMessage {
    fn from(data: Gap) -> Self {
        Self::Gap {
            since: data.since,
            oldest: data.oldest,
            latest: data.latest,
        }
    }
}

struct Cursor {}

read_members!(Cursor {});

impl From<Cursor> for ControlMessage {
    fn from(_: Cursor) -> Self {
        Self::Cursor {}
    }
}

/// An `id` as it stands there, so that `null` comes back as `null` and not as nothing.
#[derive(Default)]
struct Id(Option<Value>);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Some).map(Self)
    }
}
