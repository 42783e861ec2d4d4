//! Looking at the folder of profiles, such that a folder that is moved away while it is looked at
//! never reads as one that is empty.

use super::change::MAX_FILE_BYTES;
use crate::Alias;
use crate::files::read_limited;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder, held open: files are looked up in it even after it was moved.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    path: PathBuf,
    identity: (u64, u64),
}

/// What stands under a profile's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// Nothing.
    Absent,
    /// A file.
    Content {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Their SHA-256.
        digest: [u8; 32],
    },
    /// Something that cannot be read as a file.
    Unreadable(String),
}

/// Changes whenever the file was written or replaced. Cheap to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The names in the folder.
#[derive(Debug, Default)]
pub struct Names {
    /// Files that name a profile.
    pub aliases: Vec<Alias>,
    /// Files that end in `.toml` but whose name is no alias.
    pub strangers: Vec<String>,
}

impl Folder {
    /// Opens the folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&handle)?;
        Ok(Self {
            handle,
            path: path.to_owned(),
            identity: (stat.st_dev, stat.st_ino),
        })
    }

    /// Which folder this is, whatever its path.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Whether the path still leads to this folder.
    pub fn is_in_place(&self) -> bool {
        rustix::fs::stat(&self.path).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == self.identity)
    }

    /// The files that are, or look like, profiles.
    pub fn names(&self) -> io::Result<Names> {
        let mut names = Names::default();
        for entry in rustix::fs::Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            let Some(stem) = name.strip_suffix(".toml") else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            match stem.parse() {
                Ok(alias) => names.aliases.push(alias),
                Err(_) => names.strangers.push(name.into_owned()),
            }
        }
        names.aliases.sort_unstable();
        names.strangers.sort_unstable();
        Ok(names)
    }

    /// The fingerprint of what stands under `alias`; `None` when there is nothing.
    pub fn fingerprint(&self, alias: &Alias) -> io::Result<Option<Fingerprint>> {
        match rustix::fs::statat(&self.handle, alias.file_name(), AtFlags::empty()) {
            Ok(stat) => Ok(Some(Fingerprint::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what stands under `alias`.
    pub fn observe(&self, alias: &Alias) -> Observation {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat(&self.handle, alias.file_name(), flags, Mode::empty());
        let handle = match opened {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return self.absent_or_dangling(alias),
            Err(error) => return Observation::Unreadable(io::Error::from(error).to_string()),
        };
        match read_limited(File::from(handle), MAX_FILE_BYTES) {
            Ok(bytes) => Observation::Content {
                digest: Sha256::digest(&bytes).into(),
                bytes,
            },
            Err(error) => Observation::Unreadable(error.to_string()),
        }
    }

    /// A link to nothing is a file that cannot be read, not a profile that was deleted.
    fn absent_or_dangling(&self, alias: &Alias) -> Observation {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        match rustix::fs::statat(&self.handle, alias.file_name(), flags) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                Observation::Unreadable("it is a link to a file that does not exist".to_owned())
            }
            // Written between the two looks: the next look will see it.
            Ok(_) => Observation::Unreadable("it was being replaced".to_owned()),
            Err(_) => Observation::Absent,
        }
    }
}

impl Fingerprint {
    /// Whether the file was left alone for longer than the grain of its times.
    pub fn is_old(&self) -> bool {
        const GRAIN_SECS: i64 = 2;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs() as i64);
        self.changed.0 + GRAIN_SECS < now && self.modified.0 + GRAIN_SECS < now
    }

    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }
}
