//! Addresses, and where an answer may send us.

use clown_core::fetch::{FetchError, FetchFailure, shown};
use http::Uri;

/// An `http` or `https` address that can be asked.
#[derive(Debug, Clone)]
pub(crate) struct Address(Uri);

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, FetchError> {
        let wrong = |reason: &str| {
            let reason = reason.to_owned();
            FetchError::new(shown(text), FetchFailure::NotAnAddress { reason })
        };
        // A fragment is for who shows a page.
        let text = text.split('#').next().unwrap_or_default();
        let uri: Uri = text
            .parse()
            .map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("it begins with neither https:// nor http://"));
        }
        match uri.authority() {
            None => Err(wrong("it has no host")),
            Some(authority) if authority.as_str().contains('@') => {
                Err(wrong("it holds a user or a password"))
            }
            Some(authority) if authority.host().is_empty() => Err(wrong("it has no host")),
            Some(_) => Ok(Self(uri)),
        }
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }

    /// For messages: with the port if the address names one.
    pub(crate) fn host(&self) -> String {
        self.0
            .authority()
            .map_or_else(String::new, |authority| authority.as_str().to_owned())
    }

    /// Where `location` leads from here, if we go there: to the same host and port, and at most
    /// from `http` to `https`.
    pub(crate) fn follow(&self, location: &str) -> Result<Self, FetchError> {
        let target = self.resolve(location);
        let refused = || {
            FetchError::new(
                self.host(),
                FetchFailure::RedirectRefused { to: shown(&target) },
            )
        };
        let there = Self::parse(&target).map_err(|_| refused())?;
        let same_host = there
            .0
            .host()
            .zip(self.0.host())
            .is_some_and(|(there, here)| there.eq_ignore_ascii_case(here));
        let same_scheme = there.0.scheme_str() == self.0.scheme_str();
        let same_port = there.port() == self.port();
        let safer = (self.0.scheme_str(), self.port()) == (Some("http"), 80)
            && (there.0.scheme_str(), there.port()) == (Some("https"), 443);
        if same_host && ((same_scheme && same_port) || safer) {
            Ok(there)
        } else {
            Err(refused())
        }
    }

    fn port(&self) -> u16 {
        let usual = match self.0.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        self.0.port_u16().unwrap_or(usual)
    }

    /// `location` may leave out whatever is as in this address.
    fn resolve(&self, location: &str) -> String {
        let scheme = self.0.scheme_str().unwrap_or("http");
        let path = self.0.path();
        if location.contains("://") {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else if location.starts_with('/') {
            format!("{scheme}://{}{location}", self.host())
        } else if location.starts_with('?') {
            format!("{scheme}://{}{path}{location}", self.host())
        } else {
            let folder = &path[..path.rfind('/').map_or(0, |at| at + 1)];
            format!("{scheme}://{}{folder}{location}", self.host())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_told_without_its_secrets() {
        let check = |text: &str, part: &str| {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("secret"), "{error}");
        };
        check("ftp://a.example/", "ftp://a.example/ is no address");
        check("a.example", "neither https:// nor http://");
        check("https://me:secret@a.example/", "a user or a password");
        check("https://a.example/ x?secret", "is no address");
        check("", "is no address");
    }

    #[test]
    fn only_the_same_host_is_followed() {
        let check = |from: &str, location: &str, expected: &str| {
            let told = match Address::parse(from).unwrap().follow(location) {
                Ok(address) => address.uri().to_string(),
                Err(error) => match error.failure {
                    FetchFailure::RedirectRefused { to } => format!("not to {to}"),
                    other => panic!("{other:?}"),
                },
            };
            assert_eq!(told, expected);
        };
        check("http://a.example/x/y", "/z?q", "http://a.example/z?q");
        check("http://a.example/x/y", "z", "http://a.example/x/z");
        check("http://a.example/x/y?q", "?r", "http://a.example/x/y?r");
        check("http://a.example/x", "//A.example/z", "http://A.example/z");
        check(
            "http://a.example/x",
            "//b.example/z",
            "not to http://b.example/z",
        );
        check(
            "http://a.example/x",
            "https://a.example/x",
            "https://a.example/x",
        );
        check(
            "https://a.example/x",
            "http://a.example/x",
            "not to http://a.example/x",
        );
        check(
            "http://a.example:8/x",
            "http://a.example:9/x",
            "not to http://a.example:9/x",
        );
        check(
            "http://a.example:8/x",
            "https://a.example/x",
            "not to https://a.example/x",
        );
        check(
            "https://a.example/x",
            "https://u:p@a.example/?s",
            "not to https://a.example/",
        );
        check(
            "https://a.example/x",
            "file:///etc/passwd",
            "not to file:///etc/passwd",
        );
    }
}
