//! The one thread that writes.

use super::{StoreError, damage};
use crate::Seq;
use crate::bus::{Bus, Committed, Segment};
use clown_events::{Envelope, Event, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many pieces of work may wait; a caller beyond that waits to hand in its own.
const QUEUE: usize = 256;

/// A transaction in the making. Use it as a [`rusqlite::Connection`], and publish what follows.
#[derive(Debug)]
pub struct Tx<'connection> {
    transaction: Transaction<'connection>,
    events: Vec<Event>,
    now: Timestamp,
}

impl Tx<'_> {
    /// The time of this transaction; the events of it carry it.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Publishes `event` if, and as soon as, this transaction is committed.
    pub fn publish(&mut self, event: impl Into<Event>) {
        self.events.push(event.into());
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}

/// Hands work to the writer.
#[derive(Debug)]
pub(super) struct Sender(SyncSender<Box<dyn Job>>);

impl Sender {
    pub(super) fn run<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let job = Work {
            work: Some(work),
            outcome: None,
            reply,
        };
        self.0.send(Box::new(job)).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }
}

trait Job: Send {
    /// Does the work. False when it failed and must be undone.
    fn apply(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Tells the caller.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Work<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: SyncSender<Result<T, E>>,
}

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn apply(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        // A panic is one caller's: the thread that all callers share goes on.
        self.outcome = catch_unwind(AssertUnwindSafe(|| work(tx))).ok();
        matches!(self.outcome, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (self.outcome, committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // A caller that is gone does not need its answer.
        let _ = self.reply.send(answer);
    }
}

/// Why the last commit failed, if it did.
pub(super) type Failing = Arc<Mutex<Option<StoreError>>>;

pub(super) fn spawn(
    connection: Connection,
    bus: Arc<Bus>,
    last: Seq,
    failing: Failing,
) -> Result<(Sender, JoinHandle<()>), StoreError> {
    let (sender, receiver) = sync_channel(QUEUE);
    let last_at = connection.query_row("SELECT ifnull(max(at), 0) FROM journal", [], |row| {
        row.get(0)
    })?;
    let writer = Writer {
        connection,
        bus,
        next: first_seq(last, SystemTime::now()),
        last_at,
        failing,
    };
    let thread = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || writer.run(&receiver))
        .map_err(|_| StoreError::Closed)?;
    Ok((Sender(sender), thread))
}

/// Each start numbers from the clock, if that is ahead of the last number. So a database that was
/// deleted or put back from a copy does not make an old number mean a new event.
fn first_seq(last: Seq, now: SystemTime) -> Seq {
    let micros = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_micros());
    last.next().max(Seq(u64::try_from(micros).unwrap_or(0)))
}

struct Writer {
    connection: Connection,
    bus: Arc<Bus>,
    next: Seq,
    /// The greatest `at` in the journal: a clock that is set back must not break its order.
    last_at: i64,
    failing: Failing,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = receiver.recv() {
            let mut jobs = vec![first];
            jobs.extend(receiver.try_iter().take(QUEUE - 1));
            let committed = self.commit(&mut jobs);
            if let (Err(StoreError::Corrupt(_)), Some(path)) = (&committed, self.connection.path())
            {
                damage::suspect(Path::new(path));
            }
            *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = committed.clone().err();
            for job in jobs {
                job.finish(committed.clone());
            }
        }
    }

    /// Commits all `jobs` together, each undone on its own when it fails.
    fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut tx = Tx {
            transaction,
            events: Vec::new(),
            now: Timestamp::now(),
        };
        for job in jobs {
            tx.transaction.execute_batch("SAVEPOINT job")?;
            let mark = tx.events.len();
            if !job.apply(&mut tx) {
                tx.events.truncate(mark);
                // Fails when SQLite has already undone everything (as on a full disk); then
                // nothing of this batch may be reported as done.
                tx.transaction.execute_batch("ROLLBACK TO job")?;
            }
            tx.transaction.execute_batch("RELEASE job")?;
        }
        let events = number(&mut self.next, &tx.events, tx.now);
        let at = tx.now.unix_millis().max(self.last_at);
        insert(&tx.transaction, &events, at)?;
        tx.transaction.commit()?;
        self.last_at = at;
        if let Some(segment) = Segment::new(events) {
            self.bus.append(segment);
        }
        Ok(())
    }
}

/// Gives each event its number. Numbers of a commit that fails afterwards are left out for good.
fn number(next: &mut Seq, events: &[Event], now: Timestamp) -> Vec<Committed> {
    events
        .iter()
        .map(|event| {
            let seq = *next;
            *next = seq.next();
            let mut json = Vec::with_capacity(192);
            Envelope::new(now, event.clone()).write_json(&mut json);
            Committed {
                seq,
                kind: event.kind(),
                name: event.name().into(),
                profile: event.profile().map(Into::into),
                json,
            }
        })
        .collect()
}

fn insert(connection: &Connection, events: &[Committed], at: i64) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO journal (seq, at, type, profile, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for event in events {
        statement.execute(params![
            event.seq.to_sql(),
            at,
            event.name,
            event.profile,
            event.json
        ])?;
    }
    let bytes: usize = events.iter().map(|event| event.json.len()).sum();
    connection
        .prepare_cached("UPDATE meta SET value = value + ?1 WHERE key = 'journal_bytes'")?
        .execute([i64::try_from(bytes).unwrap_or(i64::MAX)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn numbers_start_at_the_later_of_clock_and_last() {
        let check = |last: u64, clock_micros: u64, first: u64| {
            let now = UNIX_EPOCH + Duration::from_micros(clock_micros);
            assert_eq!(
                first_seq(Seq(last), now),
                Seq(first),
                "{last} {clock_micros}"
            );
        };
        check(0, 1_767_868_200_123_456, 1_767_868_200_123_456);
        check(1_767_868_200_123_456, 5, 1_767_868_200_123_457);
        check(7, 7, 8);
        check(7, 8, 8);
    }
}
