//! How far each file is read.

use super::sources::Memory;
use crate::store::StoreError;
use rusqlite::types::Type;
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// A file, and what of it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) path: PathBuf,
    pub(super) state: FileState,
    pub(super) offset: u64,
    pub(super) head: Head,
    pub(super) memory: Memory,
}

/// By what a file is seen not to have changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FileState {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) modified: i64,
}

impl FileState {
    /// Of a database of SQLite, which is written to beside itself first.
    pub(super) fn of_database(path: &Path) -> io::Result<Self> {
        let mut state = Self::of(&fs::metadata(path)?);
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        if let Ok(metadata) = fs::metadata(log) {
            let log = Self::of(&metadata);
            state.size += log.size;
            state.modified = state.modified.max(log.modified);
        }
        Ok(state)
    }

    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: metadata
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(metadata.mtime_nsec()),
        }
    }
}

/// How a file begins, and how what is read of it ends: another file at its place begins otherwise,
/// and agents that take something out of a file write what follows it anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head(Vec<u8>);

const HEAD: u64 = 512;

/// Of a hash.
const HASH: usize = 14;

impl Head {
    /// Of what is read of a file, up to `offset`.
    pub(super) fn of(file: &File, offset: u64) -> io::Result<Self> {
        let length = offset.min(HEAD);
        let mut head = Self::of_first(file, length)?;
        head.0.extend(hash(file, offset - length, length)?);
        Ok(head)
    }

    /// Of the first bytes alone.
    pub(super) fn of_first(file: &File, length: u64) -> io::Result<Self> {
        let length = length.min(HEAD);
        let mut head = (length as u16).to_le_bytes().to_vec();
        head.extend(hash(file, 0, length)?);
        Ok(Self(head))
    }

    /// Whether `file` still begins so, and what is before `offset` is as it was.
    pub(super) fn is_of(&self, file: &File, offset: u64) -> io::Result<bool> {
        let Some(length) = self.0.first_chunk::<2>() else {
            return Ok(false);
        };
        let now = if self.0.len() > length.len() + HASH {
            Self::of(file, offset)
        } else {
            Self::of_first(file, u16::from_le_bytes(*length).into())
        };
        match now {
            Ok(now) => Ok(now == *self),
            // It has become shorter.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn hash(file: &File, from: u64, length: u64) -> io::Result<[u8; HASH]> {
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, from)?;
    let mut hash = [0; HASH];
    hash.copy_from_slice(&Sha256::digest(&bytes)[..HASH]);
    Ok(hash)
}

/// What is known of the file at `path`.
pub(super) fn known(connection: &Connection, path: &Path) -> Result<Option<Progress>, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT device, inode, size, modified, offset, head, memory
             FROM usage_files WHERE path = ?1",
        )?
        .query_row([text_of(path)], |row| {
            let count = |index| Ok::<_, rusqlite::Error>(row.get::<_, i64>(index)? as u64);
            let memory: String = row.get(6)?;
            Ok(Progress {
                path: path.to_owned(),
                state: FileState {
                    device: count(0)?,
                    inode: count(1)?,
                    size: count(2)?,
                    modified: row.get(3)?,
                },
                offset: count(4)?,
                head: Head(row.get(5)?),
                memory: serde_json::from_str(&memory).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(6, Type::Text, Box::new(error))
                })?,
            })
        });
    match row {
        Ok(row) => Ok(Some(row)),
        // Nothing, or what another version remembers: the file is read from its beginning.
        Err(rusqlite::Error::QueryReturnedNoRows)
        | Err(rusqlite::Error::FromSqlConversionFailure(..)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Keeps how far files are read.
pub(super) fn keep(connection: &Connection, progress: &[Progress]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO usage_files
         (path, device, inode, size, modified, offset, head, memory)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for file in progress {
        // The memory has texts and numbers only.
        let memory = serde_json::to_string(&file.memory).unwrap_or_default();
        statement.execute(params![
            text_of(&file.path),
            file.state.device as i64,
            file.state.inode as i64,
            file.state.size as i64,
            file.state.modified,
            file.offset as i64,
            file.head.0,
            memory,
        ])?;
    }
    Ok(())
}

fn text_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
