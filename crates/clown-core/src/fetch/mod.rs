//! The seam to other machines. The domain says what it wants from where; who holds the sockets
//! (`clown-fetch` in the daemon) is given to it.

mod error;

pub use error::{FetchError, FetchFailure, TlsProblem};

use std::fmt;
use std::time::Duration;

/// Exchanges one request for one answer. It blocks, and is called from several threads at once.
pub trait Fetch: fmt::Debug + Send + Sync {
    /// An answer of any status is an answer; an error says why there is none.
    fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError>;
}

/// Reaches nobody, and says so: for programs that want nothing from outside.
#[derive(Debug, Clone, Copy)]
pub struct Offline;

impl Fetch for Offline {
    fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        let reason = "this program does not use the network".to_owned();
        let failure = FetchFailure::NotReady { reason };
        Err(FetchError::new(shown(&request.url), failure))
    }
}

/// What is asked, and how much of an answer is taken.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// How it is asked.
    pub method: Method,
    /// An `http` or `https` address.
    pub url: String,
    /// May hold keys: neither `Debug` nor an error shows the values.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<Vec<u8>>,
    /// The longest body that is taken.
    pub max_bytes: u64,
    /// How long the whole exchange may take, from the name's look-up to the last byte.
    pub timeout: Duration,
    /// What an answer that sends us elsewhere leads to.
    pub redirects: Redirects,
}

/// How something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "HTTP's own words")]
pub enum Method {
    Get,
    Head,
    Post,
}

/// What an answer that sends us elsewhere leads to. Never are headers sent to another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// An error that says where to.
    Refuse,
    /// It is followed on the same host, never from `https` to `http`, and only for what is read.
    SameHost,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchResponse {
    /// Of the last answer, if it was sent elsewhere.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

impl FetchRequest {
    /// Reads what is at `url`: up to 1 MiB, within 30 s, and from no other place.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            url: url.into(),
            headers: Vec::new(),
            body: None,
            max_bytes: 1024 * 1024,
            timeout: Duration::from_secs(30),
            redirects: Redirects::Refuse,
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl FetchResponse {
    /// The first header of this name, whatever the case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("FetchRequest")
            .field("method", &self.method)
            .field("url", &shown(&self.url))
            .field("headers", &names)
            .field("body", &self.body.as_ref().map(Vec::len))
            .field("max_bytes", &self.max_bytes)
            .field("timeout", &self.timeout)
            .field("redirects", &self.redirects)
            .finish()
    }
}

/// An address without what can hold a secret: its user, its query, its fragment.
pub fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_holds_no_secret() {
        let check = |url: &str, expected: &str| assert_eq!(shown(url), expected);
        check("https://a.example/v1?key=s#t", "https://a.example/v1");
        check("https://me:s@a.example:8/v1", "https://a.example:8/v1");
        check("https://a.example/@s", "https://a.example/@s");
        check("nonsense", "nonsense");

        let request = FetchRequest {
            body: Some(b"secret".to_vec()),
            ..FetchRequest::get("http://a.example/?key=secret").header("x-api-key", "secret")
        };
        let debug = format!("{request:?}");
        assert!(debug.contains("x-api-key"), "{debug}");
        assert!(!debug.contains("secret"), "{debug}");
    }

    #[test]
    fn messages_name_the_host_and_what_to_do() {
        let check = |failure: FetchFailure, expected: &str| {
            let error = FetchError::new("a.example", failure);
            assert_eq!(error.to_string(), expected);
        };
        check(
            FetchFailure::Refused,
            "a.example refused the connection: nothing listens on that port, or a firewall turns it away",
        );
        check(
            FetchFailure::TimedOut {
                after: Duration::from_secs(2),
            },
            "a.example did not answer in full within 2s: try again, or look at the network between",
        );
        check(
            FetchFailure::TooLarge { limit: 10 },
            "a.example sends more than the 10 bytes that are taken: is the address right?",
        );
        check(
            FetchFailure::Tls(TlsProblem::UnknownAuthority),
            "a.example shows a certificate of an authority that is not trusted here: if it is your own, name its certificate with SSL_CERT_FILE and start the daemon again",
        );
    }
}
