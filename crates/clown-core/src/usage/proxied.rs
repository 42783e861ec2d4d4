//! When the runs of a profile go through its proxy. The proxy counts them then; what an agent writes
//! down of the same answers is known again by the provider's id, and where it has none it would
//! count twice.

use super::Usage;
use crate::Alias;
use crate::store::{StoreError, Tx};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashMap;

/// The spans of time of all profiles.
#[derive(Debug, Default)]
pub(super) struct Proxied(HashMap<String, Vec<(i64, Option<i64>)>>);

impl Proxied {
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let mut spans: HashMap<String, Vec<_>> = HashMap::new();
        let mut statement =
            connection.prepare_cached("SELECT profile, since, until FROM usage_proxied")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let span = (row.get(1)?, row.get(2)?);
            spans.entry(row.get(0)?).or_default().push(span);
        }
        Ok(Self(spans))
    }

    /// Whether a run of `profile` went through its proxy at this time.
    pub(super) fn holds(&self, profile: &Alias, at: i64) -> bool {
        let spans = self.0.get(profile.as_str()).into_iter().flatten();
        spans
            .into_iter()
            .any(|(since, until)| *since <= at && until.is_none_or(|until| at < until))
    }
}

impl Usage {
    /// From now on, runs of `profile` go through its proxy, or do not.
    pub fn is_proxied(&self, profile: &Alias, proxied: bool) -> Result<(), StoreError> {
        let is_so = self.store.read(|connection| open_in(connection, profile))?;
        if is_so == proxied {
            return Ok(());
        }
        let profile = profile.clone();
        self.store.commit(move |tx| note(tx, &profile, proxied))
    }
}

fn open_in(connection: &Connection, profile: &Alias) -> Result<bool, StoreError> {
    let open: Option<i64> = connection
        .prepare_cached("SELECT since FROM usage_proxied WHERE profile = ?1 AND until IS NULL")?
        .query_row([profile.as_str()], |row| row.get(0))
        .optional()?;
    Ok(open.is_some())
}

fn note(tx: &mut Tx<'_>, profile: &Alias, proxied: bool) -> Result<(), StoreError> {
    let now = tx.now().unix_millis();
    // Somebody may have noted it meanwhile.
    if open_in(tx, profile)? == proxied {
        return Ok(());
    }
    let sql = if proxied {
        "INSERT OR REPLACE INTO usage_proxied (profile, since) VALUES (?1, ?2)"
    } else {
        "UPDATE usage_proxied SET until = ?2 WHERE profile = ?1 AND until IS NULL"
    };
    tx.execute(sql, params![profile.as_str(), now])?;
    Ok(())
}
