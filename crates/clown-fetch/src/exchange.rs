//! One exchange: the request, its redirects, and the body within its bounds.

use crate::address::Address;
use crate::failure;
use bytes::Bytes;
use clown_connect::{Connector, authorization};
use clown_core::fetch::{
    FetchError, FetchFailure, FetchRequest, FetchResponse, Method, Redirects, shown,
};
use http::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, PROXY_AUTHORIZATION, USER_AGENT};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection that nobody uses stays open.
const KEEP_OPEN: Duration = Duration::from_secs(30);

/// How many of them stay open to one host.
const KEEP_OPEN_CONNECTIONS: usize = 32;

/// Where answers may send us before it is enough.
const MAX_REDIRECTS: usize = 5;

const USER_AGENT_VALUE: &str = concat!("clown/", env!("CARGO_PKG_VERSION"));

/// The connections, and how new ones come about.
#[derive(Clone)]
pub(crate) struct Client {
    inner: legacy::Client<HttpsConnector<Connector>, Full<Bytes>>,
    proxies: Arc<Matcher>,
}

impl Client {
    pub(crate) fn new(tls: rustls::ClientConfig, proxies: Matcher) -> Self {
        let proxies = Arc::new(proxies);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector::new(Arc::clone(&proxies)));
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_OPEN)
            .pool_max_idle_per_host(KEEP_OPEN_CONNECTIONS)
            .build(connector);
        Self { inner, proxies }
    }

    /// Within the request's time.
    pub(crate) async fn exchange(
        &self,
        address: Address,
        request: FetchRequest,
    ) -> Result<FetchResponse, FetchError> {
        let host = address.host();
        let after = request.timeout;
        let exchange = tokio::time::timeout(after, self.follow(address, request));
        exchange
            .await
            .unwrap_or_else(|_| Err(FetchError::new(host, FetchFailure::TimedOut { after })))
    }

    async fn follow(
        &self,
        mut address: Address,
        request: FetchRequest,
    ) -> Result<FetchResponse, FetchError> {
        let host = address.host();
        let failed = |failure| FetchError::new(host.clone(), failure);
        let headers = headers(&request).map_err(failed)?;
        let body = Bytes::from(request.body.clone().unwrap_or_default());
        for _ in 0..=MAX_REDIRECTS {
            let answer = self
                .ask(&address, request.method, headers.clone(), body.clone())
                .await
                .map_err(|error| failed(failure::of(&error)))?;
            let Some(location) = sent_elsewhere(&answer) else {
                return read(answer, request.max_bytes).await.map_err(failed);
            };
            if request.redirects == Redirects::Refuse || request.method == Method::Post {
                let to = shown(&location);
                return Err(failed(FetchFailure::RedirectRefused { to }));
            }
            address = address.follow(&location)?;
        }
        Err(failed(FetchFailure::RedirectLoop {
            times: MAX_REDIRECTS + 1,
        }))
    }

    async fn ask(
        &self,
        address: &Address,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<http::Response<Incoming>, legacy::Error> {
        let mut request = http::Request::new(Full::new(body));
        *request.method_mut() = match method {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
        };
        *request.uri_mut() = address.uri().clone();
        *request.headers_mut() = headers;
        if let Some(auth) = authorization(&self.proxies, address.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, auth);
        }
        self.inner.request(request).await
    }
}

fn headers(request: &FetchRequest) -> Result<HeaderMap, FetchFailure> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE));
    for (name, value) in &request.headers {
        let bad = || FetchFailure::BadHeader { name: name.clone() };
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        // So that no log of a library shows it.
        value.set_sensitive(true);
        if known == USER_AGENT {
            headers.insert(known, value);
        } else {
            headers.append(known, value);
        }
    }
    Ok(headers)
}

fn sent_elsewhere(answer: &http::Response<Incoming>) -> Option<String> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = answer.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Not a byte more than `max_bytes`.
async fn read(
    answer: http::Response<Incoming>,
    max_bytes: u64,
) -> Result<FetchResponse, FetchFailure> {
    let too_large = || FetchFailure::TooLarge { limit: max_bytes };
    let (parts, mut incoming) = answer.into_parts();
    if incoming.size_hint().lower() > max_bytes {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| failure::of_body(&error, body.len() as u64))?;
        if let Ok(data) = frame.into_data() {
            if (body.len() + data.len()) as u64 > max_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&data);
        }
    }
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(FetchResponse {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body,
    })
}
