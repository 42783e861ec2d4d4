//! Whether a request shows the local key.

use crate::upstream::CREDENTIALS;
use http::HeaderMap;
use std::hint::black_box;

/// Whether one of the headers that can hold a key holds this one.
pub(super) fn is_shown(headers: &HeaderMap, key: &str) -> bool {
    CREDENTIALS
        .iter()
        .flat_map(|name| headers.get_all(name))
        .any(|value| {
            let value = value.as_bytes();
            let bare = match value.split_at_checked(BEARER.len()) {
                Some((scheme, rest)) if scheme.eq_ignore_ascii_case(BEARER) => rest.trim_ascii(),
                _ => value,
            };
            is_same(bare, key.as_bytes())
        })
}

const BEARER: &[u8] = b"bearer ";

/// The time that it takes tells nothing of where they differ. No key is the empty one.
fn is_same(shown: &[u8], own: &[u8]) -> bool {
    let difference = own.iter().zip(shown).fold(0, |difference, (own, shown)| {
        black_box(difference | (own ^ shown))
    });
    !own.is_empty() && own.len() == shown.len() && black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn the_local_key_in_any_of_three_headers() {
        let check = |header: &str, expected: bool| {
            let (name, value) = header.split_once(": ").unwrap();
            let mut headers = HeaderMap::new();
            let name = HeaderName::try_from(name).unwrap();
            headers.insert(name, HeaderValue::try_from(value).unwrap());
            assert_eq!(is_shown(&headers, "clown-abc"), expected, "{header}");
        };
        check("x-api-key: clown-abc", true);
        check("x-goog-api-key: clown-abc", true);
        check("authorization: Bearer clown-abc", true);
        check("authorization: bearer  clown-abc", true);
        check("authorization: Basic clown-abc", false);
        check("x-api-key: clown-ab", false);
        check("x-api-key: clown-abcd", false);
        check("x-api-key: clown-abC", false);
        check("x-other: clown-abc", false);
        assert!(!is_shown(&HeaderMap::new(), "clown-abc"));
        let mut empty = HeaderMap::new();
        empty.insert("x-api-key", HeaderValue::from_static(""));
        assert!(!is_shown(&empty, ""));
    }
}
