use clown_events::{Timestamp, parse_duration};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A point of the event stream from which to read.
///
/// Parsed from a sequence number, `now`, a duration back from now (`90s`, `10m`, `1h30m`, `7d`), or
/// an RFC 3339 time.
///
/// ```
/// use clown_client::Since;
/// use std::time::Duration;
///
/// assert_eq!("1767868200123456".parse(), Ok(Since::Seq(1_767_868_200_123_456)));
/// assert_eq!("now".parse(), Ok(Since::Now));
/// assert_eq!("10m".parse(), Ok(Since::Ago(Duration::from_secs(600))));
/// assert!("2026-01-08T10:30:00Z".parse::<Since>().is_ok());
/// assert!("yesterday".parse::<Since>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Since {
    /// From now on.
    Now,
    /// Everything after this number; 0 is everything that is retained.
    Seq(u64),
    /// Everything after this time.
    Time(Timestamp),
    /// Everything of this last stretch of time.
    Ago(Duration),
}

impl Since {
    /// The same point, said so that it still means the same later: a stretch of time back from
    /// now becomes a time.
    ///
    /// ```
    /// use clown_client::Since;
    ///
    /// let now = "2026-01-08T10:30:00Z".parse()?;
    /// let since: Since = "10m".parse()?;
    /// assert_eq!(since.pinned(now).to_string(), "2026-01-08T10:20:00Z");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pinned(self, now: Timestamp) -> Self {
        let Self::Ago(duration) = self else {
            return self;
        };
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let then = now.unix_millis().saturating_sub(millis);
        // Nothing was recorded before 1970, so that is "everything".
        let start = Timestamp::from_unix_millis(then.max(0)).unwrap_or(Timestamp::MIN);
        Self::Time(start)
    }
}

impl fmt::Display for Since {
    /// As the daemon takes it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => formatter.write_str("now"),
            Self::Seq(seq) => write!(formatter, "{seq}"),
            Self::Time(time) => time.fmt(formatter),
            Self::Ago(duration) => write!(formatter, "{}ms", duration.as_millis()),
        }
    }
}

/// The text names no point of the stream.
///
/// ```
/// let error = "soon".parse::<clown_client::Since>().unwrap_err();
/// assert!(error.to_string().contains("10m"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a point of the stream; give a sequence number, `now`, a duration such as 10m, \
     or a time such as 2026-01-08T10:30:00Z"
)]
pub struct ParseSinceError {
    text: String,
}

impl FromStr for Since {
    type Err = ParseSinceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Ok(seq) = text.parse() {
            return Ok(Self::Seq(seq));
        }
        if let Some(duration) = parse_duration(text) {
            return Ok(Self::Ago(duration));
        }
        text.parse().map(Self::Time).map_err(|_| ParseSinceError {
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn texts() {
        let check = |text: &str, expected: Option<Since>| {
            assert_eq!(text.parse::<Since>().ok(), expected, "{text}");
        };
        let seconds = |seconds| Some(Since::Ago(Duration::from_secs(seconds)));
        check("0", Some(Since::Seq(0)));
        check("90s", seconds(90));
        check("2h", seconds(7200));
        check("1d", seconds(86_400));
        check("1h30m", seconds(5400));
        check("500ms", Some(Since::Ago(Duration::from_millis(500))));
        check(
            "2026-01-08T12:30:00+02:00",
            Some(Since::Time(time("2026-01-08T10:30:00Z"))),
        );
        for wrong in [
            "",
            "-1",
            "m",
            "10x",
            "1.5h",
            "Now",
            "99999999999999999999",
            "2026-01-08",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_duration_is_pinned_to_a_time_that_stays() {
        let now = time("2026-01-08T10:30:00Z");
        let pinned = Since::Ago(Duration::from_secs(600)).pinned(now);
        assert_eq!(pinned.to_string(), "2026-01-08T10:20:00Z");
        assert_eq!(Since::Seq(7).pinned(now), Since::Seq(7));
        let ages = Since::Ago(Duration::from_secs(u64::MAX)).pinned(now);
        assert_eq!(ages.to_string(), "1970-01-01T00:00:00Z");
    }
}
