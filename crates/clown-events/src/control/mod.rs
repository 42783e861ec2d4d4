mod data;

use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use self::data::Data;
use crate::envelope::{self, Frame};
use crate::{ErrorCode, ParseError, Timestamp};

/// What the daemon tells one client about its connection; it is not an event and in no journal.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ControlMessage {
    /// Answers `subscribe` and `unsubscribe`: the filter in force from here on.
    Subscribed {
        /// The `id` of the message that is answered.
        id: Option<Value>,
        /// The names and patterns in force.
        events: Vec<String>,
        /// The profiles that events must concern; empty for any.
        profiles: Vec<String>,
        /// Those of `events` that mean nothing which the daemon knows.
        unknown: Vec<String>,
        /// The point of the stream from which the filter is in force.
        seq: u64,
    },
    /// Answers `ping`.
    Pong {
        /// The `id` of the message that is answered.
        id: Option<Value>,
    },
    /// Refuses a message.
    Error {
        /// The `id` of the message that is refused, where it could be read.
        id: Option<Value>,
        /// What a program goes by.
        code: ErrorCode,
        /// What a person reads.
        message: String,
    },
    /// Events between `since` and `oldest` are no longer retained. Refresh from the daemon's state.
    Gap {
        /// What the client asked to resume after.
        since: u64,
        /// The oldest event that is retained; it follows next.
        oldest: u64,
        /// The newest one.
        latest: u64,
    },
    /// The stream went on without anything for this client; the envelope's `seq` is its new place.
    Cursor {},
}

impl ControlMessage {
    /// The `type` on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Subscribed { .. } => "Subscribed",
            Self::Pong { .. } => "Pong",
            Self::Error { .. } => "Error",
            Self::Gap { .. } => "Gap",
            Self::Cursor {} => "Cursor",
        }
    }

    /// Whether a message of this `type` is a control message.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        matches!(name, "Subscribed" | "Pong" | "Error" | "Gap" | "Cursor")
    }
}

/// A control message on the wire, in the shape of an event's envelope.
///
/// ```
/// use clown_events::{ControlEnvelope, ControlMessage, Timestamp};
///
/// let moment: Timestamp = "2026-01-08T10:30:00Z".parse()?;
/// let cursor = ControlEnvelope::new(moment, ControlMessage::Cursor {}).with_seq(7);
/// assert_eq!(cursor.to_json(), r#"{"type":"Cursor","timestamp":"2026-01-08T10:30:00Z","data":{},"seq":7}"#);
/// # Ok::<(), clown_events::TimestampError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ControlEnvelope {
    /// When the daemon wrote it.
    pub timestamp: Timestamp,
    /// What it says.
    pub message: ControlMessage,
    /// The client's place in the stream, where it asked for that.
    pub seq: Option<u64>,
}

impl ControlEnvelope {
    /// An envelope without `seq`.
    #[must_use]
    pub fn new(timestamp: Timestamp, message: impl Into<ControlMessage>) -> Self {
        Self {
            timestamp,
            message: message.into(),
            seq: None,
        }
    }

    /// Sets the client's place in the stream.
    #[must_use]
    pub fn with_seq(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// Reads a control message from its JSON text.
    ///
    /// # Errors
    /// When the text is no JSON, a member is missing or wrong, or the type is not a control message's.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Frame::parse(text)?.into_control()
    }

    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        envelope::to_json(
            self.message.name(),
            self.timestamp,
            &Data(&self.message),
            self.seq,
        )
    }
}

impl Frame {
    pub fn into_control(self) -> Result<ControlEnvelope, ParseError> {
        let message = data::read(&self.name, &self.data)?;
        Ok(ControlEnvelope {
            timestamp: self.timestamp,
            message,
            seq: self.seq,
        })
    }
}

impl FromStr for ControlEnvelope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl Serialize for ControlEnvelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        envelope::serialize(
            serializer,
            self.message.name(),
            self.timestamp,
            &Data(&self.message),
            self.seq,
        )
    }
}

impl<'de> Deserialize<'de> for ControlEnvelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Frame::deserialize(deserializer)?
            .into_control()
            .map_err(D::Error::custom)
    }
}
