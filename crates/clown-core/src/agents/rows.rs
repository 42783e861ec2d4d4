//! What was last published of each agent.

use super::find::Found;
use crate::store::{StoreError, Tx};
use clown_events::{AgentDetected, AgentUpdated, Event};
use rusqlite::{Connection, Row, params};

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub id: String,
    pub name: String,
    /// None while it is not installed.
    pub program: Option<Program>,
}

/// An installed agent's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub version: String,
    pub path: String,
    pub fingerprint: String,
}

impl Program {
    pub fn new(found: &Found, fingerprint: String, version: String) -> Self {
        Self {
            version,
            path: found.path.to_string_lossy().into_owned(),
            fingerprint,
        }
    }
}

pub fn list(connection: &Connection) -> Result<Vec<Published>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, installed, version, binary_path, fingerprint FROM agents ORDER BY id",
    )?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Published> {
    let installed: bool = row.get("installed")?;
    let text = |name: &str| -> rusqlite::Result<String> {
        Ok(row.get::<_, Option<String>>(name)?.unwrap_or_default())
    };
    let program = Program {
        version: text("version")?,
        path: text("binary_path")?,
        fingerprint: text("fingerprint")?,
    };
    Ok(Published {
        id: row.get("id")?,
        name: row.get("name")?,
        program: installed.then_some(program),
    })
}

/// Records what is true now, and publishes what follows from the difference.
pub fn publish(
    tx: &mut Tx<'_>,
    before: &[Published],
    now: Vec<Published>,
) -> Result<(), StoreError> {
    for gone in before {
        if !now.iter().any(|agent| agent.id == gone.id) {
            if let Some(event) = difference(Some(gone), None) {
                tx.publish(event);
            }
            tx.execute("DELETE FROM agents WHERE id = ?1", [&gone.id])?;
        }
    }
    for agent in now {
        let known = before.iter().find(|known| known.id == agent.id);
        if known == Some(&agent) {
            continue;
        }
        if let Some(event) = difference(known, Some(&agent)) {
            tx.publish(event);
        }
        put(tx, &agent)?;
    }
    Ok(())
}

fn put(connection: &Connection, agent: &Published) -> Result<(), StoreError> {
    let program = agent.program.as_ref();
    connection.execute(
        "INSERT OR REPLACE INTO agents (id, name, installed, version, binary_path, fingerprint)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            agent.id,
            agent.name,
            program.is_some(),
            program.map(|program| &program.version),
            program.map(|program| &program.path),
            program.map(|program| &program.fingerprint),
        ],
    )?;
    Ok(())
}

/// The event that follows when what was published of an agent is not what is true now.
fn difference(before: Option<&Published>, now: Option<&Published>) -> Option<Event> {
    let program = |agent: Option<&Published>| agent.and_then(|agent| agent.program.clone());
    match (program(before), program(now)) {
        (None, None) => None,
        (None, Some(new)) => {
            let now = now?;
            Some(AgentDetected::new(&now.id, &now.name, new.version, new.path).into())
        }
        (Some(old), None) => Some(AgentUpdated::new(&before?.id, old.version, None).into()),
        (Some(old), Some(new)) if old.version == new.version && old.path == new.path => None,
        (Some(old), Some(new)) => {
            Some(AgentUpdated::new(&before?.id, old.version, Some(new.version)).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(program: Option<(&str, &str, &str)>) -> Published {
        Published {
            id: "a".to_owned(),
            name: "A".to_owned(),
            program: program.map(|(version, path, fingerprint)| Program {
                version: version.to_owned(),
                path: path.to_owned(),
                fingerprint: fingerprint.to_owned(),
            }),
        }
    }

    #[test]
    fn events_are_differences() {
        let check = |before: Option<Published>, now: Option<Published>, event: Option<Event>| {
            let found = difference(before.as_ref(), now.as_ref());
            assert_eq!(found, event, "{before:?} {now:?}");
        };
        let absent = || Some(agent(None));
        let present = |version, path, mark| Some(agent(Some((version, path, mark))));
        let detected = || Some(AgentDetected::new("a", "A", "1", "/a").into());
        let updated =
            |new: Option<&str>| Some(AgentUpdated::new("a", "1", new.map(str::to_owned)).into());
        check(None, absent(), None);
        check(absent(), absent(), None);
        check(None, present("1", "/a", "x"), detected());
        check(absent(), present("1", "/a", "x"), detected());
        check(present("1", "/a", "x"), present("1", "/a", "x"), None);
        check(present("1", "/a", "x"), present("1", "/a", "y"), None);
        check(
            present("1", "/a", "x"),
            present("2", "/a", "y"),
            updated(Some("2")),
        );
        check(
            present("1", "/a", "x"),
            present("1", "/b", "y"),
            updated(Some("1")),
        );
        check(present("1", "/a", "x"), absent(), updated(None));
        check(present("1", "/a", "x"), None, updated(None));
        check(absent(), None, None);
    }
}
