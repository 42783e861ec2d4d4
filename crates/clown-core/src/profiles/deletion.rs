//! Deleting a profile, and what a deletion that was cut short leaves behind.

use super::error::ProfileError;
use super::stored_keys::stored_key;
use super::{Profiles, reconcile, rows};
use crate::store::StoreError;
use crate::{Alias, files, runs};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io;
use std::path::Path;

/// What a deletion found to be so.
#[derive(Debug)]
enum NotDeleted {
    Running(u64),
    Store(StoreError),
}

impl From<StoreError> for NotDeleted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Profiles {
    /// Deletes a profile that does not run. What its agent keeps stays, unless `purge` is set.
    pub fn delete(&self, alias: &Alias, purge: bool) -> Result<(), ProfileError> {
        let _guard = self.locks.lock(alias);
        let (_, published, _) = self.whole(alias)?;
        let open = self
            .store
            .read(|connection| runs::open_in(connection, alias))?;
        if open > 0 {
            return Err(ProfileError::Running {
                alias: alias.clone(),
                runs: open,
            });
        }
        let file = self.file(alias);
        let aside = self.path.join(aside_name(alias));
        move_file(&file, &aside)?;
        let moved = fs::read(&aside).map(|bytes| <[u8; 32]>::from(Sha256::digest(&bytes)));
        if !moved.is_ok_and(|digest| digest == published.digest) {
            put_back(&aside, &file)?;
            return Err(ProfileError::Changing(alias.clone()));
        }
        let gone = alias.clone();
        let key = stored_key(published.definition.key.as_ref()).cloned();
        let committed = self
            .store
            .commit(move |tx| match runs::open_in(tx, &gone)? {
                0 => {
                    if let Some(key) = key {
                        rows::doubt_key(tx, &key)?;
                    }
                    Ok(reconcile::delete(tx, &gone)?)
                }
                open => Err(NotDeleted::Running(open)),
            });
        if let Err(not_deleted) = committed {
            put_back(&aside, &file)?;
            return Err(match not_deleted {
                NotDeleted::Running(runs) => ProfileError::Running {
                    alias: alias.clone(),
                    runs,
                },
                NotDeleted::Store(error) => error.into(),
            });
        }
        self.changes.note(alias);
        // From here on the profile is gone; what cannot be cleared away is told in the log.
        let cleared = fs::remove_file(&aside).and_then(|()| files::sync_folder(&self.path));
        log_uncleared(alias, &aside, cleared);
        if let Some(key) = stored_key(published.definition.key.as_ref()) {
            self.settle_keys(std::slice::from_ref(key), Some(alias));
        }
        if purge {
            let home = self.home(alias);
            let cleared = match fs::remove_dir_all(&home) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                cleared => cleared,
            };
            log_uncleared(alias, &home, cleared);
        }
        Ok(())
    }

    /// Clears away what a daemon left that was killed in the middle of a change. Call it before
    /// anything else.
    pub fn clear_litter(&self) -> Result<(), ProfileError> {
        files::sweep(&self.path);
        for profile in self.store.read(rows::list)? {
            let aside = self.path.join(aside_name(&profile.alias));
            // Its deletion was not committed, so nobody was told of it.
            if aside.exists() {
                put_back(&aside, &self.file(&profile.alias))?;
            }
        }
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(ASIDE) {
                // Litter of a deletion that was committed.
                let _ = fs::remove_file(entry.path());
            }
        }
        self.settle_keys(&self.store.read(rows::doubtful_keys)?, None);
        Ok(())
    }
}

/// The end of the name under which a file stands while its profile is being deleted.
const ASIDE: &str = ".toml.removed";

fn aside_name(alias: &Alias) -> String {
    format!(".{alias}{ASIDE}")
}

/// Puts a file back, unless there is one again.
fn put_back(aside: &Path, file: &Path) -> Result<(), ProfileError> {
    if file.exists() {
        return fs::remove_file(aside).map_err(|source| ProfileError::File {
            action: "remove",
            path: aside.to_owned(),
            source,
        });
    }
    move_file(aside, file)
}

fn move_file(from: &Path, to: &Path) -> Result<(), ProfileError> {
    fs::rename(from, to).map_err(|source| ProfileError::File {
        action: "move",
        path: from.to_owned(),
        source,
    })
}

fn log_uncleared(alias: &Alias, path: &Path, cleared: io::Result<()>) {
    if let Err(error) = cleared {
        tracing::warn!(profile = %alias, "{} could not be removed: {error}", path.display());
    }
}
