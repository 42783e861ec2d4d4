//! The `proxies` table. Nothing else knows its SQL.

use super::{Instance, Proxy};
use crate::Alias;
use crate::store::StoreError;
use clown_events::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

const COLUMNS: &str = "profile, pid, port, exit_code, error, started_at, stopped_at";

/// All that are known, by profile.
pub fn list_in(connection: &Connection) -> Result<Vec<Proxy>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM proxies ORDER BY profile");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn get(connection: &Connection, profile: &Alias) -> Result<Option<Proxy>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM proxies WHERE profile = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([profile.as_str()], read)
        .optional()?)
}

pub(super) fn put(connection: &Connection, proxy: &Proxy) -> Result<(), StoreError> {
    let sql =
        format!("INSERT OR REPLACE INTO proxies ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    connection.prepare_cached(&sql)?.execute(params![
        proxy.profile.as_str(),
        proxy.instance.map(|instance| instance.pid),
        proxy.instance.map(|instance| instance.port),
        proxy.exit_code,
        proxy.error,
        proxy.started_at.map(Timestamp::unix_millis),
        proxy.stopped_at.map(Timestamp::unix_millis),
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Proxy> {
    let profile: String = row.get(0)?;
    let profile = profile.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
    })?;
    let (pid, port): (Option<u32>, Option<u16>) = (row.get(1)?, row.get(2)?);
    let time = |index| -> rusqlite::Result<Option<Timestamp>> {
        let millis: Option<i64> = row.get(index)?;
        Ok(millis.and_then(|millis| Timestamp::from_unix_millis(millis).ok()))
    };
    Ok(Proxy {
        profile,
        instance: pid.zip(port).map(|(pid, port)| Instance { pid, port }),
        exit_code: row.get(3)?,
        error: row.get(4)?,
        started_at: time(5)?,
        stopped_at: time(6)?,
    })
}
