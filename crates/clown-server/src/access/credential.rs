//! The token in a request, and the requests that need one.

use super::Token;
use crate::http::Refusal;
use http::header::{AUTHORIZATION, FORWARDED, SEC_WEBSOCKET_PROTOCOL, VIA, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

/// The subprotocol of browsers, which cannot set headers at a WebSocket: the token stands behind it
/// as a second one.
pub(crate) const SUBPROTOCOL: &str = "clown.bearer";

/// Whether somebody has passed the request on. Then the connection says who that was, and not who
/// asks.
pub(super) fn is_passed_on(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| *name == FORWARDED || *name == VIA || name.as_str().starts_with("x-forwarded"))
}

/// Refuses a request without the token where that is `needed`, and one with another token always.
pub(super) fn check(
    headers: &HeaderMap,
    token: Option<&Token>,
    needed: bool,
) -> Result<(), Refusal> {
    let mut shown = bearer(headers).chain(subprotocol(headers)).peekable();
    if shown.peek().is_none() {
        return if needed { Err(missing()) } else { Ok(()) };
    }
    let right = |shown: &str| token.is_some_and(|token| token.is(shown));
    if shown.all(right) {
        Ok(())
    } else {
        Err(wrong())
    }
}

/// What stands behind `Bearer`; other schemes mean nothing here.
fn bearer(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim_matches(' '))
    })
}

/// What stands behind [`SUBPROTOCOL`].
fn subprotocol(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let mut offered = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim);
    let found = offered.any(|name| name == SUBPROTOCOL);
    found.then(|| offered.next()).flatten().into_iter()
}

fn missing() -> Refusal {
    refuse(
        "token_missing",
        "you are not known to this daemon by your user, so it needs its token: send `Authorization: Bearer TOKEN` with what the file `token` in the daemon's state folder holds",
        "Bearer realm=\"clown\"",
    )
}

fn wrong() -> Refusal {
    refuse(
        "token_wrong",
        "that is not this daemon's token: it stands in the file `token` in the daemon's state folder",
        "Bearer realm=\"clown\", error=\"invalid_token\"",
    )
}

fn refuse(code: &'static str, detail: &str, challenge: &'static str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, code, detail)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = list
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    }

    #[test]
    fn a_token_is_right_wrong_or_missing() {
        let token = Token::new(TOKEN).unwrap();
        let check = |list: &[(&'static str, &str)], needed: bool, expected: &str| {
            let said = match check(&headers(list), Some(&token), needed) {
                Ok(()) => "ok".to_owned(),
                Err(refusal) => format!("{refusal:?}"),
            };
            assert!(said.contains(expected), "{list:?}: {said}");
            assert!(!said.contains(TOKEN), "{said}");
        };
        let right = format!("Bearer {TOKEN}");
        let pair = format!("clown.bearer, {TOKEN}");
        check(&[], true, "token_missing");
        check(&[], false, "ok");
        for needed in [true, false] {
            check(&[("authorization", &right)], needed, "ok");
            check(
                &[("authorization", &format!("bearer  {TOKEN} "))],
                needed,
                "ok",
            );
            check(&[("sec-websocket-protocol", &pair)], needed, "ok");
            check(
                &[
                    ("sec-websocket-protocol", "clown.bearer"),
                    ("sec-websocket-protocol", TOKEN),
                ],
                needed,
                "ok",
            );
            check(&[("authorization", "Bearer x")], needed, "token_wrong");
            check(&[("authorization", "Bearer ")], needed, "token_wrong");
            check(
                &[("authorization", &right), ("authorization", "Bearer x")],
                needed,
                "token_wrong",
            );
            check(
                &[("sec-websocket-protocol", "clown.bearer, x")],
                needed,
                "token_wrong",
            );
            check(
                &[
                    ("authorization", "Bearer x"),
                    ("sec-websocket-protocol", &pair),
                ],
                needed,
                "token_wrong",
            );
        }
        check(&[("authorization", "Basic x")], false, "ok");
        check(&[("authorization", "Basic x")], true, "token_missing");
        check(
            &[("sec-websocket-protocol", "clown.bearer")],
            true,
            "token_missing",
        );
        check(&[("sec-websocket-protocol", TOKEN)], true, "token_missing");
    }

    #[test]
    fn without_a_token_nobody_has_the_right_one() {
        let shown = headers(&[("authorization", "Bearer ")]);
        assert!(check(&shown, None, true).is_err());
        assert!(check(&headers(&[]), None, true).is_err());
    }

    #[test]
    fn what_proxies_add_shows_that_a_request_was_passed_on() {
        for name in [
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
        ] {
            assert!(is_passed_on(&headers(&[(name, "x")])), "{name}");
        }
        assert!(!is_passed_on(&headers(&[("x-real", "x"), ("host", "x")])));
    }
}
