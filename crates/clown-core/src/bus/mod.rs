//! The bus: committed events, in order, for any number of readers.
//!
//! It is a log, not a set of queues. Readers hold a cursor (the number of the last event they
//! have) and ask for what follows. Appending never waits for a reader, and memory is bounded by
//! the ring, whatever the number or the speed of the readers. One that has fallen behind the ring
//! reads the journal until it has caught up.

mod interest;
mod listener;
mod segment;

pub use interest::Interest;
pub use listener::{Deliver, Hook, Listener};
pub use segment::{Committed, Entry, Segment, Slice};

use crate::Seq;
use interest::Offer;
use listener::Listeners;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// Recent segments, and who waits for another one.
#[derive(Debug)]
pub struct Bus {
    ring: RwLock<Ring>,
    /// The ring's last number, for those who want no more than that.
    head: AtomicU64,
    listeners: Listeners,
}

#[derive(Debug)]
struct Ring {
    segments: VecDeque<Arc<Segment>>,
    bytes: usize,
    max_bytes: usize,
    /// Everything after this number is in the ring.
    floor: Seq,
    /// The number of the last event.
    last: Seq,
}

/// What a reader gets for its cursor.
#[derive(Debug)]
pub enum Read {
    /// What follows the cursor, oldest first; empty when there is nothing yet.
    Slices(Vec<Slice>),
    /// The ring does not reach back to the reader's place: read the journal from there. That can be
    /// beyond the cursor, by what was of no interest.
    Behind(Seq),
}

impl Bus {
    /// A bus whose first event will come after `last`, with a ring of about `max_bytes`.
    pub fn new(last: Seq, max_bytes: usize) -> Self {
        let ring = Ring {
            segments: VecDeque::new(),
            bytes: 0,
            max_bytes,
            floor: last,
            last,
        };
        Self {
            ring: RwLock::new(ring),
            head: AtomicU64::new(last.0),
            listeners: Listeners::default(),
        }
    }

    /// The number of the last committed event.
    pub fn head(&self) -> Seq {
        Seq(self.head.load(Ordering::Acquire))
    }

    /// A reader that is woken by what is of interest to it. It begins awake.
    pub fn listen(self: &Arc<Self>, interest: Interest) -> Listener {
        Listener::new(Arc::clone(self), interest)
    }

    /// What follows `cursor`, up to about `max_bytes`.
    pub fn read_after(&self, cursor: Seq, max_bytes: usize) -> Read {
        self.ring().read_after(cursor, max_bytes)
    }

    /// Takes in what was just committed. Only the store's writer calls this, in commit order. Who
    /// waits for it hears of it when the answer is dropped, which may be behind the writer's locks.
    pub(crate) fn append(self: &Arc<Self>, segment: Segment) -> News {
        let (last, offer, bytes) = (segment.last(), segment.offer(), segment.bytes());
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let before = ring.last;
        ring.push(segment);
        self.listeners.mark(offer, before);
        self.head.store(last.0, Ordering::Release);
        News {
            bus: Arc::clone(self),
            offer,
            before,
            bytes,
        }
    }

    /// Wakes every listener's task, for a reason that is not an event.
    pub fn wake_all(&self) {
        self.listeners.wake_all();
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn read_after(&self, cursor: Seq, max_bytes: usize) -> Read {
        if cursor < self.floor {
            return Read::Behind(cursor);
        }
        let first = self
            .segments
            .partition_point(|segment| segment.last() <= cursor);
        let mut bytes = 0;
        let mut slices = Vec::new();
        for segment in self.segments.range(first..) {
            if bytes >= max_bytes {
                break;
            }
            let slice = Slice::after(segment, cursor);
            bytes += slice.sequenced().len();
            slices.push(slice);
        }
        Read::Slices(slices)
    }

    fn push(&mut self, segment: Segment) {
        self.last = segment.last();
        self.bytes += segment.bytes();
        self.segments.push_back(Arc::new(segment));
        // The newest segment stays even when it alone is larger than the ring.
        while self.bytes > self.max_bytes && self.segments.len() > 1 {
            if let Some(oldest) = self.segments.pop_front() {
                self.bytes -= oldest.bytes();
                self.floor = oldest.last();
            }
        }
    }
}

/// Something is in the ring, and those whom it concerns do not know yet. They do once this is
/// dropped, however that comes.
#[derive(Debug)]
pub(crate) struct News {
    bus: Arc<Bus>,
    offer: Offer,
    before: Seq,
    bytes: usize,
}

impl Drop for News {
    fn drop(&mut self) {
        self.bus.listeners.tell(self.offer, self.before, self.bytes);
    }
}

#[cfg(test)]
mod tests;
