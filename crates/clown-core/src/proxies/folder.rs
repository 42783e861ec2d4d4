//! What lies in the folders of instances: the local key, and what was metered.

use super::{Inner, ProxyFault};
use crate::Alias;
use crate::files;
use crate::keys::Secret;
use serde_json::Value;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// How much of the end of a spool is looked at for its last lines.
const MAX_TAIL: u64 = 4 << 20;

/// What agents see of a local key, so that it is known for one.
const KEY_PREFIX: &str = "clown-local-";

const KEY: &str = "key";

/// The files that are written below a profile's folder of proxies.
const SPOOL: &str = "spool.jsonl";

impl Inner {
    pub(super) fn folder_of(&self, alias: &Alias) -> PathBuf {
        self.folder.join(alias.as_str())
    }

    pub(super) fn make_folder(&self, alias: &Alias) -> Result<PathBuf, ProxyFault> {
        let path = self.folder_of(alias);
        match files::make_private_folder(&path, &[KEY, "lock", SPOOL]) {
            Ok(()) => Ok(path),
            Err(source) => Err(ProxyFault::Folder { path, source }),
        }
    }

    /// The key of `alias`'s instance: the same as long as its folder stays, for agents hold it.
    pub(super) fn local_key(&self, alias: &Alias) -> Result<Secret, ProxyFault> {
        let path = self.make_folder(alias)?.join(KEY);
        let made = read_key(&path).and_then(|known| match known {
            Some(key) => Ok(key),
            None => make_key(&path),
        });
        made.map_err(|source| ProxyFault::Folder { path, source })
    }

    /// The last `lines` of what was metered, the oldest first, and of those only what came after
    /// the request `after`.
    pub(super) fn log(
        &self,
        alias: &Alias,
        lines: usize,
        after: Option<&str>,
    ) -> Result<Vec<Value>, ProxyFault> {
        let folder = self.folder_of(alias);
        let mut found: Vec<Value> = Vec::new();
        // The newest first.
        let mut spools = spools(&folder);
        spools.sort_unstable_by(|a, b| b.cmp(a));
        spools.insert(0, folder.join(SPOOL));
        for path in spools {
            let tail = match tail(&path) {
                Ok(tail) => tail,
                Err(source) if source.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(ProxyFault::Folder { path, source }),
            };
            let of_file = tail
                .lines()
                .rev()
                .filter_map(|line| serde_json::from_str(line).ok());
            found.extend(of_file);
            if found.len() >= lines {
                break;
            }
        }
        found.truncate(lines);
        found.reverse();
        if let Some(after) = after {
            found.retain(|record| record["id"].as_str().is_some_and(|id| id > after));
        }
        Ok(found)
    }
}

/// Those that were put aside.
pub(super) fn spools(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("spool-") && name.ends_with(".jsonl")
        })
        .collect()
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(MAX_TAIL).read_to_end(&mut bytes)?;
    // Half of the first line, and half of the last, are no JSON and are passed over.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// None where there is none, or none that could have been made here.
fn read_key(path: &Path) -> io::Result<Option<Secret>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let is_one = |text: &str| {
                let digits = text.strip_prefix(KEY_PREFIX).unwrap_or_default();
                digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            };
            Ok(is_one(&text).then(|| Secret::new(text)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn make_key(path: &Path) -> io::Result<Secret> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = Secret::new(format!("{KEY_PREFIX}{digits}"));
    // One that stands there otherwise would keep its mode.
    let _ = fs::remove_file(path);
    files::write_atomically(path, key.expose().as_bytes(), 0o600)?;
    Ok(key)
}
