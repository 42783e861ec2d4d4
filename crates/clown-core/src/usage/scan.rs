//! Reading files on, and counting what they hold.

use super::batch::Batch;
use super::files::{self, FileState, Head, Progress};
use super::inflated::Inflated;
use super::lines::Lines;
use super::places::Place;
use super::proxied::Proxied;
use super::sources::{self, Context, Memory, Read as Way};
use super::{Usage, UsageError};
use crate::agents::UsageForm;
use memchr::memmem::Finder;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// So many answers are counted in one transaction: enough that each page of the index is written a
/// few times at most, few enough that nobody else waits long.
pub(super) const BATCH: usize = 16_384;

/// A file that is read as a whole, so that it must find room in memory.
const MAX_WHOLE: u64 = 64 << 20;

/// What of a database's file stays the same while it grows: the mark of its kind.
const HEADER: u64 = 16;

/// What files gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Files that were read, or looked at.
    pub(super) files: u64,
    /// Bytes that were read.
    pub(super) bytes: u64,
    /// Answers that were not known.
    pub(super) new: u64,
}

/// Reads file after file.
#[derive(Debug)]
pub(super) struct Scan<'u> {
    usage: &'u Usage,
    lines: Lines,
    batch: Batch,
    progress: Vec<Progress>,
    proxied: Proxied,
    /// Read files from their beginnings, whatever is known of them.
    pub(super) anew: bool,
    pub(super) scanned: Scanned,
}

impl<'u> Scan<'u> {
    pub(super) fn new(usage: &'u Usage, proxied: Proxied) -> Self {
        Self {
            usage,
            lines: Lines::default(),
            batch: Batch::default(),
            progress: Vec::new(),
            proxied,
            anew: false,
            scanned: Scanned::default(),
        }
    }

    /// Reads what is new in a file of `place`. One that cannot be read is passed over, and looked at
    /// again when it changes.
    pub(super) fn file(&mut self, place: &Place, path: &Path) -> Result<(), UsageError> {
        let read = sources::of(place.form, path);
        match self.read(place, path, read) {
            Ok(()) => Ok(()),
            Err(Fault::Usage(error)) => Err(error),
            Err(Fault::File(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(Fault::File(error)) => {
                tracing::warn!("cannot count what {} holds: {error}", path.display());
                Ok(())
            }
        }
    }

    fn read(&mut self, place: &Place, path: &Path, read: Way) -> Result<(), Fault> {
        let state = match read {
            Way::Database(_) => FileState::of_database(path)?,
            _ => FileState::of(&std::fs::metadata(path)?),
        };
        let known = self
            .usage
            .store
            .read(|connection| files::known(connection, path))
            .map_err(UsageError::from)?;
        if !self.anew && known.as_ref().is_some_and(|known| known.state == state) {
            return Ok(());
        }
        // Without waiting: what looks like a file may be a pipe.
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(());
        }
        self.scanned.files += 1;
        self.batch.set_scope(&place.scope);
        let known = match known {
            // It is written anew each time, and is the same file all the same.
            Some(known) if matches!(read, Way::Whole(_)) => Some(known),
            // It cannot be read on from within.
            Some(_) if matches!(read, Way::Compressed(_)) => None,
            Some(known)
                if !self.anew
                    && known.state.device == state.device
                    && known.state.inode == state.inode
                    && known.offset <= state.size
                    && known.head.is_of(&file, known.offset)? =>
            {
                Some(known)
            }
            _ => None,
        };
        let (offset, memory) =
            known.map_or_else(Default::default, |known| (known.offset, known.memory));
        let mut progress = Progress {
            path: path.to_owned(),
            state,
            offset,
            head: Head::default(),
            memory,
        };
        match read {
            Way::Lines { marker, line } => {
                let marker = marker.map(Finder::new);
                self.lines(place, &mut file, &mut progress, marker.as_ref(), line)?;
                progress.head = Head::of(&file, progress.offset)?;
            }
            Way::Compressed(line) => self.compressed(place, file, &mut progress, line)?,
            Way::Whole(take) => self.whole(place, file, &mut progress, take)?,
            Way::Database(take) => {
                progress.head = Head::of_first(&file, HEADER.min(state.size))?;
                self.database(place, &mut progress, take)?;
            }
        }
        let refused = std::mem::take(&mut self.batch.refused);
        if refused > 0 {
            tracing::warn!(
                "{} tells {refused} times of an answer with more tokens than any model reads or \
                 writes: it is not counted",
                path.display()
            );
        }
        self.progress.push(progress);
        if self.batch.len() >= BATCH || self.progress.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn lines(
        &mut self,
        place: &Place,
        file: &mut File,
        progress: &mut Progress,
        marker: Option<&Finder<'_>>,
        take: fn(&[u8], &mut Context<'_>) -> Option<()>,
    ) -> Result<(), Fault> {
        loop {
            file.seek(SeekFrom::Start(progress.offset))?;
            self.lines.begin();
            let (taken, full) = self.some_lines(place, file, progress, marker, take)?;
            progress.offset += taken;
            self.scanned.bytes += taken;
            self.lines.shrink();
            if !full {
                return Ok(());
            }
            let head = Head::of(file, progress.offset)?;
            self.flush_part(progress, head)?;
        }
    }

    /// All of a compressed file. One that is damaged is told of once, and not read again until it is
    /// another one.
    fn compressed(
        &mut self,
        place: &Place,
        file: File,
        progress: &mut Progress,
        take: fn(&[u8], &mut Context<'_>) -> Option<()>,
    ) -> Result<(), Fault> {
        self.scanned.bytes += progress.state.size;
        self.lines.begin();
        let mut text = Inflated::new(BufReader::new(file));
        loop {
            match self.some_lines(place, &mut text, progress, None, take) {
                Ok((_, true)) => self.flush_part(progress, Head::default())?,
                Ok((_, false)) => break,
                Err(error) => {
                    let path = progress.path.display();
                    tracing::warn!(
                        "{path} is damaged, what stands before that is counted: {error}"
                    );
                    break;
                }
            }
        }
        self.lines.shrink();
        progress.memory = Memory::default();
        Ok(())
    }

    /// Lines until there are enough for a transaction; gives the bytes that need not be read again,
    /// and whether there are more.
    fn some_lines(
        &mut self,
        place: &Place,
        source: &mut impl Read,
        progress: &mut Progress,
        marker: Option<&Finder<'_>>,
        take: fn(&[u8], &mut Context<'_>) -> Option<()>,
    ) -> io::Result<(u64, bool)> {
        let Progress { path, memory, .. } = progress;
        let batch = &mut self.batch;
        let proxied = of_agents(place, &self.proxied);
        let mut unfinished: Option<Memory> = None;
        let mut full = false;
        let taken = self.lines.read(source, marker, |line| {
            // What has no end yet comes again, and must then be met as it is met now.
            let memory = if line.ended {
                &mut *memory
            } else {
                unfinished.insert(memory.clone())
            };
            let mut context = Context {
                path,
                memory,
                batch,
                scope: &place.scope,
                proxied,
            };
            take(line.text(), &mut context);
            full = batch.len() >= BATCH;
            !full
        })?;
        if taken.too_long > 0 {
            tracing::warn!(
                "{} has {} lines of more than {} MiB, which are no answers of a model",
                progress.path.display(),
                taken.too_long,
                super::lines::MAX_LINE >> 20
            );
        }
        Ok((taken.bytes, full))
    }

    /// Counts what was found in a part of a file, with a state that is no file's: it is read on from
    /// there, or again, whatever happens.
    fn flush_part(&mut self, progress: &Progress, head: Head) -> Result<(), UsageError> {
        let part = Progress {
            state: FileState {
                size: 0,
                modified: 0,
                ..progress.state
            },
            head,
            ..progress.clone()
        };
        self.progress.push(part);
        self.flush()
    }

    fn whole(
        &mut self,
        place: &Place,
        file: File,
        progress: &mut Progress,
        take: fn(&[u8], &mut Context<'_>) -> Option<()>,
    ) -> Result<(), Fault> {
        let mut content = Vec::new();
        file.take(MAX_WHOLE + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_WHOLE {
            let limit = MAX_WHOLE >> 20;
            return Err(io::Error::other(format!("it has more than {limit} MiB")).into());
        }
        self.scanned.bytes += content.len() as u64;
        progress.offset = 0;
        // What is half written is read again when it is whole.
        take(
            &content,
            &mut Context {
                path: &progress.path,
                memory: &mut progress.memory,
                batch: &mut self.batch,
                scope: &place.scope,
                proxied: of_agents(place, &self.proxied),
            },
        );
        Ok(())
    }

    fn database(
        &mut self,
        place: &Place,
        progress: &mut Progress,
        take: fn(&Connection, &mut Context<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), Fault> {
        let failed = |error: rusqlite::Error| Fault::File(io::Error::other(error));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&progress.path, flags).map_err(failed)?;
        connection
            .busy_timeout(Duration::from_secs(2))
            .map_err(failed)?;
        self.scanned.bytes += progress.state.size;
        take(
            &connection,
            &mut Context {
                path: &progress.path,
                memory: &mut progress.memory,
                batch: &mut self.batch,
                scope: &place.scope,
                proxied: of_agents(place, &self.proxied),
            },
        )
        .map_err(failed)
    }

    /// Counts what was found.
    pub(super) fn flush(&mut self) -> Result<(), UsageError> {
        if self.progress.is_empty() {
            return Ok(());
        }
        let batch = self.batch.take();
        let progress = std::mem::take(&mut self.progress);
        self.scanned.new += self.usage.count(batch, progress)?;
        Ok(())
    }
}

/// When proxies have counted what an agent's files tell of as well.
fn of_agents<'p>(place: &Place, proxied: &'p Proxied) -> Option<&'p Proxied> {
    (place.form != UsageForm::Proxy).then_some(proxied)
}

enum Fault {
    File(io::Error),
    Usage(UsageError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<UsageError> for Fault {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}
