//! Whom the server lets in: by the name it is called, by the page that calls, and by the user or the
//! token behind the connection.

mod credential;
mod place;
mod token;

pub(crate) use credential::SUBPROTOCOL;
pub use token::{InvalidToken, Token};

use crate::http::Refusal;
use crate::peer::Peer;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use place::{Origin, Place};

/// The rules, from the settings.
#[derive(Debug)]
pub(crate) struct Access {
    hosts: Vec<String>,
    origins: Vec<Origin>,
    token: Option<Token>,
}

/// A configured host or origin that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// A host with a scheme, a port or something else that does not belong.
    #[error("{0:?} is no host: give a name or an address alone, such as clown.internal")]
    Host(String),
    /// An origin without a scheme, or with more than scheme, host and port.
    #[error(
        "{0:?} is no origin: give scheme, host and port alone, such as https://clown.internal:8443"
    )]
    Origin(String),
}

impl Access {
    pub(crate) fn new(
        hosts: &[String],
        origins: &[String],
        token: Option<Token>,
    ) -> Result<Self, AccessError> {
        let host = |text: &String| match Place::parse(text) {
            Some(Place { host, port: None }) => Ok(host),
            _ => Err(AccessError::Host(text.clone())),
        };
        let origin =
            |text: &String| Origin::parse(text).ok_or_else(|| AccessError::Origin(text.clone()));
        Ok(Self {
            hosts: hosts.iter().map(host).collect::<Result<_, _>>()?,
            origins: origins.iter().map(origin).collect::<Result<_, _>>()?,
            token,
        })
    }

    /// Refuses a request of somebody who must show the token and does not, and any with a wrong
    /// one. Comes after [`Access::admit`].
    pub(crate) fn authenticate(
        &self,
        peer: Peer,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let needed = match peer {
            _ if credential::is_passed_on(headers) => true,
            Peer::Own => false,
            Peer::Unknowable => !is_reading(method),
            Peer::Other => true,
        };
        credential::check(headers, self.token.as_ref(), needed)
    }

    /// Refuses a request that does not mean this server, or comes from a page that may not do
    /// this. `Ok` names the page's origin when an answer is for a page of another place.
    pub(crate) fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Admitted, Refusal> {
        let host = self.host(uri, headers)?;
        let Some(text) = only(headers, ORIGIN).map_err(|()| foreign_page("several"))? else {
            return Ok(Admitted { page: None });
        };
        let origin = Origin::parse(text).ok_or_else(|| foreign_page(text))?;
        let own = Origin {
            scheme: "http".to_owned(),
            place: host,
        };
        if origin.normal() == own.normal() {
            return Ok(Admitted { page: None });
        }
        let reads = is_reading(method);
        let configured = self
            .origins
            .iter()
            .any(|known| known.normal() == origin.normal());
        if configured || (reads && origin.is_developed_here()) {
            return Ok(Admitted {
                page: Some(text.to_owned()),
            });
        }
        Err(foreign_page(text))
    }

    fn host(&self, uri: &Uri, headers: &HeaderMap) -> Result<Place, Refusal> {
        let text = only(headers, HOST)
            .map_err(|()| {
                malformed_host("the request has several Host headers, or one that is not text")
            })?
            .ok_or_else(|| malformed_host("the request has no Host header"))?;
        let host = Place::parse(text)
            .ok_or_else(|| malformed_host("the Host header is no host and port"))?;
        self.check_host(&host)?;
        // A target that names a host is meant for that one, whatever the header says.
        if let Some(authority) = uri.authority() {
            let named = Place::parse(authority.as_str())
                .ok_or_else(|| malformed_host("the request's target is malformed"))?;
            self.check_host(&named)?;
        }
        Ok(host)
    }

    fn check_host(&self, place: &Place) -> Result<(), Refusal> {
        if place.is_loopback() || self.hosts.contains(&place.host) {
            return Ok(());
        }
        let detail = format!(
            "this server does not answer for the host {:?}; call it localhost, or add the host to [access] hosts in config.toml",
            place.host
        );
        Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign_host",
            detail,
        ))
    }
}

/// A request that may go on.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The origin of a page of another place, to be named in the answer so that it may read it.
    pub(crate) page: Option<String>,
}

/// The header's value, if there is one; an error if there are several or it is not ASCII.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn malformed_host(detail: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "malformed_host", detail)
}

fn foreign_page(origin: &str) -> Refusal {
    let shown: String = origin.chars().take(200).collect();
    let detail = format!(
        "a page of the origin {shown:?} may not do this; whoever runs the daemon can add it to [access] origins in config.toml"
    );
    Refusal::new(StatusCode::FORBIDDEN, "foreign_origin", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(access: &Access, method: &Method, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        match access.admit(method, &Uri::from_static("/ws"), &map) {
            Ok(_) => 200,
            Err(refusal) => refusal.into_response().status().as_u16(),
        }
    }

    #[test]
    fn hosts() {
        let access = Access::new(&["Clown.Internal".to_owned()], &[], None).unwrap();
        let check = |hosts: &[&str], expected: u16| {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(
                status(&access, &Method::GET, &headers),
                expected,
                "{hosts:?}"
            );
        };
        check(&[], 400);
        check(&["localhost", "localhost"], 400);
        for good in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8765",
            "127.9.9.9",
            "[::1]",
            "[::1]:8765",
            "[0:0:0:0:0:0:0:1]",
            "clown.internal:9",
        ] {
            check(&[good], 200);
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
            "127.1",
            "localhost.",
        ] {
            check(&[foreign], 421);
        }
        for malformed in [
            "",
            "a b",
            "localhost:",
            "localhost:x",
            "localhost:65536",
            "user@localhost",
            "[::1",
            "[localhost]",
            "localhost/x",
            "::1",
            "localhost:80:80",
        ] {
            check(&[malformed], 400);
        }
    }

    #[test]
    fn a_target_that_names_a_host_is_checked_too() {
        let access = Access::new(&[], &[], None).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("host", "localhost".parse().unwrap());
        let uri = Uri::from_static("http://evil.example/ws");
        let refusal = access.admit(&Method::GET, &uri, &headers).unwrap_err();
        assert_eq!(
            refusal.into_response().status(),
            StatusCode::MISDIRECTED_REQUEST
        );
    }

    #[test]
    fn origins() {
        let access = Access::new(&[], &["https://app.example".to_owned()], None).unwrap();
        let check = |origin: &str, reading: u16, writing: u16| {
            let headers = [("host", "127.0.0.1:8765"), ("origin", origin)];
            assert_eq!(
                status(&access, &Method::GET, &headers),
                reading,
                "reading, {origin:?}"
            );
            assert_eq!(
                status(&access, &Method::POST, &headers),
                writing,
                "writing, {origin:?}"
            );
        };
        check("http://127.0.0.1:8765", 200, 200);
        check("https://app.example", 200, 200);
        check("https://app.example:443", 200, 200);
        check("http://localhost:5173", 200, 403);
        check("http://127.0.0.1:1", 200, 403);
        check("http://[::1]:3000", 200, 403);
        check("http://localhost", 200, 403);
        for foreign in [
            "null",
            "",
            "http://evil.example",
            "https://localhost:5173",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example:8765",
            "http://127.0.0.2:5173",
            "http://app.example",
            "https://app.example:444",
            "https://app.example.evil.example",
            "https://evil-app.example",
            "http://user@localhost",
            "http://localhost/",
            "http://localhost:5173 http://evil.example",
            "file://",
            "chrome-extension://abc",
            "//localhost",
        ] {
            check(foreign, 403, 403);
        }
        let twice = [
            ("host", "localhost"),
            ("origin", "http://localhost"),
            ("origin", "http://localhost"),
        ];
        assert_eq!(status(&access, &Method::GET, &twice), 403);
    }

    #[test]
    fn host_comes_before_origin() {
        let access = Access::new(&[], &[], None).unwrap();
        assert_eq!(
            status(
                &access,
                &Method::GET,
                &[("host", "evil.example"), ("origin", "null")]
            ),
            421
        );
        assert_eq!(status(&access, &Method::GET, &[("origin", "null")]), 400);
    }

    #[test]
    fn what_is_configured_must_be_a_host_or_an_origin() {
        let host = |text: &str| Access::new(&[text.to_owned()], &[], None).is_ok();
        assert!(host("clown.internal") && host("[fd00::1]"));
        assert!(!host("http://clown.internal") && !host("clown.internal:80") && !host(""));
        let origin = |text: &str| Access::new(&[], &[text.to_owned()], None).is_ok();
        assert!(origin("https://a.example:8443"));
        assert!(
            !origin("a.example")
                && !origin("https://a.example/path")
                && !origin("*")
                && !origin("null")
        );
    }
}
