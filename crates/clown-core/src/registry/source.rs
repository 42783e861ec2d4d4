//! Getting files of a registry: from a folder or a web server, within limits.

use super::address::{Address, below};
use super::error::RegistryError;
use crate::fetch::{Fetch, FetchFailure, FetchRequest, FetchResponse, Redirects};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Before a file is asked for again, when the connection broke or the server is busy.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// Where files of a registry are got from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub address: &'a Address,
    pub fetcher: &'a dyn Fetch,
    /// How long one answer may take.
    pub timeout: Duration,
    /// When everything must be done, and how long that was at first.
    pub deadline: Instant,
    pub limit: Duration,
    pub stop: &'a Stop,
}

/// What came of asking for a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    Found {
        bytes: Vec<u8>,
        /// What tells this content from others, if the server says so.
        etag: Option<String>,
    },
    /// It has not changed since it had the tag that was given.
    Unchanged,
    Missing,
}

impl Source<'_> {
    /// How people are shown the file at `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// The file at `path`, below the registry's address.
    pub fn get(&self, path: &str, limit: u64, etag: Option<&str>) -> Result<Got, RegistryError> {
        match self.address {
            Address::Folder(folder) => read(&below(folder, path), limit),
            Address::Web(_) => self.fetch(&self.url(path), limit, etag),
        }
    }

    /// Asks again where that may help.
    fn fetch(&self, url: &str, limit: u64, etag: Option<&str>) -> Result<Got, RegistryError> {
        let mut pauses = PAUSES.iter();
        loop {
            match (self.ask_once(url, limit, etag), pauses.next()) {
                (Err(error), Some(pause)) if may_pass(&error) => self.stop.wait(*pause)?,
                (answer, _) => return answer,
            }
        }
    }

    fn ask_once(&self, url: &str, limit: u64, etag: Option<&str>) -> Result<Got, RegistryError> {
        let response = self.ask(url, limit, etag)?;
        match response.status {
            200 => Ok(Got::Found {
                etag: response.header("etag").map(str::to_owned),
                bytes: response.body,
            }),
            304 if etag.is_some() => Ok(Got::Unchanged),
            404 | 410 => Ok(Got::Missing),
            status => Err(RegistryError::Status {
                url: url.to_owned(),
                host: self.address.host(),
                status,
            }),
        }
    }

    fn ask(
        &self,
        url: &str,
        limit: u64,
        etag: Option<&str>,
    ) -> Result<FetchResponse, RegistryError> {
        self.stop.check()?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(RegistryError::TooSlow {
                host: self.address.host(),
                limit_secs: self.limit.as_secs(),
            });
        }
        let mut request = FetchRequest {
            max_bytes: limit,
            timeout: self.timeout.min(left),
            redirects: Redirects::SameHost,
            ..FetchRequest::get(url)
        };
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        self.fetcher
            .fetch(&request)
            .map_err(|source| match source.failure {
                FetchFailure::TooLarge { .. } => too_large(url, limit),
                _ => RegistryError::Unreachable {
                    url: url.to_owned(),
                    source,
                },
            })
    }
}

/// Ends waiting and asking when the daemon stops, or one of several has failed.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub fn set(&self) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub fn check(&self) -> Result<(), RegistryError> {
        match *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) {
            true => Err(RegistryError::Stopped),
            false => Ok(()),
        }
    }

    fn wait(&self, pause: Duration) -> Result<(), RegistryError> {
        let guard = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = self
            .changed
            .wait_timeout_while(guard, pause, |is_set| !*is_set)
            .unwrap_or_else(PoisonError::into_inner);
        match *stopped {
            true => Err(RegistryError::Stopped),
            false => Ok(()),
        }
    }
}

/// Whether the next try may go better.
fn may_pass(error: &RegistryError) -> bool {
    match error {
        RegistryError::Unreachable { source, .. } => matches!(
            source.failure,
            FetchFailure::CutShort { .. } | FetchFailure::Refused | FetchFailure::NotHttp { .. }
        ),
        RegistryError::Status { status, .. } => matches!(status, 429 | 500 | 502 | 503 | 504),
        _ => false,
    }
}

fn too_large(url: &str, limit: u64) -> RegistryError {
    RegistryError::TooLarge {
        url: url.to_owned(),
        limit,
    }
}

fn read(path: &Path, limit: u64) -> Result<Got, RegistryError> {
    let unreadable = |source| RegistryError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Got::Missing),
        Err(error) => return Err(unreadable(error)),
    };
    // Something else may never come to its end.
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("it is no file")));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(&path.display().to_string(), limit));
    }
    Ok(Got::Found { bytes, etag: None })
}
