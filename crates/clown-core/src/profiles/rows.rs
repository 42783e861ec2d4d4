//! The `profiles` table: what was last published.

use super::definition::Definition;
use crate::Alias;
use crate::store::StoreError;
use clown_events::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A profile as it was last published.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its name.
    pub alias: Alias,
    /// The last good definition.
    pub definition: Definition,
    /// The SHA-256 of the file that the definition came from.
    pub digest: [u8; 32],
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When its definition last changed.
    pub updated_at: Timestamp,
    /// When a run of it last started.
    pub last_used: Option<Timestamp>,
}

const COLUMNS: &str = "alias, definition, digest, created_at, updated_at, last_used";

/// All profiles, by alias.
pub fn list(connection: &Connection) -> Result<Vec<Published>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM profiles ORDER BY alias"))?;
    let rows = statement.query_map([], read)?;
    rows.map(|row| row.map_err(StoreError::from)).collect()
}

/// One profile.
pub fn get(connection: &Connection, alias: &Alias) -> Result<Option<Published>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM profiles WHERE alias = ?1"))?;
    Ok(statement.query_row([alias.as_str()], read).optional()?)
}

/// Adds a profile, or replaces what is known of it.
pub fn put(connection: &Connection, profile: &Published) -> Result<(), StoreError> {
    let definition = serde_json::to_string(&profile.definition)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached(
            "INSERT INTO profiles (alias, definition, digest, created_at, updated_at, last_used)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (alias) DO UPDATE SET definition = excluded.definition,
                digest = excluded.digest, updated_at = excluded.updated_at",
        )?
        .execute(params![
            profile.alias.as_str(),
            definition,
            profile.digest,
            profile.created_at.unix_millis(),
            profile.updated_at.unix_millis(),
            profile.last_used.map(|time| time.unix_millis()),
        ])?;
    Ok(())
}

/// Removes a profile.
pub fn remove(connection: &Connection, alias: &Alias) -> Result<(), StoreError> {
    connection.execute("DELETE FROM profiles WHERE alias = ?1", [alias.as_str()])?;
    Ok(())
}

/// Notes a key that may be stored in vain.
pub fn doubt_key(connection: &Connection, name: &Alias) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR IGNORE INTO doubtful_keys (name) VALUES (?1)",
        [name.as_str()],
    )?;
    Ok(())
}

/// Takes that note away.
pub fn settle_key(connection: &Connection, name: &Alias) -> Result<(), StoreError> {
    connection.execute("DELETE FROM doubtful_keys WHERE name = ?1", [name.as_str()])?;
    Ok(())
}

/// The keys that are noted.
pub fn doubtful_keys(connection: &Connection) -> Result<Vec<Alias>, StoreError> {
    let mut statement = connection.prepare("SELECT name FROM doubtful_keys")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut keys = Vec::new();
    for name in names {
        // Only aliases are ever written.
        keys.extend(name?.parse::<Alias>());
    }
    Ok(keys)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Published> {
    let alias: String = row.get(0)?;
    let definition: String = row.get(1)?;
    Ok(Published {
        alias: alias.parse().map_err(|error| unreadable(0, error))?,
        definition: serde_json::from_str(&definition).map_err(|error| unreadable(1, error))?,
        digest: row.get(2)?,
        created_at: time(row, 3)?,
        updated_at: time(row, 4)?,
        last_used: match row.get::<_, Option<i64>>(5)? {
            Some(_) => Some(time(row, 5)?),
            None => None,
        },
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_unix_millis(row.get(column)?).map_err(|error| unreadable(column, error))
}

fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
