//! One daemon for each state folder, and how others find it.

use anyhow::{Context as _, bail};
use clown_core::files::write_atomically;
use clown_events::Timestamp;
use serde::Serialize;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The claim to a state folder, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Instance {
    lock: File,
    file: PathBuf,
}

impl Instance {
    /// Claims `state_dir`; an error says who has it.
    pub(crate) fn claim(state_dir: &Path) -> anyhow::Result<Self> {
        let path = state_dir.join("clownd.lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // What cannot be read is not said; that the folder is taken is sure.
                let _ = lock.read_to_string(&mut text);
                bail!("{}", taken(&text, state_dir));
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        let mut instance = Self {
            lock,
            file: state_dir.join("daemon.json"),
        };
        instance.note(&std::process::id().to_string())?;
        Ok(instance)
    }

    /// Tells where the daemon serves: in the lock, and in `daemon.json`, by which clients find it.
    pub(crate) fn announce(
        &mut self,
        address: SocketAddr,
        version: &str,
        started_at: Timestamp,
    ) -> anyhow::Result<()> {
        let pid = std::process::id();
        self.note(&format!("{pid} {address}"))?;
        let announced = Announced {
            pid,
            address: address.to_string(),
            version,
            started_at,
        };
        let json = serde_json::to_vec(&announced).context("cannot write daemon.json")?;
        write_atomically(&self.file, &json, 0o600)
            .with_context(|| format!("cannot write {}", self.file.display()))
    }

    /// Takes `daemon.json` away.
    pub(crate) fn withdraw(&self) {
        if let Err(error) = fs::remove_file(&self.file) {
            tracing::warn!(%error, file = %self.file.display(), "cannot remove the file by which clients find the daemon");
        }
    }

    fn note(&mut self, text: &str) -> anyhow::Result<()> {
        let write = |lock: &mut File| {
            lock.set_len(0)?;
            lock.rewind()?;
            lock.write_all(text.as_bytes())
        };
        write(&mut self.lock).context("cannot write the state folder's lock")
    }
}

#[derive(Serialize)]
struct Announced<'text> {
    pid: u32,
    address: String,
    version: &'text str,
    started_at: Timestamp,
}

/// The sentence for a second daemon; `text` is what the first has left in the lock.
fn taken(text: &str, state_dir: &Path) -> String {
    let mut words = text.split_whitespace();
    let process = words
        .next()
        .map_or(String::new(), |pid| format!(" as process {pid}"));
    let address = words
        .next()
        .map_or(String::new(), |address| format!(" at {address}"));
    format!(
        "clownd runs already{process}{address}, with the state folder {}: stop it with `clown daemon stop`, or give this one another --state-dir",
        state_dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Instance::claim(folder.path()).unwrap();
        first
            .announce("127.0.0.1:1234".parse().unwrap(), "0.0.0", Timestamp::now())
            .unwrap();
        let file: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("daemon.json")).unwrap()).unwrap();
        assert_eq!(file["pid"], std::process::id());
        assert_eq!(file["address"], "127.0.0.1:1234");

        let error = Instance::claim(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        assert!(error.contains("127.0.0.1:1234"), "{error}");

        first.withdraw();
        assert!(!folder.path().join("daemon.json").exists());
        drop(first);
        Instance::claim(folder.path()).unwrap();
    }
}
