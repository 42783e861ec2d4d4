//! What a connection sends on its own: the events behind its cursor.

use super::form::Form;
use super::outbox::Outbox;
use clown_core::Seq;
use clown_core::bus::{Entry, Hook, Interest, Listener, Read, Slice};
use clown_core::journal::{self, PAGE_EVENTS};
use clown_core::store::{Store, StoreError};
use clown_events::{ControlMessage, Filter};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Before everything that is retained. The client is told of the gap behind `gap_after`.
    Oldest { gap_after: Option<Seq> },
    /// Behind this number.
    After(Seq),
}

/// What a stream is to send.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) position: Position,
    pub(super) filter: Filter,
    pub(super) form: Form,
}

/// Reads the bus, or the journal where the bus does not reach back, and fills the outbox.
pub(super) struct Feed {
    position: Position,
    filter: Filter,
    unfiltered: bool,
    form: Form,
    /// The number up to which the client knows its place.
    told: Seq,
    cursor_due: Instant,
    cursor_every: Duration,
    /// The last event of a daemon that stops; nothing behind it is sent.
    last: Option<Seq>,
    source: Source,
    interest: Interest,
    listener: Listener,
    reading: Option<Reading>,
}

/// Where events come from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) store: Arc<Store>,
    /// How many streams may read the journal at the same time.
    pub(super) readers: Arc<Semaphore>,
    pub(super) batch_bytes: usize,
}

type Reading = Pin<Box<dyn Future<Output = Result<Fetched, Fault>> + Send>>;

/// What came of [`Feed::refill`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refill {
    /// The cursor has moved; there may be more.
    Moved,
    /// There is nothing behind the cursor any more.
    CaughtUp,
    /// The journal is being read.
    Reading,
    /// Everything up to the daemon's last event is taken.
    Ended,
}

/// Why a stream cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// What follows the cursor is no longer retained, and the client keeps no place.
    Lost,
    Store(StoreError),
    /// The runtime is going down.
    Cancelled,
}

/// A page of the journal.
#[derive(Debug)]
pub(super) struct Fetched {
    gap: Option<Gap>,
    slice: Option<Slice>,
    cursor: Seq,
}

#[derive(Debug)]
struct Gap {
    after: Seq,
    oldest: Seq,
    latest: Seq,
    place: Seq,
}

impl Feed {
    pub(super) fn new(source: Source, wanted: Wanted, cursor_every: Duration) -> Self {
        let told = match wanted.position {
            Position::After(seq) => seq,
            Position::Oldest { .. } => Seq::START,
        };
        let interest = Interest::of(&wanted.filter);
        Self {
            position: wanted.position,
            unfiltered: wanted.filter == Filter::all(),
            filter: wanted.filter,
            form: wanted.form,
            told,
            cursor_due: Instant::now() + cursor_every,
            cursor_every,
            last: None,
            listener: source.store.bus().listen(interest),
            interest,
            source,
            reading: None,
        }
    }

    /// Behind which number there is a gap, of which the client is still to be told.
    pub(super) fn gap_after(&self) -> Option<Seq> {
        match self.position {
            Position::Oldest { gap_after } => gap_after,
            Position::After(_) => None,
        }
    }

    /// Whether the first page of the journal is still to come.
    pub(super) fn begins(&self) -> bool {
        matches!(self.position, Position::Oldest { .. })
    }

    /// The number behind which the filter in force decides.
    pub(super) fn place(&self) -> Seq {
        match self.position {
            Position::After(seq) => self.listener.place(seq),
            Position::Oldest { .. } => Seq::START,
        }
    }

    pub(super) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(super) fn set_filter(&mut self, filter: Filter) {
        self.unfiltered = filter == Filter::all();
        self.interest = Interest::of(&filter);
        self.filter = filter;
        let cursor = self.cursor();
        let place = self.listener.set_interest(self.interest, cursor);
        if let Position::After(_) = self.position {
            self.position = Position::After(place);
        }
    }

    /// The number of the last event that was looked at.
    fn cursor(&self) -> Seq {
        match self.position {
            Position::After(seq) => seq,
            Position::Oldest { .. } => Seq::START,
        }
    }

    /// Lets the stream end behind `last`.
    pub(super) fn end_after(&mut self, last: Seq) {
        self.last = Some(last);
    }

    /// A message for this client alone.
    pub(super) fn frame(&self, message: ControlMessage) -> bytes::Bytes {
        self.form.message(message, self.place())
    }

    /// Puts what follows the cursor into the outbox, which holds no event.
    pub(super) fn refill(&mut self, outbox: &mut Outbox, now: Instant) -> Refill {
        let Position::After(cursor) = self.position else {
            return self.read_journal();
        };
        if self.reading.is_some() {
            return Refill::Reading;
        }
        self.tell_place(outbox, now);
        if self.last.is_some_and(|last| self.place() >= last) {
            return Refill::Ended;
        }
        match self.listener.read_after(cursor, self.source.batch_bytes) {
            Read::Behind(place) => {
                self.position = Position::After(place);
                self.read_journal()
            }
            Read::Slices(slices) => {
                for slice in &slices {
                    self.take(slice, outbox);
                }
                if self.listener.rests() && self.last.is_none() {
                    Refill::CaughtUp
                } else {
                    Refill::Moved
                }
            }
        }
    }

    /// For whoever will deliver to this stream.
    pub(super) fn hook(&self) -> Hook {
        self.listener.hook()
    }

    /// Lets the task be woken by what [`Feed::poll_ready`] waits for, and by the bus for any reason.
    pub(super) fn register(&self, context: &Context<'_>) {
        self.listener.register(context);
    }

    /// Ready when there is something to do after [`Refill::CaughtUp`] or [`Refill::Reading`], for a
    /// task that is registered.
    pub(super) fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Fetched, Fault>>> {
        match &mut self.reading {
            Some(reading) => {
                let fetched = ready!(reading.as_mut().poll(context));
                self.reading = None;
                Poll::Ready(Some(fetched))
            }
            None if self.listener.rests() => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    /// The same, registered.
    pub(super) async fn ready(&mut self) -> Option<Result<Fetched, Fault>> {
        poll_fn(|context| {
            self.register(context);
            self.poll_ready(context)
        })
        .await
    }

    /// Takes in a page that [`Feed::ready`] gave.
    pub(super) fn accept(&mut self, fetched: Fetched, outbox: &mut Outbox) {
        if let Some(gap) = fetched.gap {
            self.position = Position::After(gap.place);
            outbox.push(self.frame(ControlMessage::Gap {
                since: gap.after.0,
                oldest: gap.oldest.0,
                latest: gap.latest.0,
            }));
        }
        if let Some(slice) = fetched.slice {
            self.take(&slice, outbox);
        }
        self.position = Position::After(fetched.cursor);
    }

    /// When the client is to be told its place, if nothing else does so before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // What goes by a filter wakes nobody, so such a client's place is looked at when it is time.
        let may_grow_old = !self.unfiltered || self.cursor() > self.told;
        (may_grow_old && self.form.keeps_place() && self.reading.is_none())
            .then_some(self.cursor_due)
    }

    fn take(&mut self, slice: &Slice, outbox: &mut Outbox) {
        self.position = Position::After(slice.last());
        let last = self.last.unwrap_or(Seq(u64::MAX));
        if self.unfiltered && slice.last() <= last {
            self.told = slice.last();
            outbox.push(self.form.all(slice));
            return;
        }
        if !slice.meets(self.interest) {
            return;
        }
        for (index, entry) in slice.entries().iter().enumerate() {
            if entry.seq <= last && passes(&self.filter, entry) {
                self.told = entry.seq;
                outbox.push(self.form.one(slice, index));
            }
        }
    }

    /// A client whose filter lets nothing through keeps a place that does not grow old.
    fn tell_place(&mut self, outbox: &mut Outbox, now: Instant) {
        if self.deadline().is_none_or(|due| due > now) {
            return;
        }
        self.cursor_due = now + self.cursor_every;
        let place = self.place();
        if place > self.told {
            self.told = place;
            // Nothing behind it may be told as if it were before.
            self.position = Position::After(place);
            outbox.push(self.form.message(ControlMessage::Cursor {}, place));
        }
    }

    fn read_journal(&mut self) -> Refill {
        if self.reading.is_none() {
            let source = self.source.clone();
            let position = self.position;
            let keeps_place = self.form.keeps_place();
            self.reading = Some(Box::pin(async move {
                let permit = Arc::clone(&source.readers).acquire_owned().await;
                let fetch = move || {
                    let fetched = fetch(&source, position, keeps_place);
                    drop(permit);
                    fetched
                };
                tokio::task::spawn_blocking(fetch)
                    .await
                    .unwrap_or(Err(Fault::Cancelled))
            }));
        }
        Refill::Reading
    }
}

/// Whether a client with `filter` gets `entry`.
pub(crate) fn passes(filter: &Filter, entry: &Entry) -> bool {
    let profile = entry.profile.as_deref();
    match (entry.kind, &entry.unknown_name) {
        (Some(kind), _) => filter.matches(kind, profile),
        (None, name) => filter.matches_name(name.as_deref().unwrap_or_default(), profile),
    }
}

/// Reads one page behind `position`. Blocks.
fn fetch(source: &Source, position: Position, keeps_place: bool) -> Result<Fetched, Fault> {
    let (after, mut gap_after, from_oldest) = match position {
        Position::Oldest { gap_after } => (Seq::START, gap_after, true),
        Position::After(seq) => (seq, None, false),
    };
    // Read before the page: all of it is in the page's view of the journal, or was trimmed.
    let head = source.store.head();
    let page = journal::page(&source.store, after, PAGE_EVENTS, source.batch_bytes)
        .map_err(Fault::Store)?;
    if !from_oldest && page.trimmed_to > after {
        if !keeps_place {
            return Err(Fault::Lost);
        }
        gap_after = Some(after);
    }
    let slice = page.segment.map(|segment| Slice::whole(Arc::new(segment)));
    let cursor = match &slice {
        Some(slice) => slice.last(),
        None => after.max(head).max(page.trimmed_to),
    };
    let oldest = slice
        .as_ref()
        .and_then(|slice| slice.entries().first())
        .map_or(cursor, |entry| entry.seq);
    let gap = gap_after.map(|after| Gap {
        after,
        oldest,
        latest: head.max(cursor),
        place: page.trimmed_to,
    });
    Ok(Fetched { gap, slice, cursor })
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
