//! Days, as a person's calendar has them.

use time::{Date, Month};

/// A time zone, with its rules for summer time.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    rules: Option<tz::TimeZone>,
}

/// A name that is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no time zone {0:?} on this machine: give one such as Europe/Berlin, or UTC; Etc/GMT-2 is two hours east of it"
)]
pub struct UnknownZone(String);

const DAY: i64 = 24 * 60 * 60;

impl Zone {
    /// The zone of this name in the machine's list; `local` is the machine's own.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let rules = match name {
            "UTC" | "Z" => None,
            "local" => tz::TimeZone::local().ok(),
            // A name may be a path, and not every file is a zone.
            _ if name.starts_with(['/', ':', '.']) || name.contains("..") || name.is_empty() => {
                return Err(UnknownZone(name.to_owned()));
            }
            // In the old notation this is two hours to the west, and nobody means that.
            _ if is_offset(name) => return Err(UnknownZone(name.to_owned())),
            _ => Some(tz::TimeZone::from_posix_tz(name).map_err(|_| UnknownZone(name.to_owned()))?),
        };
        Ok(Self {
            name: name.to_owned(),
            rules,
        })
    }

    /// As it was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far its clocks are ahead of UTC at a moment, in seconds.
    pub(crate) fn offset_at(&self, seconds: i64) -> i64 {
        self.rules
            .as_ref()
            .and_then(|rules| rules.find_local_time_type(seconds).ok())
            .map_or(0, |kind| i64::from(kind.ut_offset()))
    }

    /// The day of a moment.
    pub(super) fn day_at(&self, seconds: i64) -> Day {
        Day((seconds + self.offset_at(seconds)).div_euclid(DAY))
    }

    /// When a day begins, in seconds since 1970. Where clocks go back over midnight, the first time.
    pub(super) fn start_of(&self, day: Day) -> i64 {
        let local = day.0 * DAY;
        // The offset is that of the moment itself, which is off by less than a day from this guess.
        let mut candidates = [DAY, 0, -DAY]
            .map(|near| local - self.offset_at(local + near))
            .into_iter()
            .filter(|start| self.day_at(*start) == day && self.day_at(*start - 1) < day);
        candidates.next().unwrap_or_else(|| self.search(day))
    }

    /// Where no midnight is: the day begins when the clocks are put forward over it.
    fn search(&self, day: Day) -> i64 {
        let (mut before, mut within) = ((day.0 - 2) * DAY, (day.0 + 2) * DAY);
        while within - before > 1 {
            let middle = before.midpoint(within);
            if self.day_at(middle) < day {
                before = middle;
            } else {
                within = middle;
            }
        }
        within
    }
}

/// `UTC+2`, `GMT-03:00`.
fn is_offset(name: &str) -> bool {
    let rest = name
        .strip_prefix("UTC")
        .or_else(|| name.strip_prefix("GMT"));
    rest.is_some_and(|rest| rest.starts_with(['+', '-']))
}

/// A day of the calendar: its number since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(pub(super) i64);

const EPOCH: i64 = 2_440_588;

impl Day {
    /// From `2026-03-01`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
        let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
        Some(Self(i64::from(date.to_julian_day()) - EPOCH))
    }

    fn date(self) -> Date {
        let day = i32::try_from(self.0 + EPOCH).ok();
        let limit = if self.0 < 0 { Date::MIN } else { Date::MAX };
        day.and_then(|day| Date::from_julian_day(day).ok())
            .unwrap_or(limit)
    }

    pub(super) fn month(self) -> Self {
        Self(self.0 - i64::from(self.date().day()) + 1)
    }

    /// Its Monday.
    pub(super) fn week(self) -> Self {
        Self(self.0 - i64::from(self.date().weekday().number_days_from_monday()))
    }

    pub(super) fn before(self, days: i64) -> Self {
        Self(self.0 - days)
    }

    pub(super) fn show(self) -> String {
        let (year, month, day) = self.date().to_calendar_date();
        format!("{year:04}-{:02}-{day:02}", u8::from(month))
    }

    pub(super) fn show_month(self) -> String {
        let mut day = self.show();
        day.truncate(day.len() - 3);
        day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_when_the_clocks_say_so() {
        let check = |zone: &str, day: &str, start: &str, hours: i64| {
            let zone = Zone::named(zone).unwrap();
            let day = Day::parse(day).unwrap();
            let start: clown_events::Timestamp = start.parse().unwrap();
            assert_eq!(
                zone.start_of(day),
                start.unix_millis() / 1000,
                "{zone:?} {day:?}"
            );
            let next = zone.start_of(Day(day.0 + 1));
            assert_eq!((next - zone.start_of(day)) / 3600, hours, "{day:?}");
            assert_eq!(zone.day_at(zone.start_of(day)), day);
            assert_eq!(zone.day_at(next - 1), day);
        };
        check("UTC", "2026-03-01", "2026-03-01T00:00:00Z", 24);
        check(
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "2026-03-29",
            "2026-03-28T23:00:00Z",
            23,
        );
        check(
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "2026-10-25",
            "2026-10-24T22:00:00Z",
            25,
        );
        check(
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "2026-07-01",
            "2026-06-30T22:00:00Z",
            24,
        );
        check("NPT-5:45", "2026-03-01", "2026-02-28T18:15:00Z", 24);
        // Put forward at midnight: the day begins at one o'clock.
        check(
            "<-04>4<-03>,M9.1.0/0,M4.1.0/0",
            "2026-09-06",
            "2026-09-06T04:00:00Z",
            23,
        );
    }

    #[test]
    fn weeks_and_months() {
        let day = |text: &str| Day::parse(text).unwrap();
        assert_eq!(day("2026-11-24").week().show(), "2026-11-23");
        assert_eq!(day("2026-11-23").week().show(), "2026-11-23");
        assert_eq!(day("2026-11-24").month().show(), "2026-11-01");
        assert_eq!(day("2026-11-24").show_month(), "2026-11");
        assert_eq!(day("2024-02-29").before(-1).show(), "2024-03-01");
        for text in [
            "2026-02-29",
            "2026-1-1",
            "26-01-01",
            "2026-01-01-01",
            "",
            "x",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for name in [
            "Nowhere/At_all",
            "",
            "/etc/passwd",
            "../../etc/passwd",
            ":/etc/passwd",
            "UTC+2",
            "GMT-03:00",
        ] {
            assert_eq!(Zone::named(name).unwrap_err(), UnknownZone(name.to_owned()));
        }
    }
}
