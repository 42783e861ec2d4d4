use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// A moment in UTC, exact to the millisecond.
///
/// It is written as RFC 3339 with `Z`; the fraction has three digits, or is left out when it is zero. Every RFC 3339
/// time can be read: other offsets are converted, and what is finer than a millisecond is cut off. The years go from 0
/// to 9999, as RFC 3339 has no others.
///
/// ```
/// use clown_events::Timestamp;
///
/// let moment: Timestamp = "2026-01-08T11:30:00.250999+01:00".parse()?;
/// assert_eq!(moment.to_string(), "2026-01-08T10:30:00.250Z");
/// assert_eq!(moment.unix_millis(), 1_767_868_200_250);
/// # Ok::<(), clown_events::TimestampError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_millis: i64,
}

impl Timestamp {
    /// The first moment of the year 0.
    pub const MIN: Timestamp = Timestamp {
        unix_millis: -62_167_219_200_000,
    };
    /// The last millisecond of the year 9999.
    pub const MAX: Timestamp = Timestamp {
        unix_millis: 253_402_300_799_999,
    };

    /// The present moment by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        OffsetDateTime::now_utc().into()
    }

    /// The moment so many milliseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`TimestampError::OutOfRange`] outside the years 0 to 9999.
    pub fn from_unix_millis(unix_millis: i64) -> Result<Self, TimestampError> {
        let moment = Self { unix_millis };
        if (Self::MIN..=Self::MAX).contains(&moment) {
            Ok(moment)
        } else {
            Err(TimestampError::OutOfRange)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.unix_millis
    }
}

/// Cuts off what is finer than a millisecond. A moment outside the years 0 to 9999 becomes [`Timestamp::MIN`] or
/// [`Timestamp::MAX`].
impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        let unix_millis = whole_millis(moment).clamp(Self::MIN.unix_millis, Self::MAX.unix_millis);
        Self { unix_millis }
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(moment: Timestamp) -> Self {
        // The sum cannot leave the years that `time` holds: they are more than 0 to 9999.
        OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(moment.unix_millis)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let moment =
            OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError::Malformed)?;
        Self::from_unix_millis(whole_millis(moment))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from(*self);
        let (year, month, day) = (moment.year(), u8::from(moment.month()), moment.day());
        let (hour, minute, second, millisecond) = moment.to_hms_milli();
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if millisecond != 0 {
            write!(formatter, ".{millisecond:03}")?;
        }
        formatter.write_str("Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Timestamp({self})")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rfc3339Text;

        impl de::Visitor<'_> for Rfc3339Text {
            type Value = Timestamp;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an RFC 3339 time, such as \"2026-01-08T10:30:00Z\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(|error| match error {
                    TimestampError::Malformed => E::invalid_value(de::Unexpected::Str(text), &self),
                    TimestampError::OutOfRange => E::custom(error),
                })
            }
        }

        deserializer.deserialize_str(Rfc3339Text)
    }
}

/// Why a time could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampError {
    /// The text is not an RFC 3339 time.
    Malformed,
    /// The moment lies, in UTC, outside the years 0 to 9999.
    OutOfRange,
}

impl fmt::Display for TimestampError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "not an RFC 3339 time; write it as 2026-01-08T10:30:00Z",
            Self::OutOfRange => "the time lies outside the years 0 to 9999 in UTC",
        })
    }
}

impl std::error::Error for TimestampError {}

/// Rounds down, so that a moment before 1970 is cut off like any other.
fn whole_millis(moment: OffsetDateTime) -> i64 {
    moment
        .unix_timestamp()
        .saturating_mul(1000)
        .saturating_add(i64::from(moment.millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[track_caller]
    fn check(text: &str, written: &str) {
        let moment: Timestamp = text.parse().expect(text);
        assert_eq!(moment.to_string(), written, "{text}");
        assert_eq!(
            serde_json::from_str::<Timestamp>(&format!("{text:?}")).unwrap(),
            moment
        );
        assert_eq!(
            serde_json::to_string(&moment).unwrap(),
            format!("{written:?}")
        );
        assert_eq!(Timestamp::from(OffsetDateTime::from(moment)), moment);
    }

    #[test]
    fn reads_any_offset_and_fraction_and_writes_one_form() {
        check("2026-01-08T10:30:00Z", "2026-01-08T10:30:00Z");
        check("2026-01-08T10:30:00.000Z", "2026-01-08T10:30:00Z");
        check("2026-01-08T10:30:00.0009Z", "2026-01-08T10:30:00Z");
        check("2026-01-08T10:30:00.5Z", "2026-01-08T10:30:00.500Z");
        check("2026-01-08T10:30:00.123456789Z", "2026-01-08T10:30:00.123Z");
        check(
            "2026-01-08T10:30:00.12345678901234Z",
            "2026-01-08T10:30:00.123Z",
        );
        check("2026-01-08T00:30:00+05:45", "2026-01-07T18:45:00Z");
        check("2026-01-08t10:30:00z", "2026-01-08T10:30:00Z");
        check("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z");
        check("1969-12-31T23:59:59.0001Z", "1969-12-31T23:59:59Z");
        check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z");
        check("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z");
        check("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        for text in [
            "",
            "now",
            "2026-01-08",
            "2026-01-08T10:30:00",
            "2026-13-08T10:30:00Z",
            "12026-01-08T10:30:00Z",
            "2026-01-08T10:30:00Zx",
        ] {
            assert_eq!(
                text.parse::<Timestamp>(),
                Err(TimestampError::Malformed),
                "{text:?}"
            );
        }
        for text in ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert_eq!(
                text.parse::<Timestamp>(),
                Err(TimestampError::OutOfRange),
                "{text:?}"
            );
        }
        for millis in [
            i64::MIN,
            i64::MAX,
            Timestamp::MIN.unix_millis() - 1,
            Timestamp::MAX.unix_millis() + 1,
        ] {
            assert_eq!(
                Timestamp::from_unix_millis(millis),
                Err(TimestampError::OutOfRange)
            );
        }
        let error = serde_json::from_str::<Timestamp>("\"x\"")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("invalid value: string \"x\", expected an RFC 3339 time"),
            "{error}"
        );
    }

    #[test]
    fn a_date_of_the_time_crate_never_panics() {
        let check = |moment: OffsetDateTime, expected: Timestamp| {
            assert_eq!(Timestamp::from(moment), expected);
        };
        check(datetime!(-9999-01-01 00:00:00 +23:59), Timestamp::MIN);
        check(
            datetime!(9999-12-31 23:59:59.999_999_999 -23:59),
            Timestamp::MAX,
        );
        check(
            datetime!(1970-01-01 00:00:00.001_999 UTC),
            Timestamp::from_unix_millis(1).unwrap(),
        );
    }

    #[test]
    fn the_clock_gives_a_moment_that_survives_writing() {
        let now = Timestamp::now();
        assert_eq!(now.to_string().parse(), Ok(now));
    }
}
