//! Whether a provider answers, and whether a key works there.

use super::{CheckManifest, Endpoint, Format, KeyAuth, ProviderManifest, Unfilled};
use crate::fetch::{Fetch, FetchError, FetchFailure, FetchRequest, FetchResponse};
use crate::keys::Secret;
use std::collections::BTreeMap;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// How long one address may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Lists of models are long, but not as long as this.
const LONGEST_ANSWER: u64 = 8 * 1024 * 1024;

/// What was found at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The endpoint's id.
    pub endpoint: String,
    /// The format.
    pub format: Format,
    /// The base address, with its placeholders filled where they could be.
    pub url: String,
    /// Whether it answers.
    pub address: AddressVerdict,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long it took, if anything was asked.
    pub took: Option<Duration>,
    /// Whether the key works.
    pub key: KeyVerdict,
    /// All of this in one sentence for people.
    pub message: String,
}

/// Whether an address answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressVerdict {
    /// Something that speaks HTTP, and is not broken.
    Answers,
    /// A variable of the address is not set.
    Incomplete,
    /// The name leads nowhere.
    UnknownHost,
    /// The connection was refused.
    Refused,
    /// There is no way to it.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// There is no safe connection.
    Tls,
    /// Something answers, but not the provider's API.
    Wrong,
    /// It answers that it is broken.
    Failing,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVerdict {
    /// It was let in.
    Works,
    /// It was turned away.
    Refused,
    /// It is known, and has been used too much at the moment.
    Limited,
    /// It is known, and there is no money behind it.
    NoCredit,
    /// The provider wants one and none was given.
    Missing,
    /// It answers without one as well.
    NotNeeded,
    /// There is no harmless way to tell, or the address does not answer.
    NotTried,
}

impl Checked {
    /// Whether nothing stands in the way of using it, as far as that can be told.
    pub fn is_well(&self) -> bool {
        let key = matches!(
            self.key,
            KeyVerdict::Works | KeyVerdict::Limited | KeyVerdict::NotNeeded | KeyVerdict::NotTried
        );
        self.address == AddressVerdict::Answers && key
    }
}

/// Asks every format of `endpoints`, all at once. `variables` fill the addresses; the key goes to
/// these endpoints and nowhere else.
pub fn check(
    fetch: &dyn Fetch,
    provider: &ProviderManifest,
    endpoints: &[&Endpoint],
    variables: &BTreeMap<String, String>,
    key: Option<&Secret>,
) -> Vec<Checked> {
    let mut trials: Vec<Trial<'_>> = Vec::new();
    for endpoint in endpoints {
        for (format, url) in &endpoint.urls {
            trials.push(Trial {
                provider,
                endpoint,
                format: *format,
                url: url.fill(variables),
                key,
            });
        }
    }
    std::thread::scope(|scope| {
        let run = |trial| {
            let thread = std::thread::Builder::new();
            // Where there is no thread to be had, one after the other.
            thread
                .spawn_scoped(scope, move || Trial::run(trial, fetch))
                .map_err(|_| Trial::run(trial, fetch))
        };
        let running: Vec<_> = trials.iter().map(run).collect();
        let finished = running.into_iter().zip(&trials);
        let finish =
            |(running, trial): (Result<ScopedJoinHandle<'_, _>, _>, &Trial<'_>)| match running {
                Ok(thread) => thread.join().unwrap_or_else(|_| trial.interrupted()),
                Err(checked) => checked,
            };
        finished.map(finish).collect()
    })
}

/// One address of one format.
struct Trial<'a> {
    provider: &'a ProviderManifest,
    endpoint: &'a Endpoint,
    format: Format,
    url: Result<String, Unfilled<'a>>,
    key: Option<&'a Secret>,
}

impl Trial<'_> {
    fn run(&self, fetch: &dyn Fetch) -> Checked {
        let url = match &self.url {
            Ok(url) => url,
            Err(unfilled) => return self.incomplete(*unfilled),
        };
        let begun = Instant::now();
        // Without a route to try a key by, there is no reason to send one.
        let path = self.path();
        let key = self.key.filter(|_| path.is_some());
        let request = self.request(&format!("{url}{}", path.unwrap_or_default()), key);
        let answer = fetch.fetch(&request);
        let took = begun.elapsed();
        let mut checked = match answer {
            Err(error) => self.failed(&error),
            Ok(answer) if path.is_none() => self.answered(&answer),
            Ok(answer) => self.judged(&answer, || {
                let keyless = fetch.fetch(&self.request(&request.url, None));
                keyless.is_ok_and(|answer| answer.is_success())
            }),
        };
        checked.took = Some(took);
        checked
    }

    fn manifest(&self) -> Option<&CheckManifest> {
        self.endpoint
            .check
            .as_ref()
            .or(self.provider.check.as_ref())
    }

    fn path(&self) -> Option<&str> {
        let path = self.manifest()?.paths.get(&self.format)?;
        Some(path.as_str())
    }

    fn key_is_required(&self) -> bool {
        self.provider.key.as_ref().is_some_and(|key| key.required)
    }

    fn request(&self, url: &str, key: Option<&Secret>) -> FetchRequest {
        let mut request = FetchRequest::get(url).header("accept", "application/json");
        request.timeout = PATIENCE;
        request.max_bytes = LONGEST_ANSWER;
        if self.format == Format::AnthropicMessages {
            request = request.header("anthropic-version", "2023-06-01");
        }
        let Some(key) = key.map(Secret::expose) else {
            return request;
        };
        let auth = self.provider.key.as_ref().map(|key| key.auth);
        match (auth.unwrap_or_default(), self.format) {
            (KeyAuth::Own, Format::AnthropicMessages) => request.header("x-api-key", key),
            (KeyAuth::Own, Format::Gemini) => request.header("x-goog-api-key", key),
            _ => request.header("authorization", format!("Bearer {key}")),
        }
    }

    /// There is an answer to a request that tried the key, or would have.
    fn judged(&self, answer: &FetchResponse, answers_without: impl Fn() -> bool) -> Checked {
        use AddressVerdict::{Answers, Failing, Wrong};
        use KeyVerdict::{Limited, Missing, NoCredit, NotNeeded, NotTried, Refused, Works};
        let status = answer.status;
        let given = self.key.is_some();
        let without_key = || match self.key_is_required() {
            true => (Missing, "it answers; it wants a key, and none was given"),
            false => (NotNeeded, "it answers, and wants no key"),
        };
        let (address, (key, message)) = match status {
            200..300 if !looks_like_json(answer) => (
                Wrong,
                (
                    NotTried,
                    "what answers there is no API: is the address right?",
                ),
            ),
            200..300 if !given => (Answers, without_key()),
            200..300 if !self.key_is_required() && answers_without() => (
                Answers,
                (NotNeeded, "it answers, with this key and without one"),
            ),
            200..300 => (Answers, (Works, "it answers, and the key works")),
            401 | 403 if given => (Answers, (Refused, "it answers, and refuses the key")),
            401 | 403 => (
                Answers,
                (Missing, "it answers; it wants a key, and none was given"),
            ),
            400 if self.says_refused(answer) && given => {
                (Answers, (Refused, "it answers, and refuses the key"))
            }
            402 if given => (
                Answers,
                (
                    NoCredit,
                    "it answers and knows the key, but wants to be paid first",
                ),
            ),
            429 if given => (
                Answers,
                (
                    Limited,
                    "it answers and knows the key, which is over its limit now",
                ),
            ),
            404 => (
                Wrong,
                (
                    NotTried,
                    "something answers, but not the route asked for: is the address right?",
                ),
            ),
            500.. => (
                Failing,
                (NotTried, "it answers that it is broken: try again later"),
            ),
            _ if given => (
                Answers,
                (NotTried, "it answers in a way that says nothing of the key"),
            ),
            _ => (Answers, without_key()),
        };
        self.checked(address, Some(status), key, format!("{message} ({status})"))
    }

    /// There is an answer to a request that had nothing to do with a key.
    fn answered(&self, answer: &FetchResponse) -> Checked {
        let status = answer.status;
        if status >= 500 {
            let message = format!("it answers that it is broken: try again later ({status})");
            let address = AddressVerdict::Failing;
            return self.checked(address, Some(status), KeyVerdict::NotTried, message);
        }
        let (key, message) = match (self.key, self.key_is_required()) {
            (None, true) => (
                KeyVerdict::Missing,
                "it answers; it wants a key, and none was given",
            ),
            _ => (
                KeyVerdict::NotTried,
                "it answers; there is no harmless way to try a key in this format",
            ),
        };
        self.checked(
            AddressVerdict::Answers,
            Some(status),
            key,
            format!("{message} ({status})"),
        )
    }

    fn failed(&self, error: &FetchError) -> Checked {
        let address = match &error.failure {
            FetchFailure::UnknownHost { .. } => AddressVerdict::UnknownHost,
            FetchFailure::Refused => AddressVerdict::Refused,
            FetchFailure::TimedOut { .. } => AddressVerdict::TimedOut,
            FetchFailure::Tls(_) => AddressVerdict::Tls,
            FetchFailure::NotAnAddress { .. }
            | FetchFailure::NotHttp { .. }
            | FetchFailure::TooLarge { .. }
            | FetchFailure::RedirectRefused { .. }
            | FetchFailure::RedirectLoop { .. } => AddressVerdict::Wrong,
            _ => AddressVerdict::Unreachable,
        };
        self.checked(address, None, KeyVerdict::NotTried, error.to_string())
    }

    fn incomplete(&self, unfilled: Unfilled<'_>) -> Checked {
        let message = match unfilled {
            Unfilled::Missing(name) => format!("the address needs {name}: give it a value"),
            Unfilled::Unfit(name) => {
                format!("the value of {name} cannot stand in an address: correct it")
            }
        };
        let address = AddressVerdict::Incomplete;
        self.checked(address, None, KeyVerdict::NotTried, message)
    }

    fn interrupted(&self) -> Checked {
        let message = "the check broke off: look into the daemon's log".to_owned();
        let address = AddressVerdict::Unreachable;
        self.checked(address, None, KeyVerdict::NotTried, message)
    }

    fn says_refused(&self, answer: &FetchResponse) -> bool {
        let word = self.manifest().and_then(|check| check.refused.as_deref());
        word.is_some_and(|word| String::from_utf8_lossy(&answer.body).contains(word))
    }

    fn checked(
        &self,
        address: AddressVerdict,
        status: Option<u16>,
        key: KeyVerdict,
        message: String,
    ) -> Checked {
        let endpoint = self.endpoint;
        let as_written = || {
            let url = endpoint.urls.get(&self.format);
            url.map_or_else(String::new, |url| url.as_str().to_owned())
        };
        Checked {
            endpoint: endpoint.id.as_str().to_owned(),
            format: self.format,
            url: self.url.clone().unwrap_or_else(|_| as_written()),
            address,
            status,
            took: None,
            key,
            message,
        }
    }
}

/// What a page for people, or of a network that wants a login first, does not.
fn looks_like_json(answer: &FetchResponse) -> bool {
    let begin = answer.body.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(begin, Some(b'{' | b'['))
}
