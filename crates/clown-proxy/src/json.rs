//! JSON written straight into bytes, and read without copying what need not be copied.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

/// Writes JSON. A comma is due when the last byte belongs to a value, so no depth is kept.
#[derive(Debug)]
pub(crate) struct Json<'o>(pub(crate) &'o mut Vec<u8>);

impl Json<'_> {
    fn comma(&mut self) {
        if !matches!(
            self.0.last(),
            None | Some(b'{' | b'[' | b':' | b' ' | b'\n')
        ) {
            self.0.push(b',');
        }
    }

    pub(crate) fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.comma();
        self.0.push(b'{');
        fill(self);
        self.0.push(b'}');
    }

    pub(crate) fn array(&mut self, fill: impl FnOnce(&mut Self)) {
        self.comma();
        self.0.push(b'[');
        fill(self);
        self.0.push(b']');
    }

    /// A key of the program's own, which needs no escaping.
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Self {
        self.comma();
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
        self
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.strings(&[text]);
    }

    /// One string out of several pieces, without laying them together first.
    pub(crate) fn strings(&mut self, pieces: &[&str]) {
        self.comma();
        self.0.push(b'"');
        for piece in pieces {
            self.piece(piece);
        }
        self.0.push(b'"');
    }

    /// One string out of texts, with something between them that needs no more escaping.
    pub(crate) fn words<'w, 'a: 'w>(
        &mut self,
        words: impl IntoIterator<Item = &'w Words<'a>>,
        between: &str,
    ) {
        self.comma();
        self.0.push(b'"');
        let start = self.0.len();
        for words in words {
            if self.0.len() > start {
                self.0.extend_from_slice(between.as_bytes());
            }
            match words {
                Words::Escaped(text) => self.0.extend_from_slice(text.as_bytes()),
                Words::Plain(text) => self.piece(text),
            }
        }
        self.0.push(b'"');
    }

    fn piece(&mut self, text: &str) {
        // Whether there is anything to escape is seen faster than it is escaped.
        if text.as_bytes().chunks(64).all(needs_no_escape) {
            self.0.extend_from_slice(text.as_bytes());
            return;
        }
        let quote = self.0.len();
        // Writing a string into a vector cannot fail.
        let _never = serde_json::to_writer(&mut *self.0, text);
        self.0.pop();
        self.0.remove(quote);
    }

    pub(crate) fn raw(&mut self, json: &str) {
        self.comma();
        self.0.extend_from_slice(json.as_bytes());
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.comma();
        let _never = serde_json::to_writer(&mut *self.0, &number);
    }

    pub(crate) fn text_field(&mut self, key: &'static str, text: &str) {
        self.key(key).string(text);
    }

    pub(crate) fn raw_field(&mut self, key: &'static str, json: &str) {
        self.key(key).raw(json);
    }

    pub(crate) fn number_field(&mut self, key: &'static str, number: u64) {
        self.key(key).number(number);
    }
}

/// A string that borrows from what was parsed where it holds no escapes. `null` is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }

            fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }

            // Some give numbers for ids and codes.
            fn visit_u64<E: Error>(self, number: u64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// A value beside the matter: of another shape than was thought, it is as if it were not there, and
/// what stands around it is read all the same.
#[derive(Debug)]
pub(crate) struct Aside<T>(pub(crate) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Aside<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

/// A text that is only handed on: as it stands in the body, escapes and all, or plain. A long
/// conversation is not unescaped and escaped again on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Words<'a> {
    Escaped(&'a str),
    Plain(Cow<'a, str>),
}

impl<'a> Words<'a> {
    /// From a raw value, where that is a string.
    pub(crate) fn from_raw(raw: &'a RawValue) -> Option<Self> {
        let text = raw.get().strip_prefix('"')?.strip_suffix('"')?;
        Some(Self::Escaped(text))
    }

    /// As it is written: good for what can be seen of it without its escapes.
    pub(crate) fn written(&self) -> &str {
        match self {
            Self::Escaped(text) => text,
            Self::Plain(text) => text,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.written().is_empty()
    }

    pub(crate) fn plain(&self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Escaped(text) if !text.contains('\\') => Cow::Borrowed(text),
            // Half of a pair of surrogates has no letter; it stays as it is written.
            Self::Escaped(text) => Cow::Owned(
                serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| (*text).to_owned()),
            ),
        }
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Words<'a> {
    fn from(text: T) -> Self {
        Self::Plain(text.into())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Words<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Words::from_raw(raw).ok_or_else(|| D::Error::custom("a text must be a string"))
    }
}

fn needs_no_escape(bytes: &[u8]) -> bool {
    // Without a way out in the middle, which would keep the compiler from taking many at once.
    bytes.iter().fold(true, |clean, &byte| {
        clean & (byte >= b' ') & (byte != b'"') & (byte != b'\\')
    })
}

/// A count as providers write it: a whole number, a fraction, a string of digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a count")
            }

            fn visit_u64<E: Error>(self, count: u64) -> Result<Count, E> {
                Ok(Count(count))
            }

            fn visit_i64<E: Error>(self, count: i64) -> Result<Count, E> {
                Ok(Count(u64::try_from(count).unwrap_or(0)))
            }

            fn visit_f64<E: Error>(self, count: f64) -> Result<Count, E> {
                // The cast saturates: a negative number and NaN are 0.
                Ok(Count(count as u64))
            }

            fn visit_str<E: Error>(self, count: &str) -> Result<Count, E> {
                Ok(Count(count.parse().unwrap_or(0)))
            }
        }
        deserializer.deserialize_any(CountVisitor)
    }
}

/// The text of a value that is meant to be JSON in a string, and is a bare object where a provider
/// does not know better. `null` is empty.
pub(crate) fn text_of(raw: Option<&RawValue>) -> Cow<'_, str> {
    let Some(raw) = raw.map(RawValue::get) else {
        return Cow::Borrowed("");
    };
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Text<'_>>(raw)
            .map(|text| text.0)
            .unwrap_or_default(),
        Some(b'n') => Cow::Borrowed(""),
        _ => Cow::Borrowed(raw),
    }
}

/// A raw value unless it is `null`.
pub(crate) fn present(raw: Option<&RawValue>) -> Option<&RawValue> {
    raw.filter(|raw| raw.get() != "null")
}
