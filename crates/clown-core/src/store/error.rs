use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The database could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("cannot open the database {}: check that the folder exists and that you may write to it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<rusqlite::Error>,
    },
    /// A newer Clown has written the file.
    #[error(
        "the database {} was written by a newer Clown (format {found}, this one knows {known}): use that version, or move the file away",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// No room on the disk.
    #[error(
        "the disk that holds Clown's database is full, nothing was changed: make room and try again"
    )]
    Full(#[source] Arc<rusqlite::Error>),
    /// The file or its folder cannot be written.
    #[error(
        "Clown's database cannot be written, nothing was changed: check the state folder's permissions and its disk"
    )]
    Unwritable(#[source] Arc<rusqlite::Error>),
    /// The file is damaged.
    #[error(
        "Clown's database is damaged: restart the daemon (`clown daemon restart`), which sets the file aside and makes a new one"
    )]
    Corrupt(#[source] Arc<rusqlite::Error>),
    /// It is damaged, and cannot be moved away.
    #[error("the database {} is damaged and cannot be moved away ({reason}): move it yourself, a new one will be made", path.display())]
    NotSetAside {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Anything else.
    #[error("Clown's database failed")]
    Failed(#[source] Arc<rusqlite::Error>),
    /// The store is shut down, or the work panicked.
    #[error("Clown's database is closed: the daemon is stopping")]
    Closed,
}

thread_local! {
    /// The last damage that this thread has met. A service's own error may hide it from us.
    static MET: RefCell<Option<StoreError>> = const { RefCell::new(None) };
}

impl StoreError {
    /// Takes out what damage this thread has met since the last time.
    pub(super) fn take_damage() -> Result<(), Self> {
        MET.take().map_or(Ok(()), Err)
    }

    pub(super) fn open(path: &Path, source: rusqlite::Error) -> Self {
        match Self::from(source) {
            Self::Failed(source) | Self::Unwritable(source) => Self::Open {
                path: path.to_owned(),
                source,
            },
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let code = error.sqlite_error_code();
        let error = Arc::new(error);
        match code {
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => Self::Unwritable(error),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                let error = Self::Corrupt(error);
                MET.with_borrow_mut(|met| *met = Some(error.clone()));
                error
            }
            _ => Self::Failed(error),
        }
    }
}
