//! The log: to stderr, or to a file that is kept from growing without end.

use anyhow::Context as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// How to log.
#[derive(Debug, Clone)]
pub(crate) struct LogSettings {
    /// A level, or a list of target=level.
    pub(crate) levels: String,
    pub(crate) format: LogFormat,
    /// `None` is stderr.
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

static STARTED: OnceLock<LogSettings> = OnceLock::new();

/// Says why the program fails, once: on stderr for people, and in the log where that is not what
/// people look at.
pub(crate) fn report(error: &anyhow::Error) {
    let settings = STARTED.get();
    let in_file = settings.is_some_and(|settings| settings.file.is_some());
    let as_json = settings.is_some_and(|settings| settings.format == LogFormat::Json);
    if in_file || as_json {
        tracing::error!("{error:#}");
    }
    if in_file || !as_json {
        // Where stderr cannot be written, nobody reads it: a full disk is no reason to panic.
        let _ = writeln!(io::stderr(), "clownd: {error:#}");
    }
}

/// Sets up the log for the whole program.
pub(crate) fn start(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&settings.levels).with_context(|| {
        format!(
            "the log level is {:?}: give error, warn, info, debug or trace, or a list of target=level",
            settings.levels
        )
    })?;
    let (writer, colour) = match &settings.file {
        Some(path) => {
            let file = RotatingFile::open(path, MAX_BYTES)
                .with_context(|| format!("cannot write {}", path.display()))?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
        None => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            (
                BoxMakeWriter::new(io::stderr),
                io::stderr().is_terminal() && !plain,
            )
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colour);
    match settings.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    // It is set up once.
    let _ = STARTED.set(settings.clone());
    Ok(())
}

/// When the file is put aside and a new one begun.
const MAX_BYTES: u64 = 5 << 20;
/// How many old files are kept.
const KEPT: u32 = 3;

/// A file that is renamed to `<name>.1` when it has grown, and `.1` to `.2`, and so on.
#[derive(Debug)]
struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    file: File,
    bytes: u64,
}

impl RotatingFile {
    fn open(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            max_bytes,
            file,
            bytes,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let name = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..KEPT).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, name(1))?;
        *self = Self::open(&self.path, self.max_bytes)?;
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes >= self.max_bytes {
            // A log that cannot be rotated is still better than none.
            if self.rotate().is_err() {
                self.bytes = 0;
            }
        }
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_grown_is_put_aside_and_three_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clownd.log");
        let mut file = RotatingFile::open(&path, 10).unwrap();
        for line in 0..14 {
            // As the log does it: a line at a time.
            let text = format!("line {line:02}\n");
            file.write_all(text.as_bytes()).unwrap();
        }
        let content = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(content("clownd.log"), "line 12\nline 13\n");
        assert_eq!(content("clownd.log.1"), "line 10\nline 11\n");
        assert_eq!(content("clownd.log.3"), "line 06\nline 07\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
        drop(file);
        let file = RotatingFile::open(&path, 10).unwrap();
        assert_eq!(file.bytes, 16);
    }
}
