//! Which part of the past is meant.

use super::zone::{Day, Zone};
use clown_events::Timestamp;

/// From a moment on, up to another, in milliseconds since 1970; open where there is none.
pub type Span = (Option<i64>, Option<i64>);

/// A part of the past that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpanError {
    /// A word that is no period.
    #[error("there is no period {0:?}: give today, yesterday, week, month, 7d, 30d or all")]
    Period(String),
    /// A text that is no moment.
    #[error("{0:?} is neither a day such as 2026-03-01 nor a time such as 2026-03-01T10:00:00Z")]
    Moment(String),
    /// Two answers to one question.
    #[error("give either a period, or since and until")]
    Both,
    /// Its end is before its beginning.
    #[error("until is before since")]
    Backwards,
}

/// The part of the past that `period`, or `since` and `until`, name at the moment `now`.
pub fn span(
    zone: &Zone,
    period: Option<&str>,
    since: Option<&str>,
    until: Option<&str>,
    now: Timestamp,
) -> Result<Span, SpanError> {
    let Some(period) = period else {
        let from = since.map(|text| moment(zone, text, 0)).transpose()?;
        // Of days, the last one is meant too.
        let to = until.map(|text| moment(zone, text, 1)).transpose()?;
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            return Err(SpanError::Backwards);
        }
        return Ok((from, to));
    };
    if since.is_some() || until.is_some() {
        return Err(SpanError::Both);
    }
    let today = zone.day_at(now.unix_millis().div_euclid(1000));
    let start = |day: Day| Some(zone.start_of(day) * 1000);
    let days = period
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
        .filter(|days| (1..=36_500).contains(days));
    match (period, days) {
        ("all", _) => Ok((None, None)),
        ("today", _) => Ok((start(today), None)),
        ("yesterday", _) => Ok((start(today.before(1)), start(today))),
        ("week", _) => Ok((start(today.week()), None)),
        ("month", _) => Ok((start(today.month()), None)),
        (_, Some(days)) => Ok((start(today.before(days - 1)), None)),
        _ => Err(SpanError::Period(period.to_owned())),
    }
}

fn moment(zone: &Zone, text: &str, days_later: i64) -> Result<i64, SpanError> {
    if let Some(day) = Day::parse(text) {
        return Ok(zone.start_of(day.before(-days_later)) * 1000);
    }
    text.parse::<Timestamp>()
        .map(Timestamp::unix_millis)
        .map_err(|_| SpanError::Moment(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_the_calendar() {
        let zone = Zone::named("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = time("2026-11-24T00:30:00+01:00");
        let check = |period, since, until, from: Option<&str>, to: Option<&str>| {
            let expected = (from.map(time), to.map(time));
            let millis = |time: Option<Timestamp>| time.map(Timestamp::unix_millis);
            assert_eq!(
                span(&zone, period, since, until, now),
                Ok((millis(expected.0), millis(expected.1))),
                "{period:?} {since:?} {until:?}"
            );
        };
        let midnight = Some("2026-11-23T23:00:00Z");
        check(None, None, None, None, None);
        check(Some("all"), None, None, None, None);
        check(Some("today"), None, None, midnight, None);
        check(Some("1d"), None, None, midnight, None);
        check(
            Some("yesterday"),
            None,
            None,
            Some("2026-11-22T23:00:00Z"),
            midnight,
        );
        check(Some("week"), None, None, Some("2026-11-22T23:00:00Z"), None);
        check(
            Some("month"),
            None,
            None,
            Some("2026-10-31T23:00:00Z"),
            None,
        );
        check(Some("30d"), None, None, Some("2026-10-25T23:00:00Z"), None);
        let (first, last) = (Some("2026-03-28"), Some("2026-03-29"));
        check(
            None,
            first,
            last,
            Some("2026-03-27T23:00:00Z"),
            Some("2026-03-29T22:00:00Z"),
        );
        let exact = Some("2026-03-28T10:00:00Z");
        check(None, exact, exact, exact, exact);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let zone = Zone::named("UTC").unwrap();
        let check = |period, since, until, expected: SpanError| {
            assert_eq!(
                span(&zone, period, since, until, Timestamp::now()),
                Err(expected)
            );
        };
        check(
            Some("fortnight"),
            None,
            None,
            SpanError::Period("fortnight".to_owned()),
        );
        check(Some("0d"), None, None, SpanError::Period("0d".to_owned()));
        check(
            None,
            Some("2026-02-30"),
            None,
            SpanError::Moment("2026-02-30".to_owned()),
        );
        check(Some("all"), Some("2026-02-03"), None, SpanError::Both);
        check(
            None,
            Some("2026-02-03"),
            Some("2026-02-01"),
            SpanError::Backwards,
        );
    }
}
