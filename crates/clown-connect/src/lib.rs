//! How connections to other machines come about: directly or through a proxy, and whose
//! certificates are believed. It sends nothing itself.

mod certificates;
mod connect;

pub use certificates::client_config;
pub use connect::{Answered, Connector, Link, ProxyError, UnknownHost, authorization, proxies};

use std::fmt;

/// Proxies on the way, each as `http://[user:password@]host:port`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// For `http` addresses.
    pub http: Option<String>,
    /// For `https` addresses.
    pub https: Option<String>,
    /// For both, where there is no other.
    pub all: Option<String>,
    /// Names and addresses that are asked directly, divided by commas. This machine always is.
    pub none: Option<String>,
}

impl ProxySettings {
    /// From the usual variables, in upper case or else in lower case.
    pub fn from_variables(look_up: impl Fn(&str) -> Option<String>) -> Self {
        let of = |name: &str| {
            let found = |name: &str| look_up(name).filter(|value| !value.trim().is_empty());
            found(name).or_else(|| found(&name.to_ascii_lowercase()))
        };
        Self {
            http: of("HTTP_PROXY"),
            https: of("HTTPS_PROXY"),
            all: of("ALL_PROXY"),
            none: of("NO_PROXY"),
        }
    }
}

impl fmt::Debug for ProxySettings {
    /// A proxy's address may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProxySettings")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("all", &self.all.is_some())
            .field("none", &self.none)
            .finish()
    }
}
