//! Counting what a person's agents have used without a profile.

use super::batch::Scope;
use super::places::{Place, own_folders};
use super::{Usage, UsageError, lock};
use crate::Alias;
use crate::agents::AgentManifest;
use crate::store::StoreError;
use clown_events::UsageImported;
use rusqlite::Connection;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The agent.
    pub source: String,
    /// Its folder; else those where it writes by itself.
    pub path: Option<PathBuf>,
    /// The profile that it counts for; else it counts for none.
    pub profile: Option<Alias>,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The agent.
    pub source: String,
    /// Answers that were not known.
    pub records: u64,
    /// Files that were read.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Where they are.
    pub paths: Vec<PathBuf>,
}

/// An import that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Importing {
    /// The agent.
    pub source: String,
    /// Bytes that are read.
    pub done: u64,
    /// Bytes that there are.
    pub total: u64,
}

#[derive(Debug)]
pub(super) struct State {
    source: String,
    done: AtomicU64,
    total: AtomicU64,
}

impl Usage {
    /// Counts what an agent has written, once. Its folder is counted as it grows from now on.
    pub fn import(&self, request: &ImportRequest) -> Result<Imported, UsageError> {
        let agents = self.agents.current();
        let agent = agents
            .get(&request.source)
            .filter(|agent| agent.usage.is_some())
            .ok_or_else(|| UsageError::NoSource {
                agent: request.source.clone(),
                known: agents
                    .all()
                    .filter(|agent| agent.usage.is_some())
                    .map(|agent| agent.id.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            })?;
        let folders = self.folders(agent, request);
        let there: Vec<PathBuf> = folders
            .iter()
            .filter(|path| path.is_dir())
            .cloned()
            .collect();
        if there.is_empty() {
            return Err(UsageError::NoFolder {
                agent: agent.name.clone(),
                paths: folders,
            });
        }
        let state = Arc::new(State {
            source: request.source.clone(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
        });
        lock(&self.imports).push(Arc::clone(&state));
        let imported = self.import_from(agent, request, there, &state);
        lock(&self.imports).retain(|known| !Arc::ptr_eq(known, &state));
        imported
    }

    /// What is being imported.
    pub fn importing(&self) -> Vec<Importing> {
        let imports = lock(&self.imports);
        imports
            .iter()
            .map(|state| Importing {
                source: state.source.clone(),
                done: state.done.load(Ordering::Relaxed),
                total: state.total.load(Ordering::Relaxed),
            })
            .collect()
    }

    fn folders(&self, agent: &AgentManifest, request: &ImportRequest) -> Vec<PathBuf> {
        match &request.path {
            Some(path) => vec![path.clone()],
            None => own_folders(agent, &self.settings.environment),
        }
    }

    fn import_from(
        &self,
        agent: &AgentManifest,
        request: &ImportRequest,
        paths: Vec<PathBuf>,
        state: &State,
    ) -> Result<Imported, UsageError> {
        let Some(logs) = &agent.usage else {
            return Err(UsageError::NoFolder {
                agent: agent.name.clone(),
                paths,
            });
        };
        let scope = Scope {
            agent: request.source.clone(),
            profile: request.profile.clone(),
        };
        let mut files = Vec::new();
        for path in &paths {
            let place = Place::new(scope.clone(), logs, path.clone());
            for file in place.files() {
                let size = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
                files.push((place.clone(), file, size));
            }
        }
        let total = files.iter().map(|file| file.2).sum();
        state.total.store(total, Ordering::Relaxed);
        let scanned = self.scan(|scan| {
            // What counts for nobody is to be the profile's.
            scan.anew = request.profile.is_some();
            for (place, file, size) in &files {
                scan.file(place, file)?;
                state.done.fetch_add(*size, Ordering::Relaxed);
            }
            Ok(())
        })?;
        self.tell()?;
        let imported = Imported {
            source: request.source.clone(),
            records: scanned.new,
            files: scanned.files,
            bytes: scanned.bytes,
            paths: paths.clone(),
        };
        let event = UsageImported::new(&*request.source, scanned.new);
        let (source, follows) = (request.source.clone(), request.profile.is_none());
        self.store.commit(move |tx| {
            for path in paths.iter().filter(|_| follows) {
                tx.prepare_cached("INSERT OR IGNORE INTO usage_places VALUES (?1, ?2)")?
                    .execute((&source, path.as_os_str().as_bytes()))?;
            }
            tx.publish(event);
            Ok::<_, StoreError>(())
        })?;
        self.follow_soon();
        Ok(imported)
    }
}

/// The folders that were imported, by agent.
pub(super) fn places_in(connection: &Connection) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT agent, path FROM usage_places ORDER BY agent, path")?;
    let rows = statement.query_map([], |row| {
        let path: Vec<u8> = row.get(1)?;
        Ok((row.get(0)?, PathBuf::from(OsString::from_vec(path))))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
