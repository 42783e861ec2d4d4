//! The database: what the daemon answers for, and the journal of what it has published.
//!
//! A change of state and the events that tell of it are one transaction. One caller at a time
//! writes; what waits meanwhile is committed together. After a commit, and only then, the
//! events go to the bus.

mod checkpoint;
mod damage;
mod error;
mod schema;
mod writer;

pub use error::StoreError;
pub use writer::Tx;

use crate::Seq;
use crate::bus::Bus;
use checkpoint::Checkpointer;
use damage::Damage;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use writer::Writer;

/// How much a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A crash or `kill -9` of the daemon.
    #[default]
    Process,
    /// A power cut too, for a sync of the disk at each commit.
    Power,
}

/// Settings of [`Store::open`].
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// How much a commit survives.
    pub durability: Durability,
    /// About how many bytes of recent events are kept in memory.
    pub ring_bytes: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            ring_bytes: 32 << 20,
        }
    }
}

/// The database. Methods block; call them from threads that may.
#[derive(Debug)]
pub struct Store {
    location: Location,
    /// Ends before the connections are closed.
    _checkpointer: Option<Checkpointer>,
    writer: Arc<Writer>,
    readers: Mutex<Vec<Connection>>,
    bus: Arc<Bus>,
    /// Why the last commit failed, if it did.
    failing: writer::Failing,
    damage: Arc<Damage>,
    set_aside: Option<PathBuf>,
}

#[derive(Debug, Clone)]
enum Location {
    File(PathBuf),
    /// A name in SQLite's own memory file system, shared by this store's connections.
    Memory(String),
}

impl Store {
    /// Opens or makes the database at `path`. One that is damaged is set aside under another name,
    /// which [`Store::set_aside`] tells, and a new one is made.
    pub fn open(path: &Path, settings: &StoreSettings) -> Result<Self, StoreError> {
        let location = Location::File(path.to_owned());
        match Self::start(location.clone(), settings) {
            Err(StoreError::Corrupt(_)) => {
                let set_aside = damage::set_aside(path)?;
                let mut store = Self::start(location, settings)?;
                store.set_aside = Some(set_aside);
                Ok(store)
            }
            opened => opened,
        }
    }

    /// A database that is gone when the store is dropped.
    pub fn open_in_memory() -> Result<Self, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("file:/clown-{}-{number}?vfs=memdb", std::process::id());
        Self::start(Location::Memory(name), &StoreSettings::default())
    }

    fn start(location: Location, settings: &StoreSettings) -> Result<Self, StoreError> {
        let mut connection = location.connect()?;
        schema::prepare(&mut connection, location.path(), settings.durability)?;
        damage::check(&connection, location.path())?;
        let last = schema::last_seq(&connection)?;
        let bus = Arc::new(Bus::new(last, settings.ring_bytes));
        let failing = Arc::default();
        let damage = Arc::new(Damage::of(match &location {
            Location::File(path) => Some(path),
            Location::Memory(_) => None,
        }));
        let (checkpoints, orders) = checkpoint::channel();
        let logs = matches!(location, Location::File(_));
        let writer = Arc::new(Writer::new(
            connection,
            Arc::clone(&bus),
            last,
            Arc::clone(&failing),
            Arc::clone(&damage),
            logs.then_some(checkpoints),
        )?);
        let checkpointer = match logs {
            true => Some(Checkpointer::start(orders, &location, Arc::clone(&writer))?),
            false => None,
        };
        Ok(Self {
            location,
            _checkpointer: checkpointer,
            writer,
            readers: Mutex::new(Vec::new()),
            bus,
            failing,
            damage,
            set_aside: None,
        })
    }

    /// Where committed events come out.
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// The number of the last committed event.
    pub fn head(&self) -> Seq {
        self.bus.head()
    }

    /// Runs `work` in a transaction of its own and waits until it is committed. When `work` fails,
    /// nothing of it stays. Events that it published are on the bus when this returns.
    pub fn commit<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.run(work)
    }

    /// Whether the database works: nobody has met a damage, and it can be written. When the last
    /// commit failed, or `always`, one is tried.
    pub fn check(&self, always: bool) -> Result<(), StoreError> {
        if let Some(error) = self.damage.met() {
            return Err(error);
        }
        let failing = self
            .failing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if !failing && !always {
            return Ok(());
        }
        self.commit(|tx| {
            // A row of its own, since a transaction that changes nothing writes nothing.
            tx.execute(
                "INSERT INTO meta (key, value) VALUES ('last_check', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = max(excluded.value, value + 1)",
                [tx.now().unix_millis()],
            )?;
            Ok(())
        })
    }

    /// Where a damaged database was moved when this one was opened.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// Runs `work` on one consistent state of the database.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let answer = self.read_unwatched(work);
        self.damage.watch(&answer);
        answer
    }

    fn read_unwatched<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let pooled = self.lock_readers().pop();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => self.location.connect().and_then(schema::read_only)?,
        };
        let transaction = connection.transaction().map_err(StoreError::from)?;
        let answer = work(&transaction);
        drop(transaction);
        let mut readers = self.lock_readers();
        if readers.len() < MAX_IDLE_READERS {
            readers.push(connection);
        }
        answer
    }

    fn lock_readers(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MAX_IDLE_READERS: usize = 4;

impl Location {
    fn connect(&self) -> Result<Connection, StoreError> {
        let connection = match self {
            Self::File(path) => {
                make_private(path);
                Connection::open(path)
            }
            Self::Memory(name) => Connection::open_with_flags(
                name,
                OpenFlags::SQLITE_OPEN_READ_WRITE
                    | OpenFlags::SQLITE_OPEN_CREATE
                    | OpenFlags::SQLITE_OPEN_URI
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            ),
        }
        .map_err(|error| StoreError::open(self.path(), error))?;
        connection
            .busy_timeout(Duration::from_secs(5))
            .map_err(StoreError::from)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory(name) => Path::new(name),
        }
    }
}

/// Makes an empty file that only its owner can read; SQLite gives its other files the same mode.
/// Where that fails, opening it says why.
fn make_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let _ = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
}

#[cfg(test)]
mod tests;
