use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::envelope::Frame;
use crate::{ControlEnvelope, ControlMessage, Envelope, ParseError};

/// Anything that the daemon sends in a text frame.
///
/// ```
/// use clown_events::{ControlMessage, ServerMessage};
///
/// let text = r#"{"type":"Pong","timestamp":"2026-01-08T10:30:00Z","data":{"id":2}}"#;
/// match ServerMessage::parse(text)? {
///     ServerMessage::Event(envelope) => println!("{} at {}", envelope.event.name(), envelope.timestamp),
///     ServerMessage::Control(control) => {
///         assert_eq!(control.message, ControlMessage::Pong { id: Some(2.into()) });
///     }
/// }
/// # Ok::<(), clown_events::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// Something became true.
    Event(Envelope),
    /// Something about this connection.
    Control(ControlEnvelope),
}

impl ServerMessage {
    /// Reads a message from its JSON text and tells by its `type` which it is. A type that is not known at all is an
    /// event's.
    ///
    /// # Errors
    /// When the text is no JSON, a member is missing or wrong, or the data does not fit the type.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::from_frame(Frame::parse(text)?)
    }

    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Event(envelope) => envelope.to_json(),
            Self::Control(envelope) => envelope.to_json(),
        }
    }

    /// The place in the stream, where the client asked for it.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Event(envelope) => envelope.seq,
            Self::Control(envelope) => envelope.seq,
        }
    }

    fn from_frame(frame: Frame) -> Result<Self, ParseError> {
        if ControlMessage::is_name(&frame.name) {
            frame.into_control().map(Self::Control)
        } else {
            frame.into_envelope().map(Self::Event)
        }
    }
}

impl FromStr for ServerMessage {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl Serialize for ServerMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Event(envelope) => envelope.serialize(serializer),
            Self::Control(envelope) => envelope.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ServerMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_frame(Frame::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
