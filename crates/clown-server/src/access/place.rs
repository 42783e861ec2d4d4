//! What a `Host` or an `Origin` names.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Where a page comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: String,
    pub(super) place: Place,
}

/// A host in lower case, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Origin {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, place) = text.split_once("://")?;
        let known = !scheme.is_empty()
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        known.then_some(())?;
        Some(Self {
            scheme: scheme.to_ascii_lowercase(),
            place: Place::parse(place)?,
        })
    }

    /// What is compared: scheme, host and port, with the port that a scheme implies.
    pub(super) fn normal(&self) -> (&str, &str, Option<u16>) {
        let implied = match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        (&self.scheme, &self.place.host, self.place.port.or(implied))
    }

    /// A page that a person develops on this machine.
    pub(super) fn is_developed_here(&self) -> bool {
        self.scheme == "http"
            && matches!(
                self.place.host.as_str(),
                "localhost" | "127.0.0.1" | "[::1]"
            )
    }
}

impl Place {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let end = match text.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.split_once(']')?.0;
                inner.parse::<Ipv6Addr>().ok()?;
                inner.len() + 2
            }
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(end);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if host.is_empty() || !(host.starts_with('[') || host.bytes().all(plain)) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits)
                if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    pub(super) fn is_loopback(&self) -> bool {
        let inner = self
            .host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        match inner {
            Some(address) => address
                .parse()
                .is_ok_and(|address: Ipv6Addr| address.is_loopback()),
            None => {
                self.host == "localhost"
                    || self
                        .host
                        .parse()
                        .is_ok_and(|address: Ipv4Addr| address.is_loopback())
            }
        }
    }
}
