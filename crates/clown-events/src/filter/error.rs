use std::fmt;

use super::MAX_NAMES;
use crate::{ErrorCode, EventKind};

/// Why a filter was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// A pattern is neither a name nor a prefix with `*`.
    InvalidPattern {
        /// The pattern as it was given.
        pattern: String,
    },
    /// A profile's alias is not well formed.
    InvalidProfile {
        /// The alias as it was given.
        profile: String,
    },
    /// No known event has this name or prefix.
    UnknownName {
        /// The name or pattern as it was given.
        name: String,
        /// The known name or pattern that was probably meant, if any is close.
        nearest: Option<String>,
    },
    /// There are more than [`MAX_NAMES`] names or profiles.
    TooMany {
        /// How many there are.
        count: usize,
    },
}

impl FilterError {
    /// The code that a client is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooMany { .. } => ErrorCode::TooMany,
            Self::InvalidPattern { .. }
            | Self::InvalidProfile { .. }
            | Self::UnknownName { .. } => ErrorCode::InvalidEvents,
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidPattern { pattern } => write!(
                formatter,
                "{:?} is no event name; give an exact name such as ProfileCreated, or a prefix such as Profile*",
                shortened(pattern)
            ),
            Self::InvalidProfile { profile } => write!(
                formatter,
                "{:?} is no profile alias; an alias has 1 to 64 letters, digits or . _ - and begins with a letter or digit",
                shortened(profile)
            ),
            Self::UnknownName {
                name,
                nearest: Some(nearest),
            } => {
                write!(
                    formatter,
                    "unknown event type {:?}; did you mean {nearest}?",
                    shortened(name)
                )
            }
            Self::UnknownName {
                name,
                nearest: None,
            } => {
                let known = EventKind::ALL.map(EventKind::name).join(", ");
                write!(
                    formatter,
                    "unknown event type {:?}; the known ones are {known}",
                    shortened(name)
                )
            }
            Self::TooMany { count } => {
                write!(
                    formatter,
                    "{count} names are too many; give at most {MAX_NAMES}, or prefixes with *"
                )
            }
        }
    }
}

impl std::error::Error for FilterError {}

/// The start of a text that a stranger sent, so that an answer does not grow with it.
pub(crate) fn shortened(text: &str) -> &str {
    let end = text
        .char_indices()
        .nth(64)
        .map_or(text.len(), |(index, _)| index);
    &text[..end]
}
