//! Clearing away what proxies have metered, once it is counted.

use super::files::{self, FileState};
use super::{Usage, UsageError, names_in};
use std::fs;
use std::path::{Path, PathBuf};

/// How many of those that were put aside stay for people to look at.
const KEPT: usize = 2;

impl Usage {
    /// Removes spools that were put aside, are counted to their end, and are not among the newest.
    pub(super) fn clear_spools(&self) -> Result<(), UsageError> {
        for alias in names_in(&self.settings.proxies) {
            let folder = self.settings.proxies.join(alias.as_str());
            // Their names begin with when they were put aside.
            let mut aside = put_aside(&folder);
            aside.sort_unstable();
            let old = aside.len().saturating_sub(KEPT);
            for path in &aside[..old] {
                if self.is_counted(path)?
                    && let Err(error) = fs::remove_file(path)
                {
                    tracing::warn!("cannot remove {}: {error}", path.display());
                }
            }
        }
        Ok(())
    }

    fn is_counted(&self, path: &Path) -> Result<bool, UsageError> {
        let Ok(metadata) = fs::metadata(path) else {
            return Ok(false);
        };
        let state = FileState::of(&metadata);
        let known = self
            .store
            .read(|connection| files::known(connection, path))?;
        Ok(known.is_some_and(|known| known.state == state && known.offset == state.size))
    }
}

fn put_aside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("spool-") && name.ends_with(".jsonl")
        })
        .collect()
}
