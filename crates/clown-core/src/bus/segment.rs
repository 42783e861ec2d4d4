use super::Interest;
use super::interest::Offer;
use crate::Seq;
use bytes::Bytes;
use clown_events::EventKind;
use std::ops::Range;
use std::sync::Arc;

/// A committed event before it is laid into a segment.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its number.
    pub seq: Seq,
    /// Its type; `None` when this version does not know it (written by a newer one).
    pub kind: Option<EventKind>,
    /// The type's name.
    pub name: Box<str>,
    /// The profile that it concerns.
    pub profile: Option<Box<str>>,
    /// The envelope as JSON, without `seq`.
    pub json: Vec<u8>,
}

/// One or more committed events, serialised once and laid out so that a socket can write them as
/// they are: each JSON text stands behind the header of its WebSocket text frame (RFC 6455, from a
/// server: not masked). There are two such runs of bytes, with and without `seq`.
#[derive(Debug)]
pub struct Segment {
    entries: Box<[Entry]>,
    offer: Offer,
    plain: Bytes,
    sequenced: Bytes,
}

/// One event of a segment.
#[derive(Debug)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// Its type, where this version knows it.
    pub kind: Option<EventKind>,
    /// The type's name, where it is not one of [`EventKind`].
    pub unknown_name: Option<Box<str>>,
    /// The profile that it concerns.
    pub profile: Option<Box<str>>,
    plain_end: usize,
    sequenced_end: usize,
}

impl Segment {
    /// Lays out `events`, which are in order. `None` when there are none.
    pub fn new(events: Vec<Committed>) -> Option<Self> {
        if events.is_empty() {
            return None;
        }
        let total: usize = events.iter().map(|event| event.json.len() + 4).sum();
        let mut plain = Vec::with_capacity(total);
        let mut sequenced = Vec::with_capacity(total + events.len() * 24);
        let mut offer = Offer::default();
        let entries = events
            .into_iter()
            .map(|event| {
                offer.add(event.kind, event.profile.as_deref());
                append_frame(&mut plain, &event.json, &[]);
                let seq_member = format!(",\"seq\":{}}}", event.seq);
                let open = event.json.strip_suffix(b"}").unwrap_or(&event.json);
                append_frame(&mut sequenced, open, seq_member.as_bytes());
                Entry {
                    seq: event.seq,
                    unknown_name: event.kind.is_none().then_some(event.name),
                    kind: event.kind,
                    profile: event.profile,
                    plain_end: plain.len(),
                    sequenced_end: sequenced.len(),
                }
            })
            .collect();
        Some(Self {
            entries,
            offer,
            plain: plain.into(),
            sequenced: sequenced.into(),
        })
    }

    /// The number of the last event.
    pub fn last(&self) -> Seq {
        self.entries.last().map_or(Seq::START, |entry| entry.seq)
    }

    /// What is among the events.
    pub(super) fn offer(&self) -> Offer {
        self.offer
    }

    /// How much memory the frames take.
    pub(crate) fn bytes(&self) -> usize {
        self.plain.len() + self.sequenced.len() + self.entries.len() * size_of::<Entry>()
    }

    fn frame_range(&self, index: usize, end: impl Fn(&Entry) -> usize) -> Range<usize> {
        let start = match index {
            0 => 0,
            _ => end(&self.entries[index - 1]),
        };
        start..end(&self.entries[index])
    }
}

/// The part of a segment behind a cursor. Cheap to copy: it shares the bytes.
#[derive(Debug, Clone)]
pub struct Slice {
    segment: Arc<Segment>,
    start: usize,
}

impl Slice {
    /// All of `segment`.
    pub fn whole(segment: Arc<Segment>) -> Self {
        Self { segment, start: 0 }
    }

    /// What of `segment` comes after `cursor`.
    pub(crate) fn after(segment: &Arc<Segment>, cursor: Seq) -> Self {
        let start = segment.entries.partition_point(|entry| entry.seq <= cursor);
        Self {
            segment: Arc::clone(segment),
            start,
        }
    }

    /// The number of the last event; the cursor once all of this has been taken.
    pub fn last(&self) -> Seq {
        self.segment.last()
    }

    /// The events.
    pub fn entries(&self) -> &[Entry] {
        &self.segment.entries[self.start..]
    }

    /// Whether some event here may be of interest. Where none is, the events need no look.
    pub fn meets(&self, interest: Interest) -> bool {
        interest.meets(self.segment.offer)
    }

    /// All frames without `seq`, ready for a socket.
    pub fn plain(&self) -> Bytes {
        let from = self.offset(|entry| entry.plain_end);
        self.segment.plain.slice(from..)
    }

    /// All frames with `seq`, ready for a socket.
    pub fn sequenced(&self) -> Bytes {
        let from = self.offset(|entry| entry.sequenced_end);
        self.segment.sequenced.slice(from..)
    }

    /// The frame of the event at `index` of [`Slice::entries`], with `seq` or without.
    pub fn frame(&self, index: usize, sequenced: bool) -> Bytes {
        let index = self.start + index;
        if sequenced {
            let range = self.segment.frame_range(index, |entry| entry.sequenced_end);
            self.segment.sequenced.slice(range)
        } else {
            let range = self.segment.frame_range(index, |entry| entry.plain_end);
            self.segment.plain.slice(range)
        }
    }

    /// The JSON text of the event at `index`: its frame without the frame's header.
    pub fn json(&self, index: usize, sequenced: bool) -> Bytes {
        let frame = self.frame(index, sequenced);
        let header = match frame.get(1) {
            Some(127) => 10,
            Some(126) => 4,
            _ => 2,
        };
        frame.slice(header..)
    }

    fn offset(&self, end: impl Fn(&Entry) -> usize) -> usize {
        match self.start {
            0 => 0,
            start => end(&self.segment.entries[start - 1]),
        }
    }
}

/// Appends one final text frame that holds `head` and `tail`.
fn append_frame(out: &mut Vec<u8>, head: &[u8], tail: &[u8]) {
    const FINAL_TEXT: u8 = 0x81;
    let length = head.len() + tail.len();
    out.push(FINAL_TEXT);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(short),
        (_, Ok(medium)) => {
            out.push(126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(head);
    out.extend_from_slice(tail);
}
