//! Readers that wait, and which of them a commit wakes.

use super::interest::Offer;
use super::{Bus, Interest, Read};
use crate::Seq;
use futures_util::task::AtomicWaker;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::task::Context;
use std::time::{Duration, Instant};

/// A reader of the bus that waits for what is of interest to it. While it waits, everything else
/// goes by without it: to a reader of other events, a commit costs a comparison.
#[derive(Debug)]
pub struct Listener {
    bus: Arc<Bus>,
    shared: Arc<Shared>,
}

/// What the bus and one listener both know.
#[derive(Debug)]
struct Shared {
    /// [`AWAKE`], [`RESTING`], or woken: the number up to which nothing was of interest. It is
    /// written with a lock of the ring held: by the listener for reading, by the bus for writing.
    state: AtomicU64,
    waker: AtomicWaker,
    deliver: OnceLock<Weak<dyn Deliver>>,
    /// Its place among all.
    place: AtomicUsize,
}

/// The listener reads, and finds by itself what is new.
const AWAKE: u64 = u64::MAX - 1;
/// It has everything that was of interest so far, and waits. No number is as great.
const RESTING: u64 = u64::MAX;

/// A reader that can take a little news at once, on the thread that has committed it: that saves the
/// way over another thread, which is longer than the news itself.
pub trait Deliver: Debug + Send + Sync {
    /// Reads on, or has somebody read on soon. Must not wait for anything or anybody.
    fn deliver(&self);
}

/// Where to say who delivers, once that is there.
#[derive(Debug)]
pub struct Hook(Arc<Shared>);

impl Hook {
    /// News go to `deliver` from now on, for as long as it is there. The first call counts.
    pub fn set(self, deliver: Weak<dyn Deliver>) {
        // Fails at a second call, which there is not: a listener has one owner.
        let _ = self.0.deliver.set(deliver);
    }
}

/// Beyond so many, listeners are woken, and first: other threads then tell them meanwhile.
const AT_ONCE_LISTENERS: usize = 64;

/// More bytes are told by waking: several threads get through with that sooner than the one that
/// has committed.
const AT_ONCE_BYTES: usize = 16 << 10;

/// Commits that follow each other faster are told by waking, too: readers then take several at a
/// time, and whoever commits does not wait for each to be written.
const QUIET: Duration = Duration::from_micros(75);

/// All listeners of a bus.
#[derive(Debug)]
pub(super) struct Listeners {
    all: RwLock<Vec<Waiting>>,
    /// Some thread delivers.
    delivering: AtomicBool,
    made_at: Instant,
    /// When something was last told, in nanoseconds since that.
    told_at: AtomicU64,
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            all: RwLock::default(),
            delivering: AtomicBool::new(false),
            made_at: Instant::now(),
            told_at: AtomicU64::new(0),
        }
    }
}

#[derive(Debug)]
struct Waiting {
    interest: Interest,
    shared: Arc<Shared>,
}

impl Listeners {
    /// Marks those that wait for something of `offer`, which comes right behind `before`. To be
    /// called while nobody can read the ring.
    pub(super) fn mark(&self, offer: Offer, before: Seq) {
        for waiting in self.read().iter().filter(|each| each.interest.meets(offer)) {
            // Those that are awake look again before they rest.
            if waiting.shared.state.load(Ordering::Relaxed) == RESTING {
                waiting.shared.state.store(before.0, Ordering::Release);
            }
        }
    }

    /// Tells those that were marked so.
    pub(super) fn tell(&self, offer: Offer, before: Seq, bytes: usize) {
        let now = self.nanos();
        let quiet = u128::from(now - self.told_at.load(Ordering::Relaxed).min(now));
        let at_once = bytes <= AT_ONCE_BYTES
            && quiet >= QUIET.as_nanos()
            && !self.delivering.swap(true, Ordering::Acquire);
        if at_once {
            self.deliver(offer, before);
            self.delivering.store(false, Ordering::Release);
        } else {
            self.wake(offer, before);
        }
        self.told_at.store(self.nanos(), Ordering::Relaxed);
    }

    fn deliver(&self, offer: Offer, before: Seq) {
        let mut at_once = Vec::new();
        for waiting in self.read().iter() {
            if !waiting.is_marked(offer, before) {
                continue;
            }
            // Asked for only where it is kept: it must not go while the lock is held.
            if at_once.len() < AT_ONCE_LISTENERS
                && let Some(deliver) = waiting.shared.deliver.get().and_then(Weak::upgrade)
            {
                at_once.push(deliver);
            } else {
                waiting.shared.waker.wake();
            }
        }
        // Without the lock: who is delivered to may listen to something else, or leave.
        for deliver in at_once {
            deliver.deliver();
        }
    }

    fn wake(&self, offer: Offer, before: Seq) {
        for waiting in self.read().iter() {
            if waiting.is_marked(offer, before) {
                waiting.shared.waker.wake();
            }
        }
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.made_at.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Wakes them all.
    pub(super) fn wake_all(&self) {
        for waiting in self.read().iter() {
            waiting.shared.waker.wake();
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Vec<Waiting>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Waiting>> {
        self.all.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_marked(&self, offer: Offer, before: Seq) -> bool {
        self.interest.meets(offer) && self.shared.state.load(Ordering::Relaxed) == before.0
    }
}

impl Listener {
    pub(super) fn new(bus: Arc<Bus>, interest: Interest) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(AWAKE),
            waker: AtomicWaker::new(),
            deliver: OnceLock::new(),
            place: AtomicUsize::new(0),
        });
        {
            let mut all = bus.listeners.write();
            shared.place.store(all.len(), Ordering::Relaxed);
            all.push(Waiting {
                interest,
                shared: Arc::clone(&shared),
            });
        }
        Self { bus, shared }
    }

    /// What follows `cursor`, up to about `max_bytes`. Once that is all there is, the listener
    /// rests, until something of interest comes.
    pub fn read_after(&self, cursor: Seq, max_bytes: usize) -> Read {
        // Most of the time there is nothing, and no lock is needed to see it.
        if self.rests() {
            return Read::Slices(Vec::new());
        }
        let ring = self.bus.ring();
        let read = ring.read_after(self.skipped(cursor, ring.last), max_bytes);
        let has_all = match &read {
            Read::Behind(_) => false,
            Read::Slices(slices) => slices.last().is_none_or(|last| last.last() >= ring.last),
        };
        self.set(if has_all { RESTING } else { AWAKE });
        read
    }

    /// How far a reader is that has taken everything of interest up to `cursor`: beyond it by what
    /// was of none.
    pub fn place(&self, cursor: Seq) -> Seq {
        match self.shared.state.load(Ordering::Acquire) {
            AWAKE => cursor,
            RESTING => {
                let ring = self.bus.ring();
                self.skipped(cursor, ring.last)
            }
            before => cursor.max(Seq(before)),
        }
    }

    /// Waits for something else from a point of the stream on, which is the answer. `cursor` as in
    /// [`Listener::place`].
    pub fn set_interest(&self, interest: Interest, cursor: Seq) -> Seq {
        let ring = self.bus.ring();
        let place = self.skipped(cursor, ring.last);
        let mut all = self.bus.listeners.write();
        all[self.shared.place.load(Ordering::Relaxed)].interest = interest;
        self.set(AWAKE);
        place
    }

    /// For whoever will deliver to this listener's reader.
    pub fn hook(&self) -> Hook {
        Hook(Arc::clone(&self.shared))
    }

    /// Whether everything of interest has been read.
    pub fn rests(&self) -> bool {
        self.shared.state.load(Ordering::Acquire) == RESTING
    }

    /// Lets a task be woken when this no longer rests, and by [`Bus::wake_all`]. To be called before
    /// looking whether it does, so that what comes between wakes the task.
    pub fn register(&self, context: &Context<'_>) {
        self.shared.waker.register(context.waker());
    }

    /// As [`Listener::place`], while the ring's last number is `last`.
    fn skipped(&self, cursor: Seq, last: Seq) -> Seq {
        match self.shared.state.load(Ordering::Acquire) {
            AWAKE => cursor,
            RESTING => cursor.max(last),
            before => cursor.max(Seq(before)),
        }
    }

    fn set(&self, state: u64) {
        self.shared.state.store(state, Ordering::Release);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut all = self.bus.listeners.write();
        let place = self.shared.place.load(Ordering::Relaxed);
        all.swap_remove(place);
        if let Some(moved) = all.get(place) {
            moved.shared.place.store(place, Ordering::Relaxed);
        }
        if all.len() * 4 < all.capacity() {
            let needed = all.len() * 2;
            all.shrink_to(needed);
        }
    }
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
