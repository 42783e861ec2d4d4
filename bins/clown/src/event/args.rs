use super::condition::Condition;
use super::template::Template;
use clap::Args;
use clown_client::{EventQuery, Since};
use std::time::Duration;

/// Which events, how they are shown, and when it is enough: the flags of `watch` and `events`.
#[derive(Debug, Default, Args)]
pub(crate) struct EventArgs {
    /// Only these events: names, or prefixes such as Profile*
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) events: Vec<String>,
    /// Only what concerns these profiles
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = crate::cli::alias)]
    pub(crate) profile: Vec<String>,
    /// Begin after this event's number, this long ago (90s, 10m, 1h30m, 7d), or at this time (RFC 3339)
    #[arg(long, value_name = "SEQ|DUR|TIME")]
    pub(crate) since: Option<Since>,
    /// End with this event's number, this long ago, at this time, or with what there is `now`
    #[arg(long, value_name = "SEQ|DUR|TIME")]
    pub(crate) until: Option<Since>,
    /// End after this many events
    #[arg(long, visible_alias = "limit", value_name = "N", value_parser = count)]
    pub(crate) count: Option<u64>,
    /// Print each event by this template, such as '{time} {type} {alias}' (see below)
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) format: Option<Template>,
    /// End when this event comes, with exit code 0; can be given several times
    #[arg(long, value_name = "TYPE[:MEMBER=VALUE]")]
    pub(crate) exit_on: Vec<Condition>,
    /// End after this time with exit code 6
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Run this by `sh -c` for each event, one after the other, with the event's JSON on its
    /// standard input (see below)
    #[arg(long, value_name = "CMD")]
    pub(crate) exec: Option<String>,
    /// Print each event's number too
    #[arg(long)]
    pub(crate) show_seq: bool,
    /// Fail when events are missing, instead of saying so and going on
    #[arg(long)]
    pub(crate) strict: bool,
}

impl EventArgs {
    /// The history that is asked for.
    pub(crate) fn query(&self, since: Since, until: Option<Since>) -> EventQuery {
        EventQuery {
            since: Some(since),
            until,
            limit: None,
            events: self.events.clone(),
            profiles: self.profile.clone(),
        }
    }
}

fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("give at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("give a whole number, such as 20".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(Since::Ago(duration)) if duration.is_zero() => {
            Err("that is no time at all; give one such as 30s or 10m".to_owned())
        }
        Ok(Since::Ago(duration)) => Ok(duration),
        _ => Err("a duration has units, such as 30s, 10m or 1h30m".to_owned()),
    }
}

/// What both commands' help says after the flags.
macro_rules! help_of_events {
    ($examples:literal) => {
        concat!(
            $examples,
            "

Placeholders of --format:
  {time} {date}        when, in local time
  {timestamp}          when, as it was sent: RFC 3339 in UTC
  {type} {seq}         the event's type and number
  {alias}              the profile that it concerns
  {subject} {text}     what it is about, and what happened, in words
  {data.MEMBER}        a member of its data, such as {data.exit_code} or {data.tokens.input_tokens}
  {data} {json}        all of its data, and all of it
  {{ }} \\t \\n \\\\       braces, a tab, a line end, a backslash
What an event does not have is shown as -.

--exit-on takes a name or a prefix, and can ask for a member's value: ProfileStopped:alias=work,
UsageUpdated:cost.unpriced=true. Of a list, any item counts.

--exec finds CLOWN_EVENT_TYPE, CLOWN_EVENT_SEQ and CLOWN_EVENT_PROFILE in its environment. The event
is printed as well; the next one waits until the command has ended. A command that fails is told on
stderr, and makes the exit code 1 in the end.

Exit codes:
  0    ended as asked, or whoever read the output has gone
  1    failed: events are missing (--strict), a command of --exec failed, or the end came before the
       event of --exit-on
  2    wrong usage
  5    daemon not reachable
  6    the time of --timeout is over
  130  interrupted"
        )
    };
}
pub(crate) use help_of_events;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, expected: Option<u64>| {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(duration(text).ok(), expected, "{text}");
        };
        check("30s", Some(30));
        check("1h30m", Some(5400));
        for wrong in ["", "0s", "30", "now", "soon", "-1s", "2026-01-08T10:30:00Z"] {
            check(wrong, None);
        }
    }
}
