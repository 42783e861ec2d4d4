use std::fmt;

/// The number of an event. Strictly increasing, never given twice, below 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// Before every event.
    pub const START: Self = Self(0);

    /// The number behind this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// For SQLite, whose integers are signed. Numbers stay below 2^53, so nothing is cut off.
    pub(crate) fn to_sql(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// From SQLite. A negative number is none that this program has written.
    pub(crate) fn from_sql(value: i64) -> Self {
        Self(u64::try_from(value).unwrap_or(0))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
