//! Writing files so that a reader sees the old content or the new, never a part; and so that
//! nothing that somebody else writes at the same moment is lost. Reading those of people, so that
//! whatever stands there holds nobody up.

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fmt::{self, Debug};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How temporary files are called, so that those of a process that was killed can be told.
const TEMPORARY: (&str, &str) = (".clown-", ".tmp");

/// Replaces the content of `path`: a temporary file beside it is written, synced and renamed. If
/// `path` is a link, its target is replaced and the link stays. A file that is there keeps its
/// mode; a new one gets `mode`.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    prepare(path, content, mode)?.put()
}

/// Who may read a file that is written. A new one is its owner's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// One that is there keeps its mode.
    Kept,
    /// One that is there is closed to all others.
    Owner,
}

/// The first half of [`write_atomically`]: whatever can fail for want of room has been done.
pub fn prepare(path: &Path, content: &[u8], mode: u32) -> io::Result<Prepared> {
    let target = Target::of(path)?;
    let mode = target.mode()?.unwrap_or(mode);
    let temporary = target.prepare(content, mode)?;
    Ok(Prepared { target, temporary })
}

/// A file that is on the disk, and not in its place yet; it is removed when this is dropped.
#[derive(Debug)]
pub struct Prepared {
    target: Target,
    temporary: NamedTempFile,
}

impl Prepared {
    /// The second half.
    pub fn put(self) -> io::Result<()> {
        self.temporary
            .persist(&self.target.file)
            .map_err(|error| error.error)?;
        sync_folder(&self.target.folder)
    }
}

/// As [`write_atomically`], for a file that is to have the content `expected`, or none. None when
/// it has another one: then it is left as it is. What comes of it can be taken back.
pub fn replace<'content>(
    path: &Path,
    expected: Option<&'content [u8]>,
    content: &'content [u8],
    readers: Readers,
) -> io::Result<Option<Replaced<'content>>> {
    let target = Target::of(path)?;
    let mode = match (target.mode()?, readers) {
        (None, _) => 0o600,
        (Some(mode), Readers::Kept) => mode,
        (Some(mode), Readers::Owner) => mode & 0o700,
    };
    let temporary = target.prepare(content, mode)?;
    let mut taken_out = None;
    let swapped = match expected {
        None => match rename(temporary.path(), &target.file, RenameFlags::NOREPLACE) {
            Ok(()) => {
                // Its name is gone, so there is nothing left to remove.
                let _ = temporary.keep();
                Ok(true)
            }
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err((error, temporary)),
        },
        Some(expected) => match rename(temporary.path(), &target.file, RenameFlags::EXCHANGE) {
            Ok(()) => {
                let done = exchanged(&temporary, &target, expected, content);
                taken_out = Some(temporary);
                Ok(done)
            }
            // It was deleted, or renamed away, meanwhile.
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err((error, temporary)),
        },
    };
    let done = match swapped {
        Ok(done) => done,
        // A file system that knows no such rename: look, then rename, with a moment in between.
        Err((Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP, temporary)) => {
            let found = match fs::read(&target.file) {
                Ok(found) => Some(found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            let same = found.as_deref() == expected;
            if same {
                temporary
                    .persist(&target.file)
                    .map_err(|error| error.error)?;
            }
            same
        }
        Err((error, _)) => return Err(error.into()),
    };
    sync_folder(&target.folder)?;
    Ok(done.then_some(Replaced {
        target,
        taken_out,
        expected,
        content,
    }))
}

/// A file that was replaced, and what stood there, until this is dropped.
pub struct Replaced<'content> {
    target: Target,
    /// The file that was there, where it could be exchanged.
    taken_out: Option<NamedTempFile>,
    expected: Option<&'content [u8]>,
    content: &'content [u8],
}

impl Debug for Replaced<'_> {
    // Its contents may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Replaced")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Replaced<'_> {
    /// Puts back what was there, unless somebody has written meanwhile. It needs no room on the
    /// disk, where files can be exchanged.
    pub fn take_back(self) -> io::Result<()> {
        let Self {
            target,
            taken_out,
            expected,
            content,
        } = self;
        match (expected, taken_out) {
            (None, _) => {
                if fs::read(&target.file)? == content {
                    fs::remove_file(&target.file)?;
                }
            }
            (Some(before), Some(old)) => {
                match rename(old.path(), &target.file, RenameFlags::EXCHANGE) {
                    Ok(()) => drop(exchanged(&old, &target, content, before)),
                    // Somebody has deleted it meanwhile.
                    Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            (Some(before), None) => {
                replace(&target.file, Some(content), before, Readers::Kept)?;
            }
        }
        sync_folder(&target.folder)
    }
}

/// Looks at what came out of the exchange, and takes it back when it is not what was expected.
fn exchanged(temporary: &NamedTempFile, target: &Target, expected: &[u8], content: &[u8]) -> bool {
    let came_out = |wanted: &[u8]| fs::read(temporary.path()).is_ok_and(|found| found == wanted);
    if came_out(expected) {
        return true;
    }
    // Back, so that what somebody wrote stands there again. If yet another one has written in
    // between, that is what comes out now, and it is the newest: once more.
    for _ in 0..2 {
        if rename(temporary.path(), &target.file, RenameFlags::EXCHANGE).is_err()
            || came_out(content)
        {
            break;
        }
    }
    false
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
    renameat_with(CWD, from, CWD, to, flags)
}

/// The text of a file that is no larger than `limit` bytes. A pipe or a device, or a link to one, is
/// refused at once and not waited for.
pub fn read_text(path: &Path, limit: usize) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    String::from_utf8(read_limited(file, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The content of an open file, with the limits of [`read_text`]. It must have been opened so that
/// a pipe does not wait.
pub fn read_limited(file: File, limit: usize) -> io::Result<Vec<u8>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    // Reserved at once: a buffer that grows leaves copies behind, and a file can hold a key.
    let expected = usize::try_from(metadata.len()).unwrap_or(limit).min(limit);
    let mut content = Vec::with_capacity(expected + 1);
    file.take(limit as u64 + 1).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(io::Error::other(format!(
            "it has more than {}",
            size_of(limit)
        )));
    }
    Ok(content)
}

fn size_of(bytes: usize) -> String {
    match (bytes >> 10, bytes >> 20) {
        (kibibytes, 0) => format!("{kibibytes} KiB"),
        (_, mebibytes) => format!("{mebibytes} MiB"),
    }
}

/// A file that only its owner can read, removed when it is dropped, or by [`sweep`].
pub fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(TEMPORARY.0)
        .suffix(TEMPORARY.1)
        .tempfile_in(folder)
}

/// Makes renames and removals in `folder` survive a power cut.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes temporary files that a process left which was killed while it wrote. Call it when no
/// other one can be writing.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1) {
            // What cannot be removed is litter, not harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes `path` a folder that only its owner can enter. One that is there and open to others is
/// closed if it is empty or has one of `marks` in it; a foreign one is refused, not changed.
pub fn make_private_folder(path: &Path, marks: &[&str]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let metadata = fs::metadata(path)?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    let ours = marks.iter().any(|mark| path.join(mark).exists());
    if own && (ours || fs::read_dir(path)?.next().is_none()) {
        return fs::set_permissions(path, Permissions::from_mode(0o700));
    }
    Err(io::Error::other(format!(
        "others may enter it (mode {:04o}) and it is not Clown's: choose another folder, or `chmod 700` it yourself",
        metadata.permissions().mode() & 0o7777
    )))
}

/// Where content goes.
#[derive(Debug)]
struct Target {
    file: PathBuf,
    folder: PathBuf,
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        let file = follow_links(path)?;
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self { file, folder })
    }

    /// The mode of what is there.
    fn mode(&self) -> io::Result<Option<u32>> {
        match fs::metadata(&self.file) {
            Ok(metadata) => Ok(Some(metadata.permissions().mode() & 0o7777)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file beside it that holds `content`, on the disk.
    fn prepare(&self, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
        let mut temporary = temporary_in(&self.folder)?;
        temporary.write_all(content)?;
        temporary
            .as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        temporary.as_file().sync_all()?;
        Ok(temporary)
    }
}

/// Where `path` leads, also when the last link points to nothing yet.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    const MAX_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => {
                path = match path.parent() {
                    Some(folder) => folder.join(target),
                    None => target,
                };
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("link");
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();

        write_atomically(&link, b"new", 0o600).unwrap();
        assert!(
            replace(&link, Some(b"new"), b"newer", Readers::Kept)
                .unwrap()
                .is_some()
        );

        assert_eq!(fs::read_to_string(&target).unwrap(), "newer");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(mode_of(&target), 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_new_file_has_the_mode_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_atomically(&path, b"x", 0o600).unwrap();
        assert_eq!(mode_of(&path), 0o600);
    }

    #[test]
    fn who_may_read_what_is_replaced() {
        let check = |there: Option<u32>, readers: Readers, expected: u32| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            if let Some(mode) = there {
                fs::write(&path, "a").unwrap();
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
            let before = there.map(|_| b"a".as_slice());
            assert!(replace(&path, before, b"b", readers).unwrap().is_some());
            assert_eq!(mode_of(&path), expected, "{there:?} {readers:?}");
        };
        check(None, Readers::Kept, 0o600);
        check(None, Readers::Owner, 0o600);
        check(Some(0o644), Readers::Kept, 0o644);
        check(Some(0o644), Readers::Owner, 0o600);
        check(Some(0o440), Readers::Owner, 0o400);
    }

    #[test]
    fn only_what_was_expected_is_replaced() {
        let check = |there: Option<&str>, expected: Option<&str>, replaced: bool| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            if let Some(there) = there {
                fs::write(&path, there).unwrap();
            }
            let done = replace(&path, expected.map(str::as_bytes), b"new", Readers::Kept).unwrap();
            assert_eq!(done.is_some(), replaced, "{there:?} {expected:?}");
            drop(done);
            let now = fs::read_to_string(&path).ok();
            let wanted = if replaced { Some("new") } else { there };
            assert_eq!(now.as_deref(), wanted, "{there:?} {expected:?}");
            let left = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, usize::from(wanted.is_some()));
        };
        check(None, None, true);
        check(Some("a"), None, false);
        check(Some("a"), Some("a"), true);
        check(Some("b"), Some("a"), false);
        check(None, Some("a"), false);
    }

    #[test]
    fn what_was_replaced_comes_back_unless_somebody_has_written() {
        let check = |before: Option<&str>, meanwhile: Option<&str>, expected: Option<&str>| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            if let Some(before) = before {
                fs::write(&path, before).unwrap();
            }
            let replaced =
                replace(&path, before.map(str::as_bytes), b"new", Readers::Kept).unwrap();
            match meanwhile {
                None => fs::remove_file(&path).unwrap(),
                Some(text) => fs::write(&path, text).unwrap(),
            }
            let taken_back = replaced.unwrap().take_back();
            assert!(taken_back.is_ok() || meanwhile.is_none(), "{taken_back:?}");
            let now = fs::read_to_string(&path).ok();
            assert_eq!(now.as_deref(), expected, "{before:?} {meanwhile:?}");
            let left = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, usize::from(expected.is_some()));
        };
        check(Some("old"), Some("new"), Some("old"));
        check(Some("old"), Some("theirs"), Some("theirs"));
        check(Some("old"), None, None);
        check(None, Some("new"), None);
        check(None, Some("theirs"), Some("theirs"));
        check(None, None, None);
    }

    #[test]
    fn litter_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".clown-abc.tmp", "work.toml", ".clown-notes"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        sweep(folder.path());
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".clown-notes", "work.toml"]);
    }

    #[test]
    fn a_foreign_open_folder_is_refused_and_ours_is_closed() {
        let root = tempfile::tempdir().unwrap();
        let check = |name: &str, inside: Option<&str>, good: bool| {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            if let Some(file) = inside {
                fs::write(path.join(file), "").unwrap();
            }
            assert_eq!(
                make_private_folder(&path, &["clown.db"]).is_ok(),
                good,
                "{name}"
            );
            assert_eq!(mode_of(&path), if good { 0o700 } else { 0o755 }, "{name}");
        };
        check("empty", None, true);
        check("ours", Some("clown.db"), true);
        check("foreign", Some("letters"), false);
        let new = root.path().join("a/b");
        make_private_folder(&new, &[]).unwrap();
        assert_eq!(mode_of(&new), 0o700);
    }
}
