//! Flags that make no sense together, told before anything is asked of a daemon.

use super::args::EventArgs;
use super::members::concerns_a_profile;
use crate::failure::{Failure, USAGE};
use clown_client::Since;
use clown_events::{EventKind, Filter, FilterError, Timestamp};

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The stream, which goes on.
    Live,
    /// The history, which ends now.
    Past,
}

impl EventArgs {
    /// Refuses what can only be a mistake, and says why.
    pub(crate) fn check(&self, source: Source, json: bool) -> Result<(), Failure> {
        self.wrong(source, json, Timestamp::now())
            .map_or(Ok(()), |why| Err(Failure::new(USAGE, why)))
    }

    fn wrong(&self, source: Source, json: bool, now: Timestamp) -> Option<String> {
        self.wrong_form(json)
            .or_else(|| self.wrong_selection())
            .or_else(|| self.wrong_time(source, now))
    }

    fn wrong_form(&self, json: bool) -> Option<String> {
        let why = if json && self.format.is_some() {
            "--json and --format both say how to print an event; give one of them"
        } else if json && self.show_seq {
            "--show-seq is for lines; --json has each event's number as its member seq anyway"
        } else if self.format.is_some() && self.show_seq {
            "--show-seq is for lines; with --format, write {seq} where the number is to stand"
        } else if self
            .exec
            .as_ref()
            .is_some_and(|text| text.trim().is_empty())
        {
            "--exec names no command"
        } else {
            return None;
        };
        Some(why.to_owned())
    }

    fn wrong_selection(&self) -> Option<String> {
        let kinds = match self.kinds() {
            Ok(kinds) => kinds,
            Err(why) => return Some(why),
        };
        let conditions = self.exit_on.iter().map(|condition| condition.check(&kinds));
        let template = self.format.iter().map(|template| template.check(&kinds));
        conditions.chain(template).find_map(Result::err)
    }

    /// The known events that --events and --profile let pass.
    fn kinds(&self) -> Result<Vec<EventKind>, String> {
        let named = if self.events.is_empty() {
            Filter::all()
        } else {
            let filter = Filter::parse_strict(Some(&self.events.join(",")), None)
                .map_err(|error| format!("--events: {}", wrong_names(&error)))?;
            if filter == Filter::none() {
                return Err("--events names no event; leave it out for all".to_owned());
            }
            filter
        };
        // A profile stands in for whichever was asked for.
        let kinds: Vec<EventKind> = EventKind::ALL
            .into_iter()
            .filter(|kind| named.matches(*kind, None))
            .filter(|kind| self.profile.is_empty() || concerns_a_profile(*kind))
            .collect();
        if kinds.is_empty() {
            return Err(
                "no event of --events concerns a profile, so --profile lets none of them pass"
                    .to_owned(),
            );
        }
        Ok(kinds)
    }

    fn wrong_time(&self, source: Source, now: Timestamp) -> Option<String> {
        let begin = self.since.map(|since| since.pinned(now));
        let end = self.until.map(|until| until.pinned(now));
        let is_past = |point: Since| match point {
            Since::Now => true,
            Since::Time(time) => time <= now,
            _ => false,
        };
        let why = match (source, begin, end) {
            (_, Some(Since::Time(time)), _) if time > now => {
                "--since lies in the future; nothing has happened since then"
            }
            (Source::Past, Some(Since::Now), _) => {
                "history ends now, so --since now leaves nothing; `clown watch` prints what comes"
            }
            (Source::Live, None | Some(Since::Now), Some(end)) if is_past(end) => {
                "--until lies in the past and watch begins now; say with --since where to begin"
            }
            (_, Some(begin), Some(end)) if is_behind(begin, end, now) => {
                "--until lies before --since, so that nothing is between them"
            }
            (Source::Past, begin, _) if self.strict && !matches!(begin, Some(Since::Seq(_))) => {
                "--strict needs --since with an event's number: only after a number can it be told \
                 that events are missing"
            }
            _ => return None,
        };
        Some(why.to_owned())
    }
}

/// Why names of events were refused, in a line that is short enough for a terminal.
pub(super) fn wrong_names(error: &FilterError) -> String {
    match error {
        FilterError::UnknownName {
            name,
            nearest: None,
        } => {
            let groups = GROUPS.join(", ");
            format!("unknown event type {name:?}; events are called {groups}")
        }
        error => error.to_string(),
    }
}

/// A prefix for every known event.
const GROUPS: [&str; 6] = [
    "Profile*",
    "Agent*",
    "RegistrySync*",
    "Proxy*",
    "Usage*",
    "Daemon*",
];

/// Whether nothing can lie after `begin` and up to `end`. A number and a time cannot be compared.
fn is_behind(begin: Since, end: Since, now: Timestamp) -> bool {
    let time = |point: Since| match point {
        Since::Now => Some(now),
        Since::Time(time) => Some(time),
        _ => None,
    };
    match (begin, end) {
        (Since::Seq(begin), Since::Seq(end)) => begin >= end,
        _ => time(begin)
            .zip(time(end))
            .is_some_and(|(begin, end)| begin >= end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        events: EventArgs,
    }

    #[track_caller]
    fn wrong(source: Source, line: &str) -> Option<String> {
        let words = line.split(' ').filter(|word| !word.is_empty());
        let line = Line::try_parse_from(std::iter::once("clown").chain(words)).unwrap();
        let now = "2026-01-08T10:30:00Z".parse().unwrap();
        line.events.wrong(source, line.json, now)
    }

    #[test]
    fn what_makes_sense() {
        #[track_caller]
        fn check(source: Source, line: &str) {
            assert_eq!(wrong(source, line), None, "{line}");
        }
        for source in [Source::Live, Source::Past] {
            check(source, "");
            check(source, "--json --exec true --count 1");
            check(
                source,
                "--format {data.exit_code} --events Prox*,ProfileStopped",
            );
            check(
                source,
                "--exit-on ProfileStopped:alias=a --profile a --timeout 1s",
            );
            check(source, "--since 1h --until 10m --show-seq");
            check(source, "--since 5 --until 6 --strict");
            check(source, "--since 5 --until now --strict");
            check(source, "--since 1h --until now");
            check(
                source,
                "--since 2026-01-08T10:29:59Z --until 2027-01-01T00:00:00Z",
            );
        }
        check(Source::Live, "--strict");
        check(Source::Live, "--since now --until 2027-01-01T00:00:00Z");
        check(Source::Live, "--until 17");
        check(Source::Past, "--until 10m");
        check(Source::Past, "--since 0 --strict");
    }

    #[test]
    fn every_event_has_one_of_the_prefixes() {
        let all = Filter::parse_strict(Some(&GROUPS.join(",")), None).unwrap();
        assert!(EventKind::ALL.iter().all(|kind| all.matches(*kind, None)));
    }

    #[test]
    fn what_makes_none_and_why() {
        #[track_caller]
        fn check(source: Source, line: &str, expected: &str) {
            let why = wrong(source, line).unwrap();
            assert!(why.contains(expected), "{line}: {why}");
        }
        for source in [Source::Live, Source::Past] {
            check(source, "--json --format {type}", "both say how");
            check(source, "--json --show-seq", "member seq");
            check(source, "--format {type} --show-seq", "{seq}");
            check(source, "--exec=", "no command");
            check(source, "--events=", "names no event");
            check(
                source,
                "--events ProfilStarted",
                "did you mean ProfileStarted?",
            );
            check(source, "--events Zebra", "called Profile*, Agent*");
            check(source, "--events Daemon* --profile a", "concerns a profile");
            check(
                source,
                "--exit-on ProxyError --events Profile*",
                "never come",
            );
            check(source, "--exit-on DaemonStarted --profile a", "never come");
            check(
                source,
                "--format {data.reason} --events Profile*",
                "DaemonShuttingDown",
            );
            check(source, "--since 6 --until 6", "before --since");
            check(source, "--since 10m --until 1h", "before --since");
            check(source, "--since 2027-01-01T00:00:00Z", "future");
        }
        check(Source::Live, "--until 10m", "where to begin");
        check(Source::Live, "--until now", "where to begin");
        check(Source::Live, "--since now --until now", "where to begin");
        check(Source::Past, "--since now", "clown watch");
        check(Source::Past, "--strict", "number");
        check(Source::Past, "--strict --since 1h", "number");
    }
}
