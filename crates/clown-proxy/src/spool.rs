//! What an instance has metered: a line for each request, in a file that others read as it grows.
//!
//! The file is put aside under another name when it has grown, and never removed here: whoever has
//! read it to its end does that. No line holds a prompt, an answer or a key.

use crate::config::Format;
use crate::metering::Tokens;
use clown_events::Timestamp;
use serde::Serialize;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file's name in the instance's folder.
pub const NAME: &str = "spool.jsonl";

/// When the file is put aside and a new one begun.
const MAX_BYTES: u64 = 8 << 20;

/// How many lines are kept in memory while the disk takes none.
const MAX_PENDING: usize = 4_096;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Its own, given by the instance; later ones are greater.
    pub id: String,
    /// When it came.
    pub at: Timestamp,
    /// The profile's agent.
    pub agent: String,
    /// Who was asked.
    pub provider: String,
    /// The rule that said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How it was asked.
    pub format: Format,
    /// Where it was asked, without parameters.
    pub path: String,
    /// The agent's own name for the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The model that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_used: Option<String>,
    /// The provider's id of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Whether the answer came as a stream of events.
    pub streamed: bool,
    /// The status that the agent got; None if it left before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Until the answer's first byte, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// All of it, in milliseconds.
    pub duration_ms: u64,
    /// What was used, as far as the provider has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

/// What went wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The agent left before the end.
    ClientLeft,
    /// The request is longer than is taken.
    TooLarge,
    /// The profile's provider does not speak this.
    NotServed,
    /// The request cannot be read, or not be translated.
    BadRequest,
    /// A rule refuses it.
    Refused,
    /// The upstream cannot be reached.
    UpstreamUnreachable,
    /// The upstream does not answer, or has stopped to.
    UpstreamTimeout,
    /// The upstream broke off.
    UpstreamCut,
    /// The upstream said that it failed.
    UpstreamError,
}

/// The file.
#[derive(Debug)]
pub struct Spool {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
    pending: VecDeque<Vec<u8>>,
}

impl Spool {
    /// The spool in `folder`. A line that a crash has left without its end is ended.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::with_limit(folder, MAX_BYTES)
    }

    fn with_limit(folder: &Path, max_bytes: u64) -> io::Result<Self> {
        let (file, bytes) = open(folder)?;
        Ok(Self {
            inner: Mutex::new(Inner {
                folder: folder.to_owned(),
                file,
                bytes,
                max_bytes,
                pending: VecDeque::new(),
            }),
        })
    }

    /// Appends a line. What the disk does not take now is tried again with the next.
    pub fn append(&self, record: &Record) {
        // Only a map with keys that are no texts cannot be written, and a record has none.
        let Ok(mut line) = serde_json::to_vec(record) else {
            return;
        };
        line.push(b'\n');
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.pending.push_back(line);
        if let Err(error) = inner.write() {
            tracing::error!("cannot write what was metered: {error}; it is tried again");
        }
        if inner.pending.len() > MAX_PENDING {
            inner.pending.pop_front();
            tracing::error!("what was metered long ago is given up: the disk takes nothing");
        }
    }
}

impl Inner {
    fn write(&mut self) -> io::Result<()> {
        while let Some(line) = self.pending.front() {
            if self.bytes > 0 && self.bytes + line.len() as u64 > self.max_bytes {
                self.rotate()?;
                continue;
            }
            let before = self.file.metadata()?.len();
            if let Err(error) = self.file.write_all(line) {
                // Half a line would spoil the next one.
                self.file.set_len(before)?;
                return Err(error);
            }
            self.bytes = before + line.len() as u64;
            self.pending.pop_front();
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let aside = |number: u32| {
            let now = Timestamp::now().unix_millis();
            self.folder
                .join(format!("spool-{now:013}-{number:04}.jsonl"))
        };
        // Several can fall into one millisecond.
        let free = (0..10_000).map(aside).find(|path| !path.exists());
        let aside = free.ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(self.folder.join(NAME), aside)?;
        (self.file, self.bytes) = open(&self.folder)?;
        Ok(())
    }
}

fn open(folder: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(folder.join(NAME))?;
    let mut bytes = file.metadata()?.len();
    if bytes > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            bytes += 1;
        }
    }
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn record(id: &str) -> Record {
        Record {
            id: id.to_owned(),
            at: Timestamp::now(),
            agent: "claude".to_owned(),
            provider: "anthropic".to_owned(),
            rule: None,
            format: Format::AnthropicMessages,
            path: "/v1/messages".to_owned(),
            session: None,
            model: None,
            model_used: None,
            message_id: None,
            streamed: false,
            status: Some(200),
            first_byte_ms: None,
            duration_ms: 1,
            tokens: None,
            error: Some(Fault::ClientLeft),
        }
    }

    fn ids(folder: &Path) -> Vec<String> {
        let mut names: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        // `spool-…` before `spool.jsonl`.
        names.sort();
        let mut ids = Vec::new();
        for path in names {
            for line in fs::read_to_string(path).unwrap().lines() {
                let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else {
                    continue;
                };
                ids.push(line["id"].as_str().unwrap().to_owned());
            }
        }
        ids
    }

    #[test]
    fn it_is_put_aside_when_it_has_grown_and_no_line_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::with_limit(folder.path(), 600).unwrap();
        let expected: Vec<String> = (0..20).map(|number| format!("r{number:02}")).collect();
        for id in &expected {
            spool.append(&record(id));
        }
        assert_eq!(ids(folder.path()), expected);
        assert!(fs::read_dir(folder.path()).unwrap().count() > 3);
        for entry in fs::read_dir(folder.path()).unwrap() {
            let metadata = entry.unwrap().metadata().unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
            assert!(metadata.len() <= 600);
        }
    }

    #[test]
    fn half_a_line_of_a_crash_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "{\"id\":\"half").unwrap();
        Spool::open(folder.path()).unwrap().append(&record("next"));
        assert_eq!(ids(folder.path()), ["next"]);
    }

    #[test]
    fn what_goes_wrong_is_a_word() {
        let line = serde_json::to_value(record("a")).unwrap();
        assert_eq!(line["error"], "client_left");
        assert_eq!(line["format"], "anthropic-messages");
    }
}
