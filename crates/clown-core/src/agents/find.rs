//! Where the agents' programs are.

use super::AgentManifest;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As it lies on PATH, links not followed.
    pub path: PathBuf,
    /// What tells whether it is still the same.
    pub fingerprint: Fingerprint,
}

/// What tells whether a program is still the one that was seen: the entry on PATH itself, and what
/// it leads to if it is a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    entry: Mark,
    target: Option<Mark>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    path: PathBuf,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    device: u64,
    inode: u64,
}

/// Looks for each agent on `path`. None for those that are not there.
pub fn find<'a>(
    manifests: impl IntoIterator<Item = &'a Arc<AgentManifest>>,
    path: &OsStr,
) -> Vec<(Arc<AgentManifest>, Option<Found>)> {
    manifests
        .into_iter()
        .map(|manifest| (Arc::clone(manifest), find_one(manifest, path)))
        .collect()
}

/// The program of one agent: the first on this `path`, of whose entries relative ones do not count.
pub fn program(manifest: &AgentManifest, path: &OsStr) -> Option<PathBuf> {
    find_one(manifest, path).map(|found| found.path)
}

fn find_one(manifest: &AgentManifest, path: &OsStr) -> Option<Found> {
    let candidates = manifest.binaries.iter().flat_map(|binary| {
        // A relative folder means another place for each process; what lies there is not installed.
        std::env::split_paths(path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(binary.as_str()))
    });
    candidates
        .filter(|candidate| is_program(candidate))
        .find_map(|path| {
            let fingerprint = Fingerprint::of(&path)?;
            Some(Found { path, fingerprint })
        })
}

fn is_program(path: &Path) -> bool {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

impl Fingerprint {
    /// None when it is gone.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let target = if metadata.is_symlink() {
            let target = fs::canonicalize(path).ok()?;
            let metadata = fs::metadata(&target).ok()?;
            Some(Mark::new(target, &metadata))
        } else {
            None
        };
        Some(Self {
            entry: Mark::new(path.to_owned(), &metadata),
            target,
        })
    }
}

impl Mark {
    fn new(path: PathBuf, metadata: &fs::Metadata) -> Self {
        Self {
            path,
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// The form that is kept in the store: equal texts, equal fingerprints.
impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mark in std::iter::once(&self.entry).chain(&self.target) {
            let (seconds, nanos) = mark.modified;
            let (changed_seconds, changed_nanos) = mark.changed;
            writeln!(
                formatter,
                "{:?} {} {seconds}.{nanos:09} {changed_seconds}.{changed_nanos:09} {} {}",
                mark.path, mark.size, mark.device, mark.inode
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn claude() -> Arc<AgentManifest> {
        let catalog = crate::agents::load(Path::new("/nonexistent"));
        Arc::clone(catalog.get("claude").unwrap())
    }

    fn put(path: &Path, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_program_on_the_path_is_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("1/claude")).unwrap();
        put(&at("2/claude"), 0o644);
        fs::create_dir(at("3")).unwrap();
        symlink("nowhere", at("3/claude")).unwrap();
        put(&at("4/claude"), 0o755);
        put(&at("5/claude"), 0o755);
        let path = std::env::join_paths(["1", "2", "3", "4", "5"].map(at)).unwrap();
        assert_eq!(program(&claude(), &path), Some(at("4/claude")));
        assert_eq!(program(&claude(), OsStr::new("")), None);
        assert_eq!(program(&claude(), OsStr::new(".:bin")), None);
    }

    #[test]
    fn every_change_of_a_program_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("package/cli");
        put(&target, 0o755);
        let link = folder.path().join("bin/claude");
        fs::create_dir(folder.path().join("bin")).unwrap();
        symlink("../package/cli", &link).unwrap();
        let path = folder.path().join("bin").into_os_string();
        let look = || find_one(&claude(), &path).unwrap().fingerprint;

        let first = look();
        assert_eq!(look(), first);
        assert_eq!(look().to_string(), first.to_string());
        fs::write(&target, "#!/bin/sh\n#\n").unwrap();
        let written = look();
        assert_ne!(written, first);

        put(&folder.path().join("other/cli"), 0o755);
        fs::remove_file(&link).unwrap();
        symlink("../other/cli", &link).unwrap();
        assert_ne!(look().to_string(), written.to_string());
    }
}
