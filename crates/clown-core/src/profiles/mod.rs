//! Profiles: files that people own, and what was last published of them.
//!
//! The files are the truth. Whatever changes one (an editor, a `git pull`, a request, someone
//! while the daemon was down), the difference between the file and what was last published is
//! committed together with the event that tells of it. A request takes the same path: it settles
//! the file first, then writes it, then commits.

mod change;
mod changes;
mod definition;
mod deletion;
mod document;
mod error;
mod folder;
mod locks;
mod mcp;
mod patch;
mod proposal;
mod reconcile;
mod rows;
mod stored_keys;
mod text;
mod watch;
mod writing;

pub use changes::Changes;
pub use definition::{Definition, MEMBERS, OWN_LOGIN};
pub use error::{Fault, ProfileError};
pub use mcp::{InvalidMcp, McpDefinition};
pub(crate) use patch::merge;
pub use proposal::{Change, Proposal, ProposedMember};
pub use rows::Published;
pub use stored_keys::StoredKey;
pub use text::{Export, ExportedKey};
pub use watch::Watching;

use crate::Alias;
use crate::keys::KeyStore;
use crate::store::{Store, StoreError};
use folder::{Fingerprint, Folder};
use locks::AliasLocks;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the catalogue of agents and providers says about a definition.
pub trait Rules: Debug + Send + Sync {
    /// Refuses a definition that could never run, saying which member is wrong and why.
    fn check(&self, definition: &Definition) -> Result<(), ProfileError>;
    /// The model in effect: the profile's, else its provider's default, else its agent's.
    fn model_in_effect(&self, definition: &Definition) -> String;
    /// The rules as they are now, for many questions: what they go by is looked at once.
    fn fixed(&self) -> Arc<dyn Rules>;
}

/// The service.
#[derive(Debug)]
pub struct Profiles {
    store: Arc<Store>,
    rules: Arc<dyn Rules>,
    keys: Arc<KeyStore>,
    path: PathBuf,
    homes: PathBuf,
    locks: AliasLocks,
    references: Mutex<()>,
    faults: Mutex<Faults>,
    /// Fingerprints of files whose content is known to be published.
    seen: Mutex<HashMap<Alias, Fingerprint>>,
    changes: Arc<Changes>,
}

#[derive(Debug, Default)]
struct Faults {
    folder: Option<Fault>,
    strangers: Vec<Fault>,
    profiles: BTreeMap<Alias, reconcile::BrokenFile>,
}

/// A profile with all that is known of it.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What was last published.
    pub published: Published,
    /// What is wrong with its file, or why it cannot run.
    pub fault: Option<Fault>,
}

impl Profiles {
    /// Profiles in the folder `path`; what agents keep for them is in `homes`.
    pub fn new(
        store: Arc<Store>,
        rules: Arc<dyn Rules>,
        keys: Arc<KeyStore>,
        path: PathBuf,
        homes: PathBuf,
    ) -> Self {
        Self {
            store,
            rules,
            keys,
            path,
            homes,
            locks: AliasLocks::default(),
            references: Mutex::default(),
            faults: Mutex::default(),
            seen: Mutex::default(),
            changes: Arc::default(),
        }
    }

    /// What may have changed, for one to follow.
    pub(crate) fn changes(&self) -> Arc<Changes> {
        Arc::clone(&self.changes)
    }

    /// All profiles, by alias.
    pub fn list(&self) -> Result<Vec<Profile>, StoreError> {
        self.store.read(|connection| self.list_in(connection))
    }

    /// All profiles in `connection`'s view of the database.
    pub fn list_in(&self, connection: &Connection) -> Result<Vec<Profile>, StoreError> {
        let published = rows::list(connection)?;
        let rules = self.rules.fixed();
        Ok(published
            .into_iter()
            .map(|published| self.with_fault(&*rules, published))
            .collect())
    }

    /// One profile. A file that was never good is no profile yet: the error says what is wrong.
    pub fn get(&self, alias: &Alias) -> Result<Profile, ProfileError> {
        match self.store.read(|connection| rows::get(connection, alias))? {
            Some(published) => Ok(self.with_fault(&*self.rules, published)),
            None => Err(self.missing(alias)),
        }
    }

    /// What is wrong with files in the folder, or with the folder.
    pub fn faults(&self) -> Vec<Fault> {
        let faults = self.lock_faults();
        let files = faults.profiles.values().map(|broken| &broken.fault);
        faults
            .folder
            .iter()
            .chain(&faults.strangers)
            .chain(files)
            .cloned()
            .collect()
    }

    /// Where agents keep what belongs to `alias`.
    pub fn home(&self, alias: &Alias) -> PathBuf {
        self.homes.join(alias.as_str())
    }

    /// The profile's file.
    pub fn file(&self, alias: &Alias) -> PathBuf {
        self.path.join(alias.file_name())
    }

    /// The folder of profiles.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    fn with_fault(&self, rules: &dyn Rules, published: Published) -> Profile {
        let file = self
            .lock_faults()
            .profiles
            .get(&published.alias)
            .map(|broken| broken.fault.clone());
        let fault = file.or_else(|| {
            let definition = &published.definition;
            let checked = rules.check(definition);
            let error = checked.and_then(|()| self.check_key(definition)).err()?;
            Some(Fault {
                path: self.file(&published.alias),
                place: None,
                message: error.to_string(),
            })
        });
        Profile { published, fault }
    }

    fn missing(&self, alias: &Alias) -> ProfileError {
        match self.lock_faults().profiles.get(alias) {
            Some(broken) => ProfileError::Broken {
                alias: alias.clone(),
                fault: broken.fault.clone(),
            },
            None => ProfileError::NotFound(alias.clone()),
        }
    }

    fn lock_faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_seen(&self) -> MutexGuard<'_, HashMap<Alias, Fingerprint>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
