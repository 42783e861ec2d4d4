//! The one writer.
//!
//! Whoever comes while nobody commits does so at once, on its own thread: an event is on its way
//! without a change of threads. Whoever comes meanwhile hands its work in and waits; the next one
//! commits all that waits, together.

use super::StoreError;
use super::checkpoint::Checkpoints;
use super::damage::Damage;
use crate::Seq;
use crate::bus::{Bus, Committed, News, Segment};
use clown_events::{Envelope, Event, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::fmt::{self, Debug};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// A transaction in the making. Use it as a [`rusqlite::Connection`], and publish what follows.
#[derive(Debug)]
pub struct Tx<'connection> {
    transaction: Open<'connection>,
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
        self.transaction.0
    }
}

/// A transaction that is open until it is committed; else it is undone. As rusqlite's own, but its
/// statements are prepared once: to parse them is felt in a small commit.
#[derive(Debug)]
struct Open<'connection>(&'connection Connection);

impl<'connection> Open<'connection> {
    fn begin(connection: &'connection Connection) -> rusqlite::Result<Self> {
        say(connection, "BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    fn commit(self) -> rusqlite::Result<()> {
        say(self.0, "COMMIT")
    }

    fn undo(self) -> rusqlite::Result<()> {
        say(self.0, "ROLLBACK")
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // SQLite has done so itself when this fails.
            let _ = say(self.0, "ROLLBACK");
        }
    }
}

fn say(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Takes work, and commits it.
pub(super) struct Writer {
    waiting: Mutex<Waiting>,
    committer: Mutex<Committer>,
}

#[derive(Default)]
struct Waiting {
    /// No more than there are callers, each of which waits for its own.
    jobs: Vec<Box<dyn Job>>,
    /// Some caller commits now; it passes the lead on when it is done.
    led: bool,
}

/// What a caller that waits is told.
enum Word<T, E> {
    /// To commit what waits.
    Lead,
    Done(Result<T, E>),
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        bus: Arc<Bus>,
        last: Seq,
        failing: Failing,
        damage: Arc<Damage>,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Self, StoreError> {
        let last_at = connection
            .query_row(
                "SELECT at FROM journal ORDER BY seq DESC LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()?
            .unwrap_or(0);
        if let Some(checkpoints) = checkpoints {
            checkpoints.follow(&mut connection)?;
        }
        let committer = Committer {
            connection,
            bus,
            next: first_seq(last, SystemTime::now()),
            last_at,
            failing,
            damage,
        };
        Ok(Self {
            waiting: Mutex::default(),
            committer: Mutex::new(committer),
        })
    }

    pub(super) fn run<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let led = {
            let mut waiting = lock(&self.waiting);
            waiting.jobs.push(Box::new(Work {
                work: Some(work),
                outcome: None,
                reply,
            }));
            std::mem::replace(&mut waiting.led, true)
        };
        if led {
            match answer.recv().map_err(|_| StoreError::Closed)? {
                Word::Done(done) => return done,
                Word::Lead => {}
            }
        }
        let lead = Lead(self);
        let jobs = std::mem::take(&mut lock(&self.waiting).jobs);
        let news = lock(&self.committer).run(jobs);
        drop(lead);
        // Behind the locks, so that the next commit goes on meanwhile.
        drop(news);
        match answer.try_recv() {
            Ok(Word::Done(done)) => done,
            _ => Err(StoreError::Closed.into()),
        }
    }

    /// Keeps everybody from writing while `pause` runs.
    pub(super) fn hold(&self, pause: impl FnOnce()) {
        let _committer = lock(&self.committer);
        pause();
    }
}

impl Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// The turn to commit. Passed on when it ends, also by a panic.
struct Lead<'writer>(&'writer Writer);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.0.waiting);
        match waiting.jobs.first() {
            Some(job) => job.lead(),
            None => waiting.led = false,
        }
    }
}

/// A panic in one caller's work is caught; what is behind these locks is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

trait Job: Send {
    /// Does the work. False when it failed and must be undone.
    fn apply(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Lets the caller commit what waits.
    fn lead(&self);
    /// Tells the caller.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Work<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: SyncSender<Word<T, E>>,
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
        // A panic is one caller's: others may have their work in the same transaction.
        self.outcome = catch_unwind(AssertUnwindSafe(|| work(tx))).ok();
        matches!(self.outcome, Some(Ok(_)))
    }

    fn lead(&self) {
        // The caller waits for a word, and has had none.
        let _ = self.reply.try_send(Word::Lead);
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (self.outcome, committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // A caller that is gone does not need its answer.
        let _ = self.reply.send(Word::Done(answer));
    }
}

/// Why the last commit failed, if it did.
pub(super) type Failing = Arc<Mutex<Option<StoreError>>>;

/// Each start numbers from the clock, if that is ahead of the last number. So a database that was
/// deleted or put back from a copy does not make an old number mean a new event.
fn first_seq(last: Seq, now: SystemTime) -> Seq {
    let micros = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_micros());
    last.next().max(Seq(u64::try_from(micros).unwrap_or(0)))
}

struct Committer {
    connection: Connection,
    bus: Arc<Bus>,
    next: Seq,
    /// The greatest `at` in the journal: a clock that is set back must not break its order.
    last_at: i64,
    failing: Failing,
    damage: Arc<Damage>,
}

impl Committer {
    fn run(&mut self, mut jobs: Vec<Box<dyn Job>>) -> Option<News> {
        let committed = self.commit(&mut jobs);
        // Also what failed a job alone.
        self.damage.watch(&StoreError::take_damage());
        let (committed, news) = match committed {
            Err(error) => {
                *lock(&self.failing) = Some(error.clone());
                (Err(error), None)
            }
            Ok(Wrote::Something(news)) => {
                *lock(&self.failing) = None;
                (Ok(()), news)
            }
            // Work that failed by itself has shown nothing about the database.
            Ok(Wrote::Nothing) => (Ok(()), None),
        };
        for job in jobs {
            job.finish(committed.clone());
        }
        news
    }

    /// Commits all `jobs` together, each undone on its own when it fails.
    fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Wrote, StoreError> {
        let mut tx = Tx {
            transaction: Open::begin(&self.connection)?,
            events: Vec::new(),
            now: Timestamp::now(),
        };
        if let [job] = jobs {
            // Undone with the transaction, there is nothing else in it.
            if !job.apply(&mut tx) {
                // Fails when SQLite has done so already (as on a full disk), which must be told.
                tx.transaction.undo()?;
                return Ok(Wrote::Nothing);
            }
        } else {
            for job in jobs {
                apply_apart(job, &mut tx)?;
            }
        }
        let events = number(&mut self.next, std::mem::take(&mut tx.events), tx.now);
        let at = tx.now.unix_millis().max(self.last_at);
        insert(&tx, &events, at)?;
        tx.transaction.commit()?;
        self.last_at = at;
        let news = Segment::new(events).map(|segment| self.bus.append(segment));
        Ok(Wrote::Something(news))
    }
}

/// Whether a commit had anything to write.
#[derive(Debug)]
enum Wrote {
    Something(Option<News>),
    Nothing,
}

/// Does the work of one of several callers.
fn apply_apart(job: &mut Box<dyn Job>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    say(tx, "SAVEPOINT job")?;
    let mark = tx.events.len();
    if !job.apply(tx) {
        tx.events.truncate(mark);
        // Fails when SQLite has already undone everything (as on a full disk); then nothing of
        // this batch may be reported as done.
        say(tx, "ROLLBACK TO job")?;
    }
    say(tx, "RELEASE job")?;
    Ok(())
}

/// Gives each event its number. Numbers of a commit that fails afterwards are left out for good.
fn number(next: &mut Seq, events: Vec<Event>, now: Timestamp) -> Vec<Committed> {
    events
        .into_iter()
        .map(|event| {
            let seq = *next;
            *next = seq.next();
            let kind = event.kind();
            let name = event.name().into();
            let profile = event.profile().map(Into::into);
            let mut json = Vec::with_capacity(320);
            Envelope::new(now, event).write_json(&mut json);
            Committed {
                seq,
                kind,
                name,
                profile,
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
