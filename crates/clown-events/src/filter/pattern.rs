use std::fmt;
use std::str::FromStr;

use super::{FilterError, bit};
use crate::kind::nearest;
use crate::{EventGroup, EventKind};

/// An event's exact name, or a prefix of names that ends with `*`.
///
/// A name has 1 to 64 ASCII letters, digits or `_`; `*` alone means every event.
///
/// ```
/// use clown_events::EventPattern;
///
/// let pattern: EventPattern = "Proxy*".parse()?;
/// assert!(pattern.matches_name("ProxyStarted"));
/// assert!(!pattern.matches_name("UsageUpdated"));
/// # Ok::<(), clown_events::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventPattern {
    text: String,
}

impl EventPattern {
    /// The pattern `*`.
    #[must_use]
    pub fn all() -> Self {
        Self {
            text: "*".to_owned(),
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it means every event.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.text == "*"
    }

    /// Whether it means the event of this name, known or not.
    #[must_use]
    pub fn matches_name(&self, name: &str) -> bool {
        match self.prefix() {
            Some(prefix) => name.starts_with(prefix),
            None => name == self.text,
        }
    }

    /// Whether it means everything that the other one means.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self.prefix(), other.prefix()) {
            (Some(wide), Some(narrow)) => narrow.starts_with(wide),
            (_, None) => self.matches_name(&other.text),
            (None, Some(_)) => false,
        }
    }

    /// The known kinds that it means, a bit each.
    pub(super) fn kinds(&self) -> u32 {
        let meant = EventKind::ALL
            .into_iter()
            .filter(|kind| self.matches_name(kind.name()));
        meant.fold(0, |kinds, kind| kinds | bit(kind))
    }

    /// What was probably meant by a pattern that means no known event.
    pub(super) fn nearest(&self) -> Option<String> {
        let kind = |name: &str| {
            nearest(name, &EventKind::ALL, EventKind::name).map(|kind| kind.name().to_owned())
        };
        match self.prefix() {
            Some(prefix) => nearest(prefix, &EventGroup::ALL, EventGroup::name)
                .map(|group| format!("{group}*"))
                .or_else(|| kind(prefix)),
            None => kind(&self.text),
        }
    }

    fn prefix(&self) -> Option<&str> {
        self.text.strip_suffix('*')
    }
}

impl FromStr for EventPattern {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if text.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            return Err(FilterError::InvalidPattern {
                pattern: text.to_owned(),
            });
        }
        Ok(Self {
            text: text.to_owned(),
        })
    }
}

/// The pattern of exactly this kind.
impl From<EventKind> for EventPattern {
    fn from(kind: EventKind) -> Self {
        Self {
            text: kind.name().to_owned(),
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}
