use std::fmt;
use zeroize::Zeroizing;

/// A key. It is wiped from memory when dropped, and never shown: to be used it must be exposed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a key as it is.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The key itself. Keep it short-lived, and out of logs, errors and argument lists.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Why this cannot be a key, if so. An environment holds no NUL, and an HTTP header no other
    /// control character either.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if self.0.is_empty() {
            Some("it is empty")
        } else if self.0.chars().any(char::is_control) {
            Some("it holds a line break or another control character")
        } else if self.0.trim() != self.0.as_str() {
            Some("it begins or ends with a space")
        } else {
            None
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}
