use crate::MASK;

/// An address without what may be a secret in it: who asks (`user:password@`), what its query
/// and fragment say, and what in its path is no word. Names in a query stay.
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
    told.push_str(&shown_path(path, shown));
    for piece in query.split_inclusive(['?', '&', '#']) {
        let (text, sign) = match piece.strip_suffix(['?', '&', '#']) {
            Some(text) => (text, &piece[text.len()..]),
            None => (piece, ""),
        };
        match text.split_once('=') {
            Some((name, value)) => {
                told.push_str(name);
                told.push('=');
                // A variable that an agent fills in is none itself, and is worth knowing.
                let is_shown = value.is_empty() || value.starts_with('$');
                told.push_str(if is_shown { value } else { shown });
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

/// Some servers tell people apart by a long part of the path that nobody can guess.
fn shown_path(path: &str, shown: &str) -> String {
    let pieces = path.split_inclusive('/').map(|piece| {
        let (text, sign) = match piece.strip_suffix('/') {
            Some(text) => (text, "/"),
            None => (piece, ""),
        };
        let text = if is_random(text) { shown } else { text };
        format!("{text}{sign}")
    });
    pieces.collect()
}

/// Whether a text has a part that is long, and letters and digits at once, as random ones have.
fn is_random(text: &str) -> bool {
    const LONG: usize = 16;
    let is_mixed = |part: &str| {
        let (digits, letters) = part.bytes().fold((0, 0), |(digits, letters), byte| {
            (
                digits + usize::from(byte.is_ascii_digit()),
                letters + usize::from(byte.is_ascii_alphabetic()),
            )
        });
        digits >= 2 && letters >= 2
    };
    let is_uuid = || {
        text.len() == 36
            && text.split('-').count() == 5
            && text
                .bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    text.split(['-', '_', '.', ':', '~'])
        .any(|part| part.len() >= LONG && is_mixed(part))
        || is_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        unchanged("https://x/?k=${ANTHROPIC_API_KEY}");
        check("https://x?s3cret", "https://x?********", "https://x?");
        check(
            "https://x#s3cret?a=s3cret",
            "https://x#********?a=********",
            "https://x#?a=",
        );
        check(
            "https://x/s/pk3n8fQz71LmVw0aTr9e/mcp?a=",
            "https://x/s/********/mcp?a=",
            "https://x/s//mcp?a=",
        );
        check(
            "https://x/key-4f0e1c2ab3d94c5e8f6a/mcp",
            "https://x/********/mcp",
            "https://x//mcp",
        );
        check(
            "https://x/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "https://x/********",
            "https://x/",
        );
        unchanged("https://x/api/v1/model-context-protocol/claude-3-5-sonnet-20241022");
        unchanged("https://x/internationalization/1234567890123456/mcp");
        assert!(!names_who_asks("https://x/@scope/a"));
        assert_eq!(address("https://x/@scope/a"), "https://x/@scope/a");
    }
}
