//! Getting an index and what it names, each checked before it is kept.

use super::error::RegistryError;
use super::index::{Artifact, Channel, Commit, Hash, Index, MAX_INDEX_BYTES};
use super::signature::{self, MAX_SIGNATURE_BYTES, VerifyingKey};
use super::source::{Got, Source};
use super::storage::{Signed, Storage};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What came of asking for an index.
#[derive(Debug)]
pub(super) enum Fetched {
    /// It has not changed.
    Unchanged,
    Missing,
    New(Box<NewIndex>),
}

/// An index that was fetched and checked; what it names was not fetched yet.
#[derive(Debug)]
pub(super) struct NewIndex {
    pub signed: Signed,
    pub index: Index,
    pub digest: Hash,
    pub etag: Option<String>,
}

/// An index that is known already.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub digest: &'a Hash,
    pub etag: Option<&'a str>,
}

/// Fetches and checks the newest index of `channel`, or that of one commit.
pub(super) fn index(
    source: &Source<'_>,
    key: Option<&VerifyingKey>,
    channel: &Channel,
    commit: Option<&Commit>,
    known: Option<&Known<'_>>,
) -> Result<Fetched, RegistryError> {
    // Between the index and its signature somebody may put new ones in their place.
    match index_once(source, key, channel, commit, known) {
        Err(RegistryError::Signature { .. }) => index_once(source, key, channel, commit, None),
        fetched => fetched,
    }
}

fn index_once(
    source: &Source<'_>,
    key: Option<&VerifyingKey>,
    channel: &Channel,
    commit: Option<&Commit>,
    known: Option<&Known<'_>>,
) -> Result<Fetched, RegistryError> {
    let path = match commit {
        None => format!("{channel}/registry.json"),
        Some(commit) => format!("{channel}/{commit}/registry.json"),
    };
    let url = source.url(&path);
    let tag = known.and_then(|known| known.etag);
    let (bytes, etag) = match source.get(&path, MAX_INDEX_BYTES as u64, tag)? {
        Got::Found { bytes, etag } => (bytes, etag),
        Got::Unchanged => return Ok(Fetched::Unchanged),
        Got::Missing => return Ok(Fetched::Missing),
    };
    let digest = Hash::of(&bytes);
    if known.is_some_and(|known| *known.digest == digest) {
        return Ok(Fetched::Unchanged);
    }
    let signature = match key {
        None => None,
        Some(key) => Some(signature_of(source, key, &path, &bytes)?),
    };
    let signed = Signed { bytes, signature };
    let index = check(&signed, key, &url)?;
    let found = (&index.channel, commit.map(|_| &index.commit));
    if found != (channel, commit) {
        let told = |channel: &Channel, commit: Option<&Commit>| match commit {
            None => format!("channel {channel}"),
            Some(commit) => format!("channel {channel}, commit {commit}"),
        };
        return Err(RegistryError::OtherIndex {
            url,
            found: told(found.0, found.1),
            wanted: told(channel, commit),
        });
    }
    Ok(Fetched::New(Box::new(NewIndex {
        signed,
        index,
        digest,
        etag,
    })))
}

/// The signature that is there for an index, which it must fit.
fn signature_of(
    source: &Source<'_>,
    key: &VerifyingKey,
    path: &str,
    bytes: &[u8],
) -> Result<Vec<u8>, RegistryError> {
    let path = format!("{path}.minisig");
    let url = source.url(&path);
    match source.get(&path, MAX_SIGNATURE_BYTES as u64, None)? {
        Got::Found {
            bytes: signature, ..
        } => match signature::verify(key, bytes, &signature) {
            Ok(()) => Ok(signature),
            Err(source) => Err(RegistryError::Signature { url, source }),
        },
        Got::Unchanged | Got::Missing => Err(RegistryError::NotSigned { url }),
    }
}

/// Reads an index that was fetched or kept: with a key, only after its signature.
pub(super) fn check(
    signed: &Signed,
    key: Option<&VerifyingKey>,
    url: &str,
) -> Result<Index, RegistryError> {
    let signature_url = || format!("{url}.minisig");
    let signature = match (key, &signed.signature) {
        (None, _) => None,
        (Some(key), Some(signature)) => {
            signature::verify(key, &signed.bytes, signature).map_err(|source| {
                RegistryError::Signature {
                    url: signature_url(),
                    source,
                }
            })?;
            Some(signature)
        }
        (Some(_), None) => {
            return Err(RegistryError::NotSigned {
                url: signature_url(),
            });
        }
    };
    let index = Index::parse(&signed.bytes).map_err(|source| RegistryError::Index {
        url: url.to_owned(),
        source,
    })?;
    if let Some(signature) = signature {
        signature::check_comment(&index, signature).map_err(|source| RegistryError::Signature {
            url: signature_url(),
            source,
        })?;
    }
    Ok(index)
}

/// Fetches the artifacts that are not there yet, or `all`, `parallel` at a time, and keeps each
/// that is what the index says. How many were fetched.
pub(super) fn artifacts(
    source: &Source<'_>,
    storage: &Storage,
    index: &Index,
    all: bool,
    parallel: usize,
) -> Result<u64, RegistryError> {
    // Several can have the same content.
    let distinct: BTreeMap<&Hash, &Artifact> = index
        .artifacts
        .iter()
        .map(|artifact| (&artifact.sha256, artifact))
        .collect();
    let wanted: Vec<&Artifact> = distinct
        .into_values()
        .filter(|artifact| all || storage.artifact(artifact).is_none())
        .collect();
    let queue = Queue {
        wanted: &wanted,
        next: AtomicUsize::new(0),
        has_failed: AtomicBool::new(false),
        failure: Mutex::new(None),
        fetched: AtomicU64::new(0),
    };
    let work = || queue.work(|artifact| fetch_one(source, storage, artifact));
    std::thread::scope(|scope| {
        for _ in 1..parallel.min(wanted.len()) {
            // With fewer threads it takes longer, and this one does its part anyway.
            let _ = std::thread::Builder::new()
                .name("registry".to_owned())
                .spawn_scoped(scope, work);
        }
        work();
    });
    let failure = queue.failure.into_inner();
    match failure.unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(queue.fetched.into_inner()),
    }
}

struct Queue<'a> {
    wanted: &'a [&'a Artifact],
    next: AtomicUsize,
    has_failed: AtomicBool,
    failure: Mutex<Option<RegistryError>>,
    fetched: AtomicU64,
}

impl Queue<'_> {
    /// Takes one after the other, until there is none or one has failed.
    fn work(&self, fetch: impl Fn(&Artifact) -> Result<(), RegistryError>) {
        while !self.has_failed.load(Ordering::Relaxed) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(artifact) = self.wanted.get(next) else {
                return;
            };
            match fetch(artifact) {
                Ok(()) => drop(self.fetched.fetch_add(1, Ordering::Relaxed)),
                Err(error) => {
                    self.has_failed.store(true, Ordering::Relaxed);
                    let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                    // The first one says what is wrong.
                    failure.get_or_insert(error);
                }
            }
        }
    }
}

fn fetch_one(
    source: &Source<'_>,
    storage: &Storage,
    artifact: &Artifact,
) -> Result<(), RegistryError> {
    let path = format!("artifacts/{}", artifact.sha256.as_str());
    let url = source.url(&path);
    let name = format!("{} {}", artifact.kind.as_str(), artifact.id.as_str());
    let damaged = |what: String| RegistryError::Damaged {
        url: url.clone(),
        what,
    };
    let content = match source.get(&path, artifact.size, None) {
        Ok(Got::Found { bytes, .. }) => bytes,
        Ok(Got::Missing | Got::Unchanged) => {
            return Err(damaged(format!("{name}: there is nothing")));
        }
        Err(RegistryError::TooLarge { .. }) => {
            return Err(damaged(format!(
                "{name}: it is longer than {} bytes",
                artifact.size
            )));
        }
        Err(error) => return Err(error),
    };
    if content.len() as u64 != artifact.size {
        return Err(damaged(format!(
            "{name}: it has {} bytes, not {}",
            content.len(),
            artifact.size
        )));
    }
    let found = Hash::of(&content);
    if found != artifact.sha256 {
        return Err(damaged(format!(
            "{name}: its SHA-256 is {}",
            found.as_str()
        )));
    }
    storage.put_artifact(artifact, &content)
}
