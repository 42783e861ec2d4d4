use super::child::stat_field;
use crate::whole_file::write_whole;
use clown_events::Timestamp;
use rustix::process::Pid;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the daemon reads of a run whose report did not reach it: the JSON of `runs/<id>` in the
/// state folder. The daemon removes it once it knows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ExitRecord {
    run_id: String,
    pid: u32,
    /// With this the daemon can tell the process from a later one of the same number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid_start: Option<u64>,
    started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip)]
    path: PathBuf,
}

impl ExitRecord {
    /// For a run that starts now. Nothing is written yet.
    pub(crate) fn new(state_dir: &Path, run_id: &str, child: Pid) -> Self {
        Self {
            run_id: run_id.to_owned(),
            pid: child.as_raw_nonzero().get().unsigned_abs(),
            pid_start: stat_field(child, 22).and_then(|start| start.parse().ok()),
            started_at: Timestamp::now(),
            exit_code: None,
            ended_at: None,
            path: state_dir.join("runs").join(run_id),
        }
    }

    /// The run has ended now, with this code.
    pub(crate) fn end(&mut self, exit_code: i32) {
        self.exit_code = Some(exit_code);
        self.ended_at = Some(Timestamp::now());
    }

    /// Writes what is known, so that a reader finds all of it or nothing.
    pub(crate) fn write(&self) -> io::Result<()> {
        write_whole(&self.path, &serde_json::to_vec(self)?, 0o600)
    }

    /// Takes it away again: the daemon knows.
    pub(crate) fn remove(&self) {
        // The daemon has done so already, most of the time.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_the_daemon_reads() {
        let state = tempfile::tempdir().unwrap();
        fs::create_dir(state.path().join("runs")).unwrap();
        let mut record = ExitRecord::new(state.path(), "r-1", rustix::process::getpid());
        record.pid = 7;
        record.pid_start = Some(70);
        record.started_at = "2026-01-08T10:30:00Z".parse().unwrap();
        let written = || fs::read_to_string(state.path().join("runs/r-1")).unwrap();
        record.write().unwrap();
        assert_eq!(
            written(),
            r#"{"run_id":"r-1","pid":7,"pid_start":70,"started_at":"2026-01-08T10:30:00Z"}"#
        );
        record.end(9);
        record.ended_at = "2026-01-08T10:45:00.900Z".parse().ok();
        record.write().unwrap();
        assert_eq!(
            written(),
            r#"{"run_id":"r-1","pid":7,"pid_start":70,"started_at":"2026-01-08T10:30:00Z","exit_code":9,"ended_at":"2026-01-08T10:45:00.900Z"}"#
        );
        record.remove();
        record.remove();
        assert_eq!(fs::read_dir(state.path().join("runs")).unwrap().count(), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_is_told_from_later_ones() {
        let record = ExitRecord::new(Path::new("/"), "r", rustix::process::getpid());
        assert!(record.pid_start.is_some_and(|start| start > 0));
        assert_eq!(record.pid, std::process::id());
    }
}
