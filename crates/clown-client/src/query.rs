use std::fmt::Write as _;

/// A path with a query, built member by member.
#[derive(Debug)]
pub(crate) struct Target {
    text: String,
    has_query: bool,
}

impl Target {
    pub(crate) fn new(path: &str) -> Self {
        Self {
            text: path.to_owned(),
            has_query: false,
        }
    }

    /// Adds `name=value`, with what would end or split the value escaped.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.push_str(name);
        self.text.push('=');
        push_escaped(&mut self.text, value, is_query_char);
        self
    }

    /// Adds a comma-separated list, or nothing for an empty one.
    pub(crate) fn with_list(self, name: &str, values: &[String]) -> Self {
        if values.is_empty() {
            self
        } else {
            self.with(name, &values.join(","))
        }
    }

    pub(crate) fn into_string(self) -> String {
        self.text
    }
}

/// One segment of a path, escaped. A segment that a path resolver would walk is escaped too.
pub(crate) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    if text == "." || text == ".." {
        return text.replace('.', "%2E");
    }
    push_escaped(&mut escaped, text, is_unreserved);
    escaped
}

fn push_escaped(out: &mut String, text: &str, keep: fn(u8) -> bool) {
    for byte in text.bytes() {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_query_char(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'*' | b',' | b':' | b'/' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let check = |members: &[(&str, &str)], expected: &str| {
            let target = members
                .iter()
                .fold(Target::new("/ws"), |target, (name, value)| {
                    target.with(name, value)
                });
            assert_eq!(target.into_string(), expected);
        };
        check(&[], "/ws");
        check(
            &[("events", "Proxy*,ProfileCreated")],
            "/ws?events=Proxy*,ProfileCreated",
        );
        check(
            &[("a", "x&y=z #?"), ("b", "é+")],
            "/ws?a=x%26y%3Dz%20%23%3F&b=%C3%A9%2B",
        );
        check(
            &[("since", "2026-01-08T10:30:00Z")],
            "/ws?since=2026-01-08T10:30:00Z",
        );
        assert_eq!(Target::new("/p").with_list("l", &[]).into_string(), "/p");
    }

    #[test]
    fn segments() {
        for (text, expected) in [
            ("my-project_1.0", "my-project_1.0"),
            ("a/b", "a%2Fb"),
            ("..", "%2E%2E"),
        ] {
            assert_eq!(segment(text), expected);
        }
    }
}
