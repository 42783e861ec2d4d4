//! The database's format. Migrations are only ever added.

use super::{Durability, StoreError};
use crate::Seq;
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
];

/// Brings the database to the newest format.
pub(super) fn prepare(
    connection: &mut Connection,
    path: &Path,
    durability: Durability,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::open(path, error);
    connection
        .pragma_update(None, "journal_mode", "wal")
        .map_err(failed)?;
    let synchronous = match durability {
        Durability::Process => "normal",
        Durability::Power => "full",
    };
    connection
        .pragma_update(None, "synchronous", synchronous)
        .map_err(failed)?;
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    for (version, sql) in (1..)
        .zip(MIGRATIONS)
        .skip(usize::try_from(found).unwrap_or(0))
    {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(sql).map_err(failed)?;
        transaction
            .pragma_update(None, "user_version", version)
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

/// A connection that cannot write by mistake.
pub(super) fn read_only(connection: Connection) -> Result<Connection, StoreError> {
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// The greatest number that was ever given, also when its event is trimmed.
pub(super) fn last_seq(connection: &Connection) -> Result<Seq, StoreError> {
    let held: Option<i64> =
        connection.query_row("SELECT max(seq) FROM journal", [], |row| row.get(0))?;
    let trimmed: Option<i64> = connection
        .query_row(
            "SELECT value FROM meta WHERE key = 'trimmed_to'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(Seq::from_sql(held.max(trimmed).unwrap_or(0)))
}
