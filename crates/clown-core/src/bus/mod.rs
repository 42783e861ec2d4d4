//! The bus: committed events, in order, for any number of readers.
//!
//! It is a log, not a set of queues. Readers hold a cursor (the number of the last event they
//! have) and ask for what follows. Appending never waits for a reader, and memory is bounded by
//! the ring, whatever the number or the speed of the readers. One that has fallen behind the ring
//! reads the journal until it has caught up.

mod segment;

pub use segment::{Committed, Entry, Segment, Slice};

use crate::Seq;
use std::collections::VecDeque;
use std::sync::{Arc, RwLock};
use tokio::sync::watch;

/// Recent segments, and the news that there is another one.
#[derive(Debug)]
pub struct Bus {
    ring: RwLock<Ring>,
    head: watch::Sender<Seq>,
}

#[derive(Debug)]
struct Ring {
    segments: VecDeque<Arc<Segment>>,
    bytes: usize,
    max_bytes: usize,
    /// Everything after this number is in the ring.
    floor: Seq,
}

/// What a reader gets for its cursor.
#[derive(Debug)]
pub enum Read {
    /// What follows the cursor, oldest first; empty when there is nothing yet.
    Slices(Vec<Slice>),
    /// The ring does not reach back to the cursor: read the journal.
    Behind,
}

impl Bus {
    /// A bus whose first event will come after `last`, with a ring of about `max_bytes`.
    pub fn new(last: Seq, max_bytes: usize) -> Self {
        let ring = Ring {
            segments: VecDeque::new(),
            bytes: 0,
            max_bytes,
            floor: last,
        };
        Self {
            ring: RwLock::new(ring),
            head: watch::Sender::new(last),
        }
    }

    /// The number of the last committed event.
    pub fn head(&self) -> Seq {
        *self.head.borrow()
    }

    /// Changes each time something is appended.
    pub fn watch(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }

    /// What follows `cursor`, up to about `max_bytes`.
    pub fn read_after(&self, cursor: Seq, max_bytes: usize) -> Read {
        let ring = self
            .ring
            .read()
            .unwrap_or_else(|poison| poison.into_inner());
        if cursor < ring.floor {
            return Read::Behind;
        }
        let first = ring
            .segments
            .partition_point(|segment| segment.last() <= cursor);
        let mut bytes = 0;
        let mut slices = Vec::new();
        for segment in ring.segments.range(first..) {
            if bytes >= max_bytes {
                break;
            }
            let slice = Slice::after(segment, cursor);
            bytes += slice.sequenced().len();
            slices.push(slice);
        }
        Read::Slices(slices)
    }

    /// Takes in what was just committed. Only the store's writer calls this, in commit order.
    pub(crate) fn append(&self, segment: Segment) {
        let last = segment.last();
        {
            let mut ring = self
                .ring
                .write()
                .unwrap_or_else(|poison| poison.into_inner());
            ring.bytes += segment.bytes();
            ring.segments.push_back(Arc::new(segment));
            // The newest segment stays even when it alone is larger than the ring.
            while ring.bytes > ring.max_bytes && ring.segments.len() > 1 {
                if let Some(oldest) = ring.segments.pop_front() {
                    ring.bytes -= oldest.bytes();
                    ring.floor = oldest.last();
                }
            }
        }
        self.head.send_replace(last);
    }
}

#[cfg(test)]
mod tests;
