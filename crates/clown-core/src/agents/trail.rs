//! The way to a program, link by link: everything whose change may lead elsewhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// More links than this are a circle.
const MOST_LINKS: usize = 40;

/// In which folders which names matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trail(BTreeMap<PathBuf, BTreeSet<OsString>>);

impl Trail {
    /// Follows `path` as the system would, whether all of it is there or not.
    pub fn add(&mut self, path: &Path) {
        let mut folder = PathBuf::from("/");
        let mut left = names_of(path);
        let mut links = 0;
        while let Some(name) = left.pop_front() {
            if name == ".." {
                folder.pop();
                continue;
            }
            self.0
                .entry(folder.clone())
                .or_default()
                .insert(name.clone());
            let next = folder.join(&name);
            let Ok(metadata) = fs::symlink_metadata(&next) else {
                return;
            };
            if !metadata.is_symlink() {
                folder = next;
                continue;
            }
            links += 1;
            let Ok(target) = fs::read_link(&next) else {
                return;
            };
            if links > MOST_LINKS {
                return;
            }
            if target.is_absolute() {
                folder = PathBuf::from("/");
            }
            let mut target = names_of(&target);
            target.append(&mut left);
            left = target;
        }
    }

    /// The folders to watch.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// Whether a change there may matter.
    pub fn has(&self, path: &Path) -> bool {
        let is_on_the_way = || {
            let names = self.0.get(path.parent()?)?;
            Some(names.contains(path.file_name()?))
        };
        self.0.contains_key(path) || is_on_the_way().unwrap_or(false)
    }
}

fn names_of(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_step_matters_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let at = |name: &str| root.join(name);
        for folder in ["real", "versions/20/bin", "lib/package"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        symlink("versions/20", at("current")).unwrap();
        symlink("../../../shim", at("versions/20/bin/agent")).unwrap();
        symlink(at("lib/package/cli"), at("shim")).unwrap();
        fs::write(at("lib/package/cli"), "").unwrap();

        let mut trail = Trail::default();
        trail.add(&at("current/bin/agent"));
        for there in [
            "current",
            "versions",
            "versions/20",
            "versions/20/bin",
            "versions/20/bin/agent",
            "shim",
            "lib",
            "lib/package",
            "lib/package/cli",
        ] {
            assert!(trail.has(&at(there)), "{there}: {trail:?}");
        }
        for elsewhere in [
            "real",
            "lib/other",
            "lib/package/other",
            "versions/20/bin/x",
        ] {
            assert!(!trail.has(&at(elsewhere)), "{elsewhere}: {trail:?}");
        }

        // What is not there yet is awaited where it will begin.
        let mut trail = Trail::default();
        trail.add(&at("real/a/b/agent"));
        assert!(trail.has(&at("real/a")));
        assert!(!trail.has(&at("real/a/b")));

        symlink("circle", at("circle")).unwrap();
        trail.add(&at("circle/agent"));
        assert!(trail.has(&at("circle")));
    }
}
