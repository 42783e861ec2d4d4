//! Readers that wait, and which of them a commit wakes.

use super::interest::Offer;
use super::{Bus, Interest, Read};
use crate::Seq;
use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Context;

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
    /// Its place among all.
    place: AtomicUsize,
}

/// The listener reads, and finds by itself what is new.
const AWAKE: u64 = u64::MAX - 1;
/// It has everything that was of interest so far, and waits. No number is as great.
const RESTING: u64 = u64::MAX;

/// All listeners of a bus.
#[derive(Debug, Default)]
pub(super) struct Listeners(RwLock<Vec<Waiting>>);

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

    /// Wakes those that were marked so.
    pub(super) fn wake(&self, offer: Offer, before: Seq) {
        for waiting in self.read().iter().filter(|each| each.interest.meets(offer)) {
            if waiting.shared.state.load(Ordering::Relaxed) == before.0 {
                waiting.shared.waker.wake();
            }
        }
    }

    /// Wakes them all.
    pub(super) fn wake_all(&self) {
        for waiting in self.read().iter() {
            waiting.shared.waker.wake();
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Vec<Waiting>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Waiting>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    pub(super) fn new(bus: Arc<Bus>, interest: Interest) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(AWAKE),
            waker: AtomicWaker::new(),
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
            Read::Behind => false,
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
