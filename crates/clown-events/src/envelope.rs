use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Error as _, IgnoredAny, MapAccess};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{missing, read_once};
use crate::event::Data;
use crate::{Event, ParseError, Timestamp};

/// The largest `seq`: JSON readers that know only floats hold every whole number up to it.
pub const MAX_SEQ: u64 = (1 << 53) - 1;

/// One event on the wire: `{"type": "...", "timestamp": "...", "data": {...}}`, and `"seq"` where the client asked for
/// it.
///
/// Members are written in this order, without blanks. They are read in any order, and members that are not known are
/// skipped, in the envelope and in the data. Reading takes `serde_json`, from text, bytes, a reader or a
/// [`serde_json::Value`].
///
/// ```
/// use clown_events::{Envelope, Event};
///
/// let text = r#"{"type":"ProfileDeleted","timestamp":"2026-01-08T10:30:00Z","data":{"alias":"work"},"seq":7}"#;
/// let envelope = Envelope::parse(text)?;
/// assert!(matches!(&envelope.event, Event::ProfileDeleted(data) if data.alias == "work"));
/// assert_eq!(envelope.seq, Some(7));
/// assert_eq!(envelope.to_json(), text);
/// # Ok::<(), clown_events::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// When it became true.
    pub timestamp: Timestamp,
    /// What became true.
    pub event: Event,
    /// The event's place in the journal: strictly increasing, not contiguous, at most [`MAX_SEQ`]. Only where the client
    /// asked for it.
    pub seq: Option<u64>,
}

impl Envelope {
    /// An envelope without `seq`.
    #[must_use]
    pub fn new(timestamp: Timestamp, event: impl Into<Event>) -> Self {
        Self {
            timestamp,
            event: event.into(),
            seq: None,
        }
    }

    /// Sets the event's place in the journal.
    #[must_use]
    pub fn with_seq(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// Reads an envelope from its JSON text.
    ///
    /// # Errors
    /// When the text is no JSON, a member is missing or wrong, or the data does not fit the type.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Frame::parse(text)?.into_envelope()
    }

    /// Appends the JSON text to the buffer, without `seq`.
    ///
    /// So one text serves every client; [`append_seq`] and [`write_sequenced`] make of it what those get that asked
    /// for `seq`.
    pub fn write_json(&self, buffer: &mut Vec<u8>) {
        write(
            buffer,
            self.event.name(),
            self.timestamp,
            &Data(&self.event),
            None,
        );
    }

    /// The JSON text, with `seq` if there is one.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(
            self.event.name(),
            self.timestamp,
            &Data(&self.event),
            self.seq,
        )
    }
}

/// Makes of an envelope's JSON text the one that carries `seq` as its last member.
///
/// The buffer ends with what [`Envelope::write_json`] wrote; one that does not end with `}` is left alone.
///
/// ```
/// use clown_events::{Envelope, ProfileDeleted, Timestamp, append_seq};
///
/// let envelope = Envelope::new(Timestamp::now(), ProfileDeleted::new("work"));
/// let mut buffer = Vec::new();
/// envelope.write_json(&mut buffer);
/// append_seq(&mut buffer, 7);
/// assert_eq!(buffer, envelope.with_seq(7).to_json().into_bytes());
/// ```
pub fn append_seq(buffer: &mut Vec<u8>, seq: u64) {
    if buffer.last() == Some(&b'}') {
        buffer.pop();
        buffer.extend_from_slice(format!(",\"seq\":{seq}}}").as_bytes());
    }
}

/// Appends a frame's JSON text to a buffer, with `seq` as its last member.
///
/// Like [`append_seq`], for a frame that other clients share.
pub fn write_sequenced(frame: &[u8], seq: u64, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(frame);
    append_seq(buffer, seq);
}

impl FromStr for Envelope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(
            serializer,
            self.event.name(),
            self.timestamp,
            &Data(&self.event),
            self.seq,
        )
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Frame::deserialize(deserializer)?
            .into_envelope()
            .map_err(D::Error::custom)
    }
}

/// The members that every message of the daemon has, before anything is known of its type.
pub(crate) struct Frame {
    pub name: String,
    pub timestamp: Timestamp,
    pub data: Box<RawValue>,
    pub seq: Option<u64>,
}

impl Frame {
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        serde_json::from_str(text).map_err(|error| ParseError::of_message(&error))
    }

    pub fn into_envelope(self) -> Result<Envelope, ParseError> {
        let event = Event::from_parts(&self.name, &self.data)?;
        Ok(Envelope {
            timestamp: self.timestamp,
            event,
            seq: self.seq,
        })
    }
}

// The data is kept as it stands until the type is known, as members come in any order.
impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> de::Visitor<'de> for Members {
            type Value = Frame;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with type, timestamp, data")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Frame, A::Error> {
                let (mut name, mut timestamp, mut data, mut seq) = (None, None, None, None);
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match key.as_ref() {
                        "type" => read_once(&mut map, "type", &mut name)?,
                        "timestamp" => read_once(&mut map, "timestamp", &mut timestamp)?,
                        "data" => read_once(&mut map, "data", &mut data)?,
                        "seq" => read_once(&mut map, "seq", &mut seq)?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Frame {
                    name: name.ok_or_else(|| missing("type"))?,
                    timestamp: timestamp.ok_or_else(|| missing("timestamp"))?,
                    data: data.ok_or_else(|| missing("data"))?,
                    seq,
                })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

pub(crate) fn serialize<S: Serializer>(
    serializer: S,
    name: &str,
    timestamp: Timestamp,
    data: &impl Serialize,
    seq: Option<u64>,
) -> Result<S::Ok, S::Error> {
    let mut members = serializer.serialize_struct("Envelope", 3 + usize::from(seq.is_some()))?;
    members.serialize_field("type", name)?;
    members.serialize_field("timestamp", &timestamp)?;
    members.serialize_field("data", data)?;
    if let Some(seq) = seq {
        members.serialize_field("seq", &seq)?;
    }
    members.end()
}

pub(crate) fn write(
    buffer: &mut Vec<u8>,
    name: &str,
    timestamp: Timestamp,
    data: &impl Serialize,
    seq: Option<u64>,
) {
    serialize(
        &mut serde_json::Serializer::new(buffer),
        name,
        timestamp,
        data,
        seq,
    )
    .expect(
        "writing to memory does not fail, and no wire type has a map with keys that are no strings",
    );
}

pub(crate) fn to_json(
    name: &str,
    timestamp: Timestamp,
    data: &impl Serialize,
    seq: Option<u64>,
) -> String {
    let mut buffer = Vec::new();
    write(&mut buffer, name, timestamp, data, seq);
    String::from_utf8(buffer).expect("JSON made of strings is UTF-8")
}
