use clown_events::Timestamp;
use time::{OffsetDateTime, UtcOffset};

/// The time zone of the person at the terminal, with its rules for summer time.
#[derive(Debug)]
pub(crate) struct LocalZone {
    zone: Option<tz::TimeZone>,
}

/// A moment as a clock on the wall and a calendar show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LocalTime {
    pub(crate) date: String,
    pub(crate) time: String,
}

impl LocalZone {
    /// The zone of `TZ`, else of the machine; UTC where neither can be read.
    pub(crate) fn of_this_machine() -> Self {
        let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
        let zone = match named {
            Some(name) => tz::TimeZone::from_posix_tz(&name).or_else(|_| tz::TimeZone::local()),
            None => tz::TimeZone::local(),
        };
        Self { zone: zone.ok() }
    }

    /// No zone but UTC.
    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self { zone: None }
    }

    pub(crate) fn show(&self, moment: Timestamp) -> LocalTime {
        let utc = OffsetDateTime::from(moment);
        let offset = self
            .zone
            .as_ref()
            .and_then(|zone| zone.find_local_time_type(utc.unix_timestamp()).ok())
            .and_then(|kind| UtcOffset::from_whole_seconds(kind.ut_offset()).ok())
            .unwrap_or(UtcOffset::UTC);
        let local = utc.checked_to_offset(offset).unwrap_or(utc);
        let (year, month, day) = local.to_calendar_date();
        let (hour, minute, second) = local.to_hms();
        LocalTime {
            date: format!("{year:04}-{:02}-{day:02}", u8::from(month)),
            time: format!("{hour:02}:{minute:02}:{second:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winter_and_summer_have_their_own_offset() {
        let check = |zone: &str, moment: &str, expected: &str| {
            let zone = LocalZone {
                zone: tz::TimeZone::from_posix_tz(zone).ok(),
            };
            let shown = zone.show(moment.parse().unwrap());
            assert_eq!(format!("{} {}", shown.date, shown.time), expected);
        };
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        check(berlin, "2026-01-08T10:30:00Z", "2026-01-08 11:30:00");
        check(berlin, "2026-07-08T10:30:00.999Z", "2026-07-08 12:30:00");
        check(berlin, "2026-12-31T23:30:00Z", "2027-01-01 00:30:00");
        check("IST-5:30", "2026-01-08T10:30:00Z", "2026-01-08 16:00:00");
        check("not a zone", "2026-01-08T10:30:00Z", "2026-01-08 10:30:00");
    }
}
