//! The forms in which a stream's events go out.

use super::frame;
use bytes::Bytes;
use clown_core::Seq;
use clown_core::bus::Slice;
use clown_events::{ControlEnvelope, ControlMessage, Timestamp};

/// How events and messages are written for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Frames without `seq`.
    Plain,
    /// Frames with `seq`.
    Sequenced,
    /// Server-Sent Events; the number is the event's id.
    ServerSent,
}

impl Form {
    /// Whether the client can tell where it stood, and so resume.
    pub(super) fn keeps_place(self) -> bool {
        self != Self::Plain
    }

    /// All events of `slice`.
    pub(super) fn all(self, slice: &Slice) -> Bytes {
        match self {
            Self::Plain => slice.plain(),
            Self::Sequenced => slice.sequenced(),
            Self::ServerSent => {
                let mut text = Vec::new();
                for index in 0..slice.entries().len() {
                    append_event(&mut text, slice, index);
                }
                text.into()
            }
        }
    }

    /// The event at `index` of `slice`.
    pub(super) fn one(self, slice: &Slice, index: usize) -> Bytes {
        match self {
            Self::Plain => slice.frame(index, false),
            Self::Sequenced => slice.frame(index, true),
            Self::ServerSent => {
                let mut text = Vec::new();
                append_event(&mut text, slice, index);
                text.into()
            }
        }
    }

    /// A message for one client, which stands at `place`.
    pub(super) fn message(self, message: ControlMessage, place: Seq) -> Bytes {
        if self == Self::ServerSent && message == (ControlMessage::Cursor {}) {
            return self::place(place);
        }
        let name = message.name();
        let envelope = ControlEnvelope::new(Timestamp::now(), message);
        match self {
            Self::Plain => frame::text(&envelope.to_json()),
            Self::Sequenced => frame::text(&envelope.with_seq(place.0).to_json()),
            Self::ServerSent => {
                let json = envelope.with_seq(place.0).to_json();
                let mut text = Vec::new();
                append(&mut text, place, name, json.as_bytes());
                text.into()
            }
        }
    }
}

/// An id without an event: a browser keeps it for its next `Last-Event-ID` and tells the page
/// nothing.
pub(super) fn place(place: Seq) -> Bytes {
    format!("id: {place}\n\n").into()
}

fn append_event(text: &mut Vec<u8>, slice: &Slice, index: usize) {
    let entry = &slice.entries()[index];
    let name = match (entry.kind, &entry.unknown_name) {
        (Some(kind), _) => kind.name(),
        (None, name) => name.as_deref().unwrap_or_default(),
    };
    append(text, entry.seq, name, &slice.json(index, true));
}

/// JSON as this daemon writes it holds no line break, which would end the field.
fn append(text: &mut Vec<u8>, seq: Seq, name: &str, json: &[u8]) {
    text.extend_from_slice(format!("id: {seq}\nevent: {name}\ndata: ").as_bytes());
    text.extend_from_slice(json);
    text.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: Form, message: ControlMessage) -> String {
        String::from_utf8(form.message(message, Seq(7)).to_vec()).unwrap()
    }

    #[test]
    fn a_gap_is_an_event_and_a_place_is_none() {
        let gap = ControlMessage::Gap {
            since: 1,
            oldest: 8,
            latest: 9,
        };
        let sent = text(Form::ServerSent, gap);
        assert!(sent.starts_with("id: 7\nevent: Gap\ndata: {\"type\":\"Gap\","));
        assert!(sent.ends_with("\"data\":{\"since\":1,\"oldest\":8,\"latest\":9},\"seq\":7}\n\n"));
        assert_eq!(sent.matches('\n').count(), 4);
        assert_eq!(
            text(Form::ServerSent, ControlMessage::Cursor {}),
            "id: 7\n\n"
        );
    }
}
