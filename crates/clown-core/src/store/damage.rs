//! A damaged database is set aside, never deleted: someone may want to read it.

use super::StoreError;
use clown_events::Timestamp;
use rusqlite::Connection;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Beside the database, when a damage was met while it was open: the next start looks at all of it.
const SUSPECT: &str = "-suspect";

/// Looks at the parts without which nothing works; at everything when the database is suspect.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    if beside(path, SUSPECT).exists() {
        quick_check(connection, "quick_check(1)")?;
        // Nothing was found. If it cannot be removed, the next start looks again.
        let _ = fs::remove_file(beside(path, SUSPECT));
        return Ok(());
    }
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema
         WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'journal'",
    )?;
    let tables = statement.query_map([], |row| row.get::<_, String>(0))?;
    for table in tables {
        quick_check(connection, &format!("quick_check({})", table?))?;
    }
    Ok(())
}

fn quick_check(connection: &Connection, pragma: &str) -> Result<(), StoreError> {
    let said: String = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?;
    if said == "ok" {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(code, Some(said)).into())
}

/// Whether somebody has met a damage while the database is open. It is healed by a start alone.
#[derive(Debug)]
pub(super) struct Damage {
    /// The file; a database in memory has none.
    path: Option<PathBuf>,
    met: OnceLock<StoreError>,
}

impl Damage {
    pub(super) fn of(path: Option<&PathBuf>) -> Self {
        Self {
            path: path.cloned(),
            met: OnceLock::new(),
        }
    }

    /// The first that was met.
    pub(super) fn met(&self) -> Option<StoreError> {
        self.met.get().cloned()
    }

    /// Looks whether `outcome` tells of a damage, and remembers it, also for the next start.
    pub(super) fn watch<T>(&self, outcome: &Result<T, StoreError>) {
        if let Err(error @ StoreError::Corrupt(_)) = outcome
            && self.met.set(error.clone()).is_ok()
            && let Some(path) = &self.path
        {
            tracing::error!("{error}");
            suspect(path);
        }
    }
}

/// Remembers for the next start that a damage was met.
pub(super) fn suspect(path: &Path) {
    // Without it, the damage is met again.
    let _ = fs::write(beside(path, SUSPECT), b"");
}

/// Moves the database away. Its new name is the answer.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let now = Timestamp::now().unix_millis();
    let aside = beside(path, &format!("-damaged-{now}"));
    for end in ["", "-wal", "-shm"] {
        match fs::rename(beside(path, end), beside(&aside, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::NotSetAside {
                    path: path.to_owned(),
                    reason: error.to_string(),
                });
            }
            _ => {}
        }
    }
    let _ = fs::remove_file(beside(path, SUSPECT));
    Ok(aside)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(end);
    name.into()
}
