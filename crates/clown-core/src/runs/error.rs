use crate::store::StoreError;
use std::io;
use std::path::PathBuf;

/// A run cannot be prepared or reported on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No run has this id.
    #[error("there is no run {0}: it was never prepared, or ended long ago")]
    NotFound(String),
    /// The process that asks for a run is not there.
    #[error(
        "process {pid}, which is to start the agent, does not run as your user: give the number of the process that will start it as cli_pid"
    )]
    NoCaller {
        /// Its number.
        pid: u32,
    },
    /// The process that is reported as the agent is not there.
    #[error(
        "process {pid}, reported as the agent, does not run as your user: report it before its parent asks for its exit code"
    )]
    NoAgent {
        /// Its number.
        pid: u32,
    },
    /// Another process was reported before.
    #[error(
        "run {id} was started as process {known} before: prepare another run for another process"
    )]
    StartedOtherwise {
        /// The run.
        id: String,
        /// The process that is known.
        known: u32,
    },
    /// It is over.
    #[error("run {id} is over: whoever prepared it was gone before it started; prepare another")]
    Abandoned {
        /// The run.
        id: String,
    },
    /// The folder of exit records.
    #[error("cannot use {}, where runs leave their exit codes", path.display())]
    Record {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system did not answer.
    #[error("the system does not tell about processes")]
    System(#[source] io::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for RunError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
