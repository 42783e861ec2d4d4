//! A point of the stream as a client names it.

use clown_core::Seq;
use clown_core::journal;
use clown_core::store::{Store, StoreError};
use clown_events::{MAX_SEQ, Timestamp};

/// `since` in an address: a number, `now`, a duration, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    Seq(Seq),
    Now,
    Time(Timestamp),
}

impl Since {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse() {
                Ok(number) if number <= MAX_SEQ => Ok(Self::Seq(Seq(number))),
                _ => Err(format!(
                    "{text} is too large for a number of an event; the largest is {MAX_SEQ}"
                )),
            };
        }
        if let Some(duration) = clown_events::parse_duration(text) {
            let ago = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            let millis = Timestamp::now().unix_millis().saturating_sub(ago);
            return Ok(Self::Time(
                Timestamp::from_unix_millis(millis).unwrap_or(Timestamp::MIN),
            ));
        }
        text.parse().map(Self::Time).map_err(|_| {
            format!("{text:?} is no point of the stream; give an event's number, now, a duration such as 10m, or a time such as 2026-01-08T10:30:00Z")
        })
    }

    /// The number behind which this begins. Blocks.
    pub(crate) fn resolve(self, store: &Store) -> Result<Seq, StoreError> {
        match self {
            Self::Seq(seq) => Ok(seq),
            Self::Now => Ok(store.head()),
            Self::Time(time) => journal::before_time(store, time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_number_a_time_or_now() {
        assert_eq!(Since::parse("0"), Ok(Since::Seq(Seq(0))));
        assert_eq!(
            Since::parse("1767868200123456"),
            Ok(Since::Seq(Seq(1_767_868_200_123_456)))
        );
        assert_eq!(Since::parse("now"), Ok(Since::Now));
        let time = "2026-01-08T10:30:00Z";
        assert_eq!(Since::parse(time), Ok(Since::Time(time.parse().unwrap())));
        assert_eq!(
            Since::parse("2026-01-08T11:30:00+01:00"),
            Since::parse(time)
        );
        let Ok(Since::Time(ago)) = Since::parse("10m") else {
            panic!("a duration is a time");
        };
        let passed = Timestamp::now().unix_millis() - ago.unix_millis();
        assert!((600_000..660_000).contains(&passed), "{passed}");
        assert_eq!(Since::parse("9999999w"), Ok(Since::Time(Timestamp::MIN)));
    }

    #[test]
    fn anything_else_is_an_error_that_shows_it() {
        for text in [
            "",
            "-1",
            "NOW",
            "yesterday",
            "9007199254740992",
            "99999999999999999999",
            "1.5",
        ] {
            let error = Since::parse(text).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
