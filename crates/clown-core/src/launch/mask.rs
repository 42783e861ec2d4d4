//! Keeping secrets out of what is shown of a run.

use serde_json::Value;

/// What stands in place of a secret.
pub const MASK: &str = "********";

/// Whether a variable of this name usually holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 8] = [
        "KEY",
        "APIKEY",
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "CREDENTIAL",
        "AUTHORIZATION",
    ];
    // A limit on tokens is no secret.
    let name = name.to_ascii_uppercase();
    name.split(['_', '-', '.'])
        .any(|part| WORDS.contains(&part))
}

/// The value with every text in it masked; tables keep their names.
pub fn masked(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), masked(member)))
            .collect(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::String(text) if text.is_empty() => Value::String(String::new()),
        _ => MASK.into(),
    }
}

/// An address without what may be a secret in it: who asks (`user:password@`), and what its query
/// and fragment say. Names in a query stay.
pub fn address(url: &str) -> String {
    address_with(url, MASK)
}

/// The same with nothing in place of what may be a secret.
pub fn bare_address(url: &str) -> String {
    address_with(url, "")
}

/// Whether an address says who asks, by `user@` or `user:password@`.
pub fn names_who_asks(url: &str) -> bool {
    let (before, _) = split_at_query(url);
    let (_, rest) = split_at_authority(before);
    rest.split('/').next().unwrap_or_default().contains('@')
}

fn address_with(url: &str, shown: &str) -> String {
    let (before, query) = split_at_query(url);
    let (scheme, rest) = split_at_authority(before);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut told = scheme.to_owned();
    if let Some((_, host)) = authority.rsplit_once('@') {
        told.push_str(shown);
        told.push('@');
        told.push_str(host);
    } else {
        told.push_str(authority);
    }
    told.push_str(path);
    for piece in query.split_inclusive(['?', '&', '#']) {
        let (text, sign) = match piece.strip_suffix(['?', '&', '#']) {
            Some(text) => (text, &piece[text.len()..]),
            None => (piece, ""),
        };
        match text.split_once('=') {
            Some((name, value)) => {
                told.push_str(name);
                told.push('=');
                told.push_str(if value.is_empty() { "" } else { shown });
            }
            None if text.is_empty() => {}
            // A name without a value, or a secret without a name.
            None => told.push_str(shown),
        }
        told.push_str(sign);
    }
    told
}

/// What comes before the query or fragment, and these with their sign.
fn split_at_query(url: &str) -> (&str, &str) {
    url.split_at(url.find(['?', '#']).unwrap_or(url.len()))
}

/// The scheme with its slashes, and what follows.
fn split_at_authority(before_query: &str) -> (&str, &str) {
    let start = before_query.find("://").map_or(0, |at| at + 3);
    before_query.split_at(start)
}

/// The text with each of these secrets masked. Short ones count only as the whole text: they would
/// be found in words that have nothing to do with them.
pub fn without(text: &str, secrets: &[&str]) -> String {
    const LONG: usize = 6;
    let mut text = text.to_owned();
    for secret in secrets {
        if text == *secret && !secret.is_empty() {
            return MASK.to_owned();
        }
        if secret.len() >= LONG {
            text = text.replace(secret, MASK);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_secrets() {
        let check = |name: &str, secret: bool| assert_eq!(is_secret_name(name), secret, "{name}");
        check("ANTHROPIC_API_KEY", true);
        check("github_token", true);
        check("X-Api-Key", true);
        check("Authorization", true);
        check("MAX_THINKING_TOKENS", false);
        check("KEYBOARD", false);
        check("API_TIMEOUT_MS", false);
    }

    #[test]
    fn addresses() {
        let check = |url: &str, shown: &str, bare: &str| {
            assert_eq!(address(url), shown, "{url}");
            assert_eq!(bare_address(url), bare, "{url}");
            assert_eq!(names_who_asks(url), shown.contains('@'), "{url}");
        };
        let unchanged = |url: &str| check(url, url, url);
        unchanged("https://x.example:8080/mcp");
        unchanged("https://x.example");
        unchanged("https://x/?");
        unchanged("https://x/?a=&b=");
        check(
            "https://me:s3cret@x:1/a",
            "https://********@x:1/a",
            "https://@x:1/a",
        );
        check(
            "https://s3@cret@x?t=s3cret@y",
            "https://********@x?t=********",
            "https://@x?t=",
        );
        check(
            "https://x/a?token=s3/cret=&n=1",
            "https://x/a?token=********&n=********",
            "https://x/a?token=&n=",
        );
        check("https://x?s3cret", "https://x?********", "https://x?");
        check(
            "https://x#s3cret?a=s3cret",
            "https://x#********?a=********",
            "https://x#?a=",
        );
        assert!(!names_who_asks("https://x/@scope/a"));
        assert_eq!(address("https://x/@scope/a"), "https://x/@scope/a");
    }

    #[test]
    fn values_and_texts() {
        assert_eq!(
            masked(&json!({"a": "x", "b": [1, "y", ""], "c": {"d": true}})),
            json!({"a": MASK, "b": [MASK, MASK, ""], "c": {"d": MASK}})
        );
        let check = |text: &str, secrets: &[&str], expected: &str| {
            assert_eq!(without(text, secrets), expected, "{text} {secrets:?}");
        };
        check("a=s3cret-1;b", &["s3cret-1"], "a=********;b");
        check("1", &["1"], MASK);
        check("127.0.0.1", &["1"], "127.0.0.1");
        check("", &[""], "");
    }
}
