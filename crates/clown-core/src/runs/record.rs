//! What a caller leaves on the disk, in case nobody listens when it reports.

use super::RunError;
use crate::process::ProcessIdentity;
use clown_events::Timestamp;
use serde::Deserialize;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

/// The JSON of `runs/<id>`. Its last two members are missing while the agent runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ExitRecord {
    pub run_id: String,
    pub pid: u32,
    /// With this the process can be told from a later one of the same number.
    #[serde(default)]
    pub pid_start: Option<u64>,
    pub started_at: Timestamp,
    #[serde(default)]
    pub exit_code: Option<i32>,
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
}

impl ExitRecord {
    /// The agent's process. Where the start time is missing, no process matches.
    pub fn agent(&self) -> Option<ProcessIdentity> {
        (self.pid != 0).then_some(ProcessIdentity {
            pid: self.pid,
            start: self.pid_start.unwrap_or(0),
        })
    }
}

/// Makes the folder, for its owner only.
pub(super) fn prepare_folder(folder: &Path) -> Result<(), RunError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| failed(folder, source))
}

/// The record of a run. One that makes no sense is as good as none, and said in the log.
pub(super) fn read(folder: &Path, id: &str) -> Result<Option<ExitRecord>, RunError> {
    const MAX: u64 = 64 * 1024;
    if !is_id(id) {
        return Ok(None);
    }
    let path = folder.join(id);
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(MAX).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(&path, source)),
    }
    match serde_json::from_slice::<ExitRecord>(&text) {
        Ok(record) if record.run_id == id => Ok(Some(record)),
        Ok(_) => {
            tracing::warn!(path = %path.display(), "the exit record is another run's");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the exit record cannot be read");
            Ok(None)
        }
    }
}

/// Clears a record whose run is closed. One that stays is cleared at the next start.
pub(super) fn remove(folder: &Path, id: &str) {
    if is_id(id) {
        match fs::remove_file(folder.join(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(run = id, %error, "the exit record cannot be removed");
            }
            _ => {}
        }
    }
}

/// Clears what no open run will ask for. `is_open` is none for a run that is not known.
pub(super) fn clear_old(
    folder: &Path,
    is_open: impl Fn(&str) -> Result<Option<bool>, RunError>,
) -> Result<(), RunError> {
    // Longer than any caller takes to write one, and than anybody needs to look into a mishap.
    const STRANGERS_STAY: Duration = Duration::from_hours(24);
    let entries = fs::read_dir(folder).map_err(|source| failed(folder, source))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        let clear = match is_open(name)? {
            Some(open) => !open,
            None => {
                let modified = entry.metadata().and_then(|metadata| metadata.modified());
                modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > STRANGERS_STAY))
            }
        };
        if clear && let Err(error) = fs::remove_file(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "an old exit record stays");
        }
    }
    Ok(())
}

/// What comes from a request's path must not lead out of the folder.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn failed(path: &Path, source: io::Error) -> RunError {
    RunError::Record {
        path: path.to_owned(),
        source,
    }
}
