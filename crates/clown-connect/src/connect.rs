//! How a connection comes about: directly, or through an HTTP proxy.

use crate::ProxySettings;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiFuture, GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Nobody wants a request to this machine to leave it.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

/// Which addresses are asked through which proxy.
pub fn proxies(settings: &ProxySettings) -> Matcher {
    let text = |setting: &Option<String>| setting.clone().unwrap_or_default();
    Matcher::builder()
        .http(text(&settings.http))
        .https(text(&settings.https))
        .all(text(&settings.all))
        .no(format!("{THIS_MACHINE},{}", text(&settings.none)))
        .build()
}

/// Opens connections.
#[derive(Clone)]
pub struct Connector {
    direct: HttpConnector<Resolver>,
    proxies: Arc<Matcher>,
}

impl Connector {
    pub fn new(proxies: Arc<Matcher>) -> Self {
        let mut direct = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        direct.enforce_http(false);
        direct.set_nodelay(true);
        Self { direct, proxies }
    }

    /// The same, given up when a connection is not there within `limit`.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.direct.set_connect_timeout(Some(limit));
        self
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Link, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let direct = self.direct.clone();
        match self.proxies.intercept(&destination) {
            None => Box::pin(open(direct, destination, false)),
            Some(proxy) => Box::pin(through(direct, proxy, destination)),
        }
    }
}

async fn open(
    mut direct: HttpConnector<Resolver>,
    destination: Uri,
    proxied: bool,
) -> Result<Link, BoxError> {
    let stream = direct.call(destination).await?;
    Ok(Link { stream, proxied })
}

async fn through(
    direct: HttpConnector<Resolver>,
    proxy: Intercept,
    destination: Uri,
) -> Result<Link, BoxError> {
    let failed = |reason: String| ProxyError {
        proxy: name_of(&proxy),
        reason,
    };
    if proxy.uri().scheme_str() != Some("http") {
        let reason = "it is no http:// proxy, and no other kind is supported";
        return Err(failed(reason.to_owned()).into());
    }
    if destination.scheme_str() == Some("https") {
        let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        let stream = tunnel.call(destination).await;
        let stream = stream.map_err(|error| failed(reason_of(&error)))?;
        return Ok(Link {
            stream,
            proxied: false,
        });
    }
    let link = open(direct, proxy.uri().clone(), true).await;
    link.map_err(|error| failed(reason_of(&*error)).into())
}

/// What a request to `destination` has to tell the proxy, where the proxy reads the request.
pub fn authorization(proxies: &Matcher, destination: &Uri) -> Option<HeaderValue> {
    if destination.scheme_str() != Some("http") {
        return None;
    }
    let mut auth = proxies.intercept(destination)?.basic_auth()?.clone();
    auth.set_sensitive(true);
    Some(auth)
}

fn name_of(proxy: &Intercept) -> String {
    let authority = proxy.uri().authority();
    authority.map_or_else(String::new, |authority| authority.as_str().to_owned())
}

/// The chain of causes in one line.
fn reason_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    reason
}

/// The proxy does not let us through.
#[derive(Debug)]
pub struct ProxyError {
    pub proxy: String,
    pub reason: String,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the proxy {}: {}", self.proxy, self.reason)
    }
}

impl std::error::Error for ProxyError {}

/// The system's look-up of names, with its failures told apart from all others.
#[derive(Clone)]
pub struct Resolver(GaiResolver);

/// A name that leads nowhere.
#[derive(Debug)]
pub struct UnknownHost(pub io::Error);

impl fmt::Display for UnknownHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for UnknownHost {}

impl Service<Name> for Resolver {
    type Response = GaiAddrs;
    type Error = UnknownHost;
    type Future = Resolving;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), UnknownHost>> {
        self.0.poll_ready(context).map_err(UnknownHost)
    }

    fn call(&mut self, name: Name) -> Resolving {
        Resolving(self.0.call(name))
    }
}

/// A name is being looked up.
pub struct Resolving(GaiFuture);

impl Future for Resolving {
    type Output = Result<GaiAddrs, UnknownHost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(UnknownHost)
    }
}

/// A connection that knows whether a proxy reads its requests.
pub struct Link {
    stream: TokioIo<TcpStream>,
    proxied: bool,
}

/// Whether a connection has been answered on: one that has may be closed by the other end at any
/// moment, also just when something is asked on it. It is among the extensions of answers, and what
/// is known of the connection that an error came on.
#[derive(Debug, Clone, Default)]
pub struct Answered(Arc<AtomicBool>);

impl Answered {
    /// It has been.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has been.
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Link")
            .field("proxied", &self.proxied)
            .finish_non_exhaustive()
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        // A proxy that reads requests wants the whole address in them.
        let connected = self.stream.connected().proxy(self.proxied);
        connected.extra(Answered::default())
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}
