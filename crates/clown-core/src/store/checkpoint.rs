//! Moves what is committed from the write-ahead log into the database file, on a thread of its own:
//! this syncs the disk, and nobody who commits is to wait for that.

use super::writer::Writer;
use super::{Location, StoreError};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// How many pages of the log wait until they are moved: 16 MiB.
const ENOUGH: i32 = 4_096;

/// A log of so many pages is moved whole, so that it can begin anew, and writing waits for it.
/// Otherwise a writer that never rests would let it grow without end.
const TOO_MANY: i32 = 16_384;

/// Tells the thread when there is enough to do.
#[derive(Debug, Clone)]
pub(super) struct Checkpoints {
    orders: SyncSender<Order>,
    /// Pages of the log that are moved already.
    moved: Arc<AtomicI32>,
}

/// The thread. It ends with this value.
#[derive(Debug)]
pub(super) struct Checkpointer {
    orders: SyncSender<Order>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Checkpoint,
    Stop,
}

/// What the thread will listen to.
pub(super) struct Orders {
    receiver: Receiver<Order>,
    checkpoints: Checkpoints,
}

/// Both ends, before there is a writer.
pub(super) fn channel() -> (Checkpoints, Orders) {
    let (orders, receiver) = sync_channel(1);
    let checkpoints = Checkpoints {
        orders,
        moved: Arc::default(),
    };
    let orders = Orders {
        receiver,
        checkpoints: checkpoints.clone(),
    };
    (checkpoints, orders)
}

impl Checkpoints {
    /// Watches the log of `connection`, which moves nothing by itself from then on.
    pub(super) fn follow(self, connection: &mut Connection) -> Result<(), StoreError> {
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            let moved = self.moved.load(Ordering::Relaxed);
            // The log begins anew once all of it is moved.
            let waiting = if pages < moved { pages } else { pages - moved };
            if waiting >= ENOUGH {
                // When there is an order already, it is for these pages too.
                let _ = self.orders.try_send(Order::Checkpoint);
            }
            Ok(())
        }))?;
        Ok(())
    }
}

impl Checkpointer {
    pub(super) fn start(
        orders: Orders,
        location: &Location,
        writer: Arc<Writer>,
    ) -> Result<Self, StoreError> {
        let connection = location.connect()?;
        let sender = orders.checkpoints.orders.clone();
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || run(&orders, &connection, &writer))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self {
            orders: sender,
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        // The thread is gone already when this fails.
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to tell but a panic, which it has printed itself.
            let _ = thread.join();
        }
    }
}

fn run(orders: &Orders, connection: &Connection, writer: &Writer) {
    while let Ok(Order::Checkpoint) = orders.receiver.recv() {
        let mut log = checkpoint(connection);
        if log.as_ref().is_ok_and(|log| log.pages >= TOO_MANY) {
            // Little is left to move by now.
            writer.hold(|| log = checkpoint(connection));
        }
        match log {
            Ok(log) => orders.checkpoints.moved.store(log.moved, Ordering::Relaxed),
            // A full disk, say. Commits find out for themselves, and tell.
            Err(error) => tracing::debug!(%error, "the database's log cannot be moved"),
        }
    }
}

/// How many pages the log has, and how many of them are in the database file.
struct Log {
    pages: i32,
    moved: i32,
}

/// Moves what no reader needs in the log, without waiting for anybody.
fn checkpoint(connection: &Connection) -> rusqlite::Result<Log> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(Log {
            pages: row.get(1)?,
            moved: row.get(2)?,
        })
    })
}
