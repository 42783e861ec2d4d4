//! The provider's side: connections, addresses, and the key.

use crate::config::{Auth, Format, Limits, Network, Secret, Upstream};
use bytes::Bytes;
use clown_connect::{Answered, Connector, ProxySettings, UnknownHost};
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection that nobody uses stays open.
const KEEP_OPEN: Duration = Duration::from_secs(60);

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHENTICATE: HeaderName = HeaderName::from_static("proxy-authenticate");

/// The headers that can hold a key, in the order in which they are looked at.
pub(crate) const CREDENTIALS: [HeaderName; 3] = [X_API_KEY, AUTHORIZATION, X_GOOG_API_KEY];

/// Headers that are for the next hop alone, and those that hyper writes itself.
const OF_ONE_HOP: [HeaderName; 11] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    HOST,
];

/// The connections to a provider, and how new ones come about.
#[derive(Clone)]
pub(crate) struct Client {
    inner: legacy::Client<HttpsConnector<Connector>, Full<Bytes>>,
    proxies: Arc<Matcher>,
}

impl Client {
    /// Opens nothing yet. `Err` says what cannot be used.
    pub(crate) fn new(network: &Network, limits: &Limits) -> Result<Self, String> {
        let text = |secret: &Option<Secret>| secret.as_ref().map(|it| it.expose().to_owned());
        let proxies = Arc::new(clown_connect::proxies(&ProxySettings {
            http: text(&network.http_proxy),
            https: text(&network.https_proxy),
            all: text(&network.all_proxy),
            none: network.no_proxy.clone(),
        }));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(clown_connect::client_config(&network.authorities)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector::new(Arc::clone(&proxies)).within(limits.connect));
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_OPEN)
            .build(connector);
        Ok(Self { inner, proxies })
    }

    /// Asks, and asks again where a connection that was kept open turns out to be closed: the other
    /// end may close it at any moment, and then has not taken the request.
    pub(crate) async fn ask(
        &self,
        asked: Asked,
    ) -> Result<http::Response<Incoming>, legacy::Error> {
        let Asked {
            method,
            address,
            mut headers,
            body,
        } = asked;
        if let Some(value) = clown_connect::authorization(&self.proxies, &address) {
            headers.insert(PROXY_AUTHORIZATION, value);
        }
        let mut stale = 0;
        loop {
            let mut request = http::Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = address.clone();
            *request.headers_mut() = headers.clone();
            match self.inner.request(request).await {
                Ok(response) => {
                    if let Some(answered) = response.extensions().get::<Answered>() {
                        answered.note();
                    }
                    return Ok(response);
                }
                Err(error) if stale < MOST_STALE && was_answered_on(&error) => stale += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// A request, as the upstream gets it.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) address: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How many connections that were kept open may turn out to be closed, one after the other.
const MOST_STALE: usize = 8;

/// Whether the connection that failed had been answered on before.
fn was_answered_on(error: &legacy::Error) -> bool {
    let mut extensions = Extensions::new();
    if let Some(connection) = error.connect_info() {
        connection.get_extras(&mut extensions);
    }
    let answered = extensions.get::<Answered>();
    answered.is_some_and(Answered::is_so)
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Where a request for `path` of `format` goes, with its parameters. None where the provider does
/// not speak that.
pub(crate) fn address(
    upstream: &Upstream,
    format: Format,
    path: &str,
    query: Option<&str>,
) -> Option<Result<Uri, http::uri::InvalidUri>> {
    let base = upstream.bases.get(&format)?;
    // The base addresses of OpenAI's formats have the version in them.
    let below = match format {
        Format::OpenaiChat | Format::OpenaiResponses => path.strip_prefix("/v1").unwrap_or(path),
        Format::AnthropicMessages | Format::Gemini => path,
    };
    let base = base.trim_end_matches('/');
    Some(match query {
        Some(query) => format!("{base}{below}?{query}").parse(),
        None => format!("{base}{below}").parse(),
    })
}

/// The agent's headers without those of its connection, and with a real key in place of the local
/// one. `None` for a key that no header can hold.
pub(crate) fn headers_of_request(
    from: &HeaderMap,
    key: Option<&Secret>,
    auth: Auth,
    format: Format,
) -> Option<HeaderMap> {
    let mut headers = passed_on(from);
    for name in CREDENTIALS {
        headers.remove(name);
    }
    headers.remove(CONTENT_LENGTH);
    add_own(&mut headers, key, auth, format)?;
    Some(headers)
}

/// The headers of a request that is translated. Those of the agent are for another format; of them
/// only its name goes on.
pub(crate) fn headers_of_translated(
    from: &HeaderMap,
    key: Option<&Secret>,
    auth: Auth,
    format: Format,
) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(agent) = from.get(USER_AGENT) {
        headers.insert(USER_AGENT, agent.clone());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if format == Format::AnthropicMessages {
        headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
    }
    add_own(&mut headers, key, auth, format)?;
    Some(headers)
}

fn add_own(
    headers: &mut HeaderMap,
    key: Option<&Secret>,
    auth: Auth,
    format: Format,
) -> Option<()> {
    // What passes is read on its way, which it could not be otherwise.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let Some(key) = key else {
        return Some(());
    };
    let (name, text) = match (auth, format) {
        (Auth::Own, Format::AnthropicMessages) => (X_API_KEY, key.expose().to_owned()),
        (Auth::Own, Format::Gemini) => (X_GOOG_API_KEY, key.expose().to_owned()),
        _ => (AUTHORIZATION, format!("Bearer {}", key.expose())),
    };
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Some(())
}

/// Headers without those that are for one hop alone.
pub(crate) fn passed_on(from: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = from
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut headers = from.clone();
    for name in OF_ONE_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    headers
}

/// Why an upstream gave no answer, for people: never with an address that may hold a secret.
pub(crate) fn reason(error: &legacy::Error) -> String {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(error) = cause {
        if error.is::<UnknownHost>() {
            return "its name leads nowhere: is it spelt right, and is there a network?".to_owned();
        }
        last = error.to_string();
        cause = error.source();
    }
    last
}

/// Whether the time for a connection was over.
pub(crate) fn is_timeout(error: &legacy::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn paths_go_below_the_base_of_their_format() {
        let upstream = Upstream {
            bases: BTreeMap::from([
                (Format::AnthropicMessages, "http://a/base/".to_owned()),
                (Format::OpenaiChat, "http://o/v4".to_owned()),
            ]),
            key: None,
            more_keys: Vec::new(),
            auth: Auth::Own,
        };
        let check = |format: Format, path: &str, query: Option<&str>, expected: Option<&str>| {
            let address = address(&upstream, format, path, query);
            let address = address.map(|address| address.unwrap().to_string());
            assert_eq!(address.as_deref(), expected, "{path}");
        };
        let (messages, chat) = (Format::AnthropicMessages, Format::OpenaiChat);
        check(
            messages,
            "/v1/messages",
            None,
            Some("http://a/base/v1/messages"),
        );
        let query = Some("beta=true&x=%20");
        let expected = Some("http://a/base/v1/messages?beta=true&x=%20");
        check(messages, "/v1/messages", query, expected);
        let expected = Some("http://o/v4/chat/completions");
        check(chat, "/v1/chat/completions", None, expected);
        check(Format::Gemini, "/v1beta/models", None, None);
    }

    #[test]
    fn the_local_key_stays_here_and_the_real_one_goes_where_it_belongs() {
        let check =
            |auth: Auth, key: Option<&str>, format: Format, expected: Option<(&str, &str)>| {
                let mut from = HeaderMap::new();
                for (name, value) in [
                    ("x-api-key", "local"),
                    ("authorization", "Bearer local"),
                    ("x-goog-api-key", "local"),
                    ("connection", "close, x-private"),
                    ("x-private", "1"),
                    ("te", "trailers"),
                    ("host", "127.0.0.1:1"),
                    ("anthropic-beta", "a"),
                    ("user-agent", "agent/1"),
                    ("accept-encoding", "gzip, br"),
                ] {
                    from.insert(
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    );
                }
                from.append("anthropic-beta", HeaderValue::from_static("b"));
                let key = key.map(Secret::new);
                let headers = headers_of_request(&from, key.as_ref(), auth, format).unwrap();
                let alone = headers_of_translated(&from, key.as_ref(), auth, format).unwrap();
                assert!(!alone.contains_key("anthropic-beta") && alone.contains_key(USER_AGENT));
                let mut told: Vec<(&str, &str)> = headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
                    .collect();
                told.sort_unstable();
                let mut all = vec![
                    ("accept-encoding", "identity"),
                    ("anthropic-beta", "a"),
                    ("anthropic-beta", "b"),
                    ("user-agent", "agent/1"),
                ];
                all.extend(expected);
                all.sort_unstable();
                assert_eq!(told, all, "{auth:?} {format:?}");
            };
        let messages = Format::AnthropicMessages;
        check(
            Auth::Own,
            Some("real"),
            messages,
            Some(("x-api-key", "real")),
        );
        let bearer = Some(("authorization", "Bearer real"));
        check(Auth::Bearer, Some("real"), messages, bearer);
        check(Auth::Own, Some("real"), Format::OpenaiResponses, bearer);
        let google = Some(("x-goog-api-key", "real"));
        check(Auth::Own, Some("real"), Format::Gemini, google);
        check(Auth::Own, None, messages, None);
    }
}
