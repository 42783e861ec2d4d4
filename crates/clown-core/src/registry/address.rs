//! Where a registry is.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Where a registry is: a folder, or a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A folder of this machine, by its full path.
    Folder(PathBuf),
    /// The address of a folder on a web server, without a slash at its end.
    Web(WebAddress),
}

/// An address that begins with `http://` or `https://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    text: String,
    host: String,
    is_encrypted: bool,
}

/// A text is no address of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address of a registry: {why}")]
pub struct InvalidAddress {
    text: String,
    why: &'static str,
}

impl Address {
    /// `https://…`, `http://…`, `file:///…` or the full path of a folder.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = |why| InvalidAddress {
            text: text.chars().take(200).collect(),
            why,
        };
        if let Some(path) = text.strip_prefix("file://") {
            let path = path.strip_prefix("localhost").unwrap_or(path);
            return match decoded(path) {
                Some(path) if path.starts_with('/') => Ok(Self::Folder(PathBuf::from(path))),
                _ => Err(invalid("behind file:// stands the full path of a folder")),
            };
        }
        if text.starts_with('/') {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        WebAddress::parse(text).map(Self::Web).map_err(invalid)
    }

    /// As the database knows it: what is the same place is the same text.
    pub fn as_text(&self) -> String {
        match self {
            Self::Folder(path) => format!("file://{}", path.display()),
            Self::Web(address) => address.text.clone(),
        }
    }

    /// What answers, for people: a host, or a folder.
    pub fn host(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::Web(address) => address.host.clone(),
        }
    }

    /// Whether what comes from there is what is there, also without a signature.
    pub fn is_authentic(&self) -> bool {
        match self {
            Self::Folder(_) => true,
            Self::Web(address) => address.is_authentic(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(formatter, "{}", path.display()),
            Self::Web(address) => formatter.write_str(&address.text),
        }
    }
}

impl WebAddress {
    /// Without name and password, query or fragment: none of them belongs into an address that is
    /// shown, logged and put before other paths.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (is_encrypted, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => {
                return Err(
                    "it begins with https://, http:// or file://, or is the full path of a folder",
                );
            }
        };
        if text.contains(|c: char| c.is_ascii_control() || c == ' ' || !c.is_ascii()) {
            return Err("it holds blanks or other letters than an address has");
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("it holds a name or a password: keep them out, it is shown and logged");
        }
        if rest.contains(['?', '#']) {
            return Err("it has a query or a fragment: paths are put behind it");
        }
        if host_of(authority).is_empty() {
            return Err("it names no host");
        }
        Ok(Self {
            text: text.trim_end_matches('/').to_owned(),
            host: authority.to_ascii_lowercase(),
            is_encrypted,
        })
    }

    /// Whether nobody on the way can change what comes from there.
    fn is_authentic(&self) -> bool {
        self.is_encrypted || self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        let host = host_of(&self.host);
        host == "localhost"
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

/// Without port and brackets.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Undoes percent encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

/// The file `path` below `folder`. The parts come from checked names only.
pub fn below(folder: &Path, path: &str) -> PathBuf {
    path.split('/')
        .fold(folder.to_owned(), |path, part| path.join(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_understood() {
        let check = |text: &str, shown: &str, host: &str, authentic: bool| {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(address.host(), host, "{text}");
            assert_eq!(address.is_authentic(), authentic, "{text}");
        };
        check(
            "https://a.example/r/",
            "https://a.example/r",
            "a.example",
            true,
        );
        check(
            "http://a.example:80",
            "http://a.example:80",
            "a.example:80",
            false,
        );
        check(
            "http://127.0.0.1:1/r",
            "http://127.0.0.1:1/r",
            "127.0.0.1:1",
            true,
        );
        check("http://[::1]:1", "http://[::1]:1", "[::1]:1", true);
        check(
            "http://localhost/r",
            "http://localhost/r",
            "localhost",
            true,
        );
        check(
            "file:///srv/my%20registry",
            "/srv/my registry",
            "/srv/my registry",
            true,
        );
        check("/srv/registry", "/srv/registry", "/srv/registry", true);
    }

    #[test]
    fn addresses_that_are_not() {
        for text in [
            "",
            "example.org",
            "srv/registry",
            "ftp://a.example",
            "file://host/x",
            "https://",
            "https://:1/x",
            "https://me:secret@a.example",
            "https://a.example/?token=1",
            "https://a.example/#x",
            "https://a.example/a b",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }
}
