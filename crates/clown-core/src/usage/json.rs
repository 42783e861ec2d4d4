//! A reader of JSON that looks at what is asked for and hops over the rest. Logs hold a few counts
//! among much text: to build a tree of all of it, or to check what nobody reads, is most of the work.
//!
//! What it hops over must be balanced, no more. Every answer is `None` for what is no JSON.

use memchr::memchr2;
use std::borrow::Cow;

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Json<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Beyond so many levels, it is no log.
const MAX_DEPTH: usize = 512;

/// A string as it is written, without its quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// A key, as [`Json::object`] gives it.
    pub(super) fn of_key(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// The bytes, if nothing in them is escaped: for comparing.
    pub(super) fn raw(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// What it means; `None` where it means nothing. What is no character becomes U+FFFD.
    pub(super) fn read(self) -> Option<Cow<'a, str>> {
        if memchr::memchr(b'\\', self.0).is_none() {
            return Some(String::from_utf8_lossy(self.0));
        }
        let mut quoted = Vec::with_capacity(self.0.len() + 2);
        quoted.push(b'"');
        quoted.extend_from_slice(self.0);
        quoted.push(b'"');
        let text = serde_json::from_slice(&quoted).ok();
        text.or_else(|| self.read_in_parts()).map(Cow::Owned)
    }

    /// Of what is half of a character: an agent that cuts texts may cut there.
    fn read_in_parts(self) -> Option<String> {
        let text = String::from_utf8_lossy(self.0);
        let mut units: Vec<u16> = Vec::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            if next != '\\' {
                units.extend(next.encode_utf16(&mut [0; 2]).iter());
                continue;
            }
            units.push(match rest.next()? {
                'u' => {
                    let digits = rest.as_str().get(..4)?;
                    rest = rest.as_str()[4..].chars();
                    u16::from_str_radix(digits, 16).ok()?
                }
                'b' => 8,
                't' => 9,
                'n' => 10,
                'f' => 12,
                'r' => 13,
                same @ ('"' | '\\' | '/') => same as u16,
                _ => return None,
            });
        }
        Some(String::from_utf16_lossy(&units))
    }
}

impl<'a> Json<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.peek()? == expected).then(|| self.at += 1)
    }

    /// What follows.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing follows.
    pub(super) fn ends(&mut self) -> bool {
        self.peek().is_none()
    }

    pub(super) fn is_object(&mut self) -> bool {
        self.peek() == Some(b'{')
    }

    pub(super) fn is_array(&mut self) -> bool {
        self.peek() == Some(b'[')
    }

    /// The members of `text`, as [`Json::object`] gives them. `None` for what is no whole object, or more
    /// than one.
    pub(super) fn whole(
        text: &'a [u8],
        member: impl FnMut(&'a [u8], &mut Self) -> Option<()>,
    ) -> Option<()> {
        let mut json = Self::new(text);
        json.object(member)?;
        json.ends().then_some(())
    }

    /// Calls `member` with each key, at its value, which `member` must take.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&'a [u8], &mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.take(b'"')?;
            let key = self.rest_of_string()?;
            self.take(b':')?;
            member(key.0, self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break self.at += 1,
                _ => return None,
            }
        }
        Some(())
    }

    /// The same of something that need not be an object: anything else is passed over.
    pub(super) fn object_or_skip(
        &mut self,
        member: impl FnMut(&'a [u8], &mut Self) -> Option<()>,
    ) -> Option<()> {
        if self.is_object() {
            self.object(member)
        } else {
            self.skip()
        }
    }

    /// Calls `element` at each element, which `element` must take.
    pub(super) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            element(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break self.at += 1,
                _ => return None,
            }
        }
        Some(())
    }

    /// A string; anything else is passed over and none.
    pub(super) fn text(&mut self) -> Option<Option<Text<'a>>> {
        if self.peek()? != b'"' {
            self.skip()?;
            return Some(None);
        }
        self.at += 1;
        self.rest_of_string().map(Some)
    }

    /// A string; empty for anything else, which is passed over.
    pub(super) fn text_or_empty(&mut self) -> Option<Text<'a>> {
        Some(self.text()?.unwrap_or_default())
    }

    /// A count; anything else is passed over and 0. A fraction is cut off.
    pub(super) fn count(&mut self) -> Option<u64> {
        let first = self.peek()?;
        if !first.is_ascii_digit() {
            self.skip()?;
            return Some(0);
        }
        let start = self.at;
        let mut value: u64 = 0;
        while let Some(digit) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            value = value
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        if matches!(self.bytes.get(self.at), Some(b'.' | b'e' | b'E')) {
            self.skip_plain();
            let text = std::str::from_utf8(&self.bytes[start..self.at]).ok()?;
            // A float beyond what fits becomes the largest.
            value = text.parse::<f64>().ok()? as u64;
        }
        Some(value)
    }

    /// A count; anything else is passed over and none.
    pub(super) fn count_or_none(&mut self) -> Option<Option<u64>> {
        let is_count = self.peek()?.is_ascii_digit();
        let count = self.count()?;
        Some(is_count.then_some(count))
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.rest_of_string().map(drop)
            }
            b'{' | b'[' => self.skip_nested(),
            b'}' | b']' | b',' | b':' => None,
            _ => {
                self.skip_plain();
                Some(())
            }
        }
    }

    /// Numbers, and words such as `null`.
    fn skip_plain(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            if matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') {
                break;
            }
            self.at += 1;
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut open = [0_u64; MAX_DEPTH / 64];
        let mut depth = 0_usize;
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => drop(self.rest_of_string()?),
                b'{' | b'[' => {
                    let word = open.get_mut(depth / 64)?;
                    let bit = 1 << (depth % 64);
                    *word = if byte == b'{' {
                        *word | bit
                    } else {
                        *word & !bit
                    };
                    depth += 1;
                }
                b'}' | b']' => {
                    depth -= 1;
                    let was_object = open[depth / 64] >> (depth % 64) & 1 == 1;
                    if was_object != (byte == b'}') {
                        return None;
                    }
                    if depth == 0 {
                        return Some(());
                    }
                }
                _ => {}
            }
        }
    }

    /// Behind the quote that opens it.
    fn rest_of_string(&mut self) -> Option<Text<'a>> {
        let start = self.at;
        // Most strings are short, and a call costs more than a few comparisons.
        let near = self.bytes.len().min(start + 16);
        loop {
            let byte = if self.at < near {
                let byte = self.bytes[self.at];
                if byte != b'"' && byte != b'\\' {
                    self.at += 1;
                    continue;
                }
                byte
            } else {
                self.at += memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
                self.bytes[self.at]
            };
            if byte == b'"' {
                let text = Text(&self.bytes[start..self.at]);
                self.at += 1;
                return Some(text);
            }
            self.at += 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn members_are_found_among_anything() {
        let text = br#" { "a" : {"deep":[1,{"x":"}]\"{"}]}, "count": 17, "text" :"\u00e4\"b", "b":null,"c":[],"d":{} } "#;
        let mut json = Json::new(text);
        let (mut count, mut found) = (0, None);
        json.object(|key, value| match key {
            b"count" => value.count().map(|value| count = value),
            b"text" => value.text().map(|value| found = value),
            _ => value.skip(),
        })
        .unwrap();
        assert!(json.ends());
        assert_eq!(count, 17);
        assert_eq!(found.unwrap().read().unwrap(), "ä\"b");
    }

    #[test]
    fn what_is_no_json_is_none() {
        let check = |text: &str| {
            let mut json = Json::new(text.as_bytes());
            let whole = json.object(|_, value| value.skip()).is_some() && json.ends();
            assert!(!whole, "{text}");
        };
        for text in [
            "",
            "{",
            r#"{"a""#,
            r#"{"a":"#,
            r#"{"a":1"#,
            r#"{"a":"b}"#,
            r#"{"a":[1,2}"#,
            r#"{"a":{]}"#,
            r#"{"a":1}}"#,
            r#"{"a":1} {"b":2}"#,
            r#"{a:1}"#,
            r#"{"a" 1}"#,
            r#"{"a":}"#,
            r#"{"a":"b\"#,
            "[1]",
            "null",
            r#"{"a":1,}"#,
        ] {
            check(text);
        }
        check(&format!("{{\"a\":{}{}}}", "[".repeat(600), "]".repeat(600)));
    }

    #[test]
    fn counts_are_whole_and_never_too_large() {
        let check = |text: &str, expected: u64| {
            let mut json = Json::new(text.as_bytes());
            assert_eq!(json.count(), Some(expected), "{text}");
            assert!(json.ends(), "{text}");
        };
        check("0", 0);
        check(" 1234 ", 1234);
        check("12.9", 12);
        check("1e3", 1000);
        check("-5", 0);
        check("null", 0);
        check("\"7\"", 0);
        check("{\"a\":1}", 0);
        check("99999999999999999999999", u64::MAX);
        check("1e99", u64::MAX);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,8}", inner, 0..6)
                    .prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_json_is_hopped_over(before in value(), after in value(), text in ".{0,60}") {
            let whole = json!({"before": before, "text": text, "after": after});
            for written in [whole.to_string(), serde_json::to_string_pretty(&whole).unwrap()] {
                let mut json = Json::new(written.as_bytes());
                let mut found = None;
                let read = json.object(|key, value| match key {
                    b"text" => value.text().map(|value| found = value),
                    _ => value.skip(),
                });
                prop_assert!(read.is_some() && json.ends(), "{written}");
                prop_assert_eq!(found.unwrap().read().unwrap(), text.as_str());
            }
        }

        #[test]
        fn no_text_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut json = Json::new(&bytes);
            let _ = json.object(|_, value| value.skip());
            let _ = Json::new(&bytes).skip();
            let _ = Json::new(&bytes).count();
        }
    }
}
