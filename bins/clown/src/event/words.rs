//! What events say, in words for people.

use clown_events::{Event, ShutdownReason, Tokens};

/// An event in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) subject: String,
    pub(crate) text: String,
}

pub(crate) fn tell(event: &Event) -> Told {
    let told = |subject: &str, text: String| Told {
        subject: subject.to_owned(),
        text,
    };
    match event {
        Event::ProfileCreated(data) => told(
            &data.alias,
            format!(
                "{} with {}, model {}",
                data.agent_id, data.provider_id, data.model
            ),
        ),
        Event::ProfileUpdated(data) => {
            told(&data.alias, format!("changed {}", data.changes.join(", ")))
        }
        Event::ProfileDeleted(data) => told(&data.alias, "deleted".to_owned()),
        Event::ProfileStarted(data) => told(&data.alias, format!("runs as process {}", data.pid)),
        Event::ProfileStopped(data) => told(
            &data.alias,
            format!(
                "{} after {}",
                exit(data.exit_code),
                duration(data.runtime_secs)
            ),
        ),
        Event::AgentDetected(data) => told(
            &data.id,
            format!("{} {} at {}", data.name, data.version, data.binary_path),
        ),
        Event::AgentUpdated(data) => told(
            &data.id,
            match &data.new_version {
                Some(version) if *version == data.old_version => {
                    format!("{version}, at another place")
                }
                Some(version) => format!("{} → {version}", data.old_version),
                None => format!("no longer found (was {})", data.old_version),
            },
        ),
        Event::RegistrySyncStarted(data) => told(
            &data.channel,
            if data.force {
                "sync begins, forced"
            } else {
                "sync begins"
            }
            .to_owned(),
        ),
        Event::RegistrySyncCompleted(data) => told(
            &data.channel,
            format!(
                "at commit {}, {}{}",
                data.commit.get(..7).unwrap_or(&data.commit),
                count(data.artifacts_downloaded, "artifact"),
                if data.from_cache {
                    ", from the cache"
                } else {
                    " downloaded"
                },
            ),
        ),
        Event::RegistrySyncFailed(data) => told("registry", data.error.clone()),
        Event::ProxyStarted(data) => told(
            &data.profile,
            format!("listens on port {} as process {}", data.port, data.pid),
        ),
        Event::ProxyStopped(data) => told(&data.profile, exit(data.exit_code)),
        Event::ProxyError(data) => told(&data.profile, data.error.clone()),
        Event::UsageUpdated(data) => told(
            &data.profile,
            format!(
                "{}, ${}{}",
                tokens(&data.tokens),
                data.cost.total_cost,
                if data.cost.unpriced {
                    " and more without a price"
                } else {
                    ""
                },
            ),
        ),
        Event::UsageImported(data) => told(
            &data.source,
            format!("{} imported", count(data.records_imported, "record")),
        ),
        Event::DaemonStarted(data) => told(
            "clownd",
            format!("version {} as process {}", data.version, data.pid),
        ),
        Event::DaemonShuttingDown(data) => told("clownd", shutdown(&data.reason)),
        // An event of a newer daemon: its data is better than nothing.
        Event::Unknown(data) => told("-", data.data.get().to_owned()),
        other => told(other.profile().unwrap_or("-"), String::new()),
    }
}

/// An exit code in words; 128+N is how a signal's end is told.
pub(crate) fn exit(code: i32) -> String {
    match code {
        -1 => "ended, exit code unknown".to_owned(),
        129..=192 => {
            let number = code - 128;
            let name = match number {
                1 => " (HUP)",
                2 => " (INT)",
                3 => " (QUIT)",
                6 => " (ABRT)",
                9 => " (KILL)",
                11 => " (SEGV)",
                13 => " (PIPE)",
                15 => " (TERM)",
                _ => "",
            };
            format!("ended by signal {number}{name}")
        }
        _ => format!("ended with exit code {code}"),
    }
}

/// Seconds as people say them, with two units at most.
pub(crate) fn duration(secs: u64) -> String {
    let (days, hours, minutes) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60);
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{minutes} min {} s", secs % 60),
        3600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn tokens(tokens: &Tokens) -> String {
    let mut text = format!(
        "{} in, {} out",
        grouped(tokens.input_tokens),
        grouped(tokens.output_tokens)
    );
    let cached = tokens
        .cache_creation_input_tokens
        .saturating_add(tokens.cache_read_input_tokens);
    if cached > 0 {
        text.push_str(&format!(", {} cached", grouped(cached)));
    }
    text.push_str(" tokens");
    text
}

fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shutdown(reason: &ShutdownReason) -> String {
    match reason {
        ShutdownReason::IdleTimeout => "stops: nobody needed it".to_owned(),
        ShutdownReason::Requested => "stops: it was asked to".to_owned(),
        ShutdownReason::Signal => "stops: it got a signal".to_owned(),
        ShutdownReason::Update => "stops: it is being updated".to_owned(),
        other => format!("stops: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clown_events::Envelope;

    fn check(kind: &str, data: &str, subject: &str, text: &str) {
        let message =
            format!(r#"{{"type":"{kind}","timestamp":"2026-01-08T10:30:00Z","data":{data}}}"#);
        let envelope = Envelope::parse(&message).unwrap();
        let expected = Told {
            subject: subject.to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(tell(&envelope.event), expected, "{kind}");
    }

    #[test]
    fn each_event_in_words() {
        check(
            "ProfileCreated",
            r#"{"alias":"a","agent_id":"claude","provider_id":"anthropic","model":"m"}"#,
            "a",
            "claude with anthropic, model m",
        );
        let changes = r#"{"alias":"a","changes":["model","hooks_config"]}"#;
        check(
            "ProfileUpdated",
            changes,
            "a",
            "changed model, hooks_config",
        );
        check("ProfileDeleted", r#"{"alias":"a"}"#, "a", "deleted");
        check(
            "ProfileStarted",
            r#"{"alias":"a","pid":12345}"#,
            "a",
            "runs as process 12345",
        );
        let stopped = |code: i32, secs: u64, text: &str| {
            let data = format!(r#"{{"alias":"a","exit_code":{code},"runtime_secs":{secs}}}"#);
            check("ProfileStopped", &data, "a", text);
        };
        stopped(0, 900, "ended with exit code 0 after 15 min 0 s");
        stopped(137, 3, "ended by signal 9 (KILL) after 3 s");
        stopped(-1, 7260, "ended, exit code unknown after 2 h 1 min");
        check(
            "AgentDetected",
            r#"{"id":"claude","name":"Claude Code","version":"1.0.0","binary_path":"/bin/claude"}"#,
            "claude",
            "Claude Code 1.0.0 at /bin/claude",
        );
        let updated = |new: &str, text: &str| {
            let data = format!(r#"{{"id":"claude","old_version":"0.9","new_version":{new}}}"#);
            check("AgentUpdated", &data, "claude", text);
        };
        updated(r#""1.0""#, "0.9 → 1.0");
        updated(r#""0.9""#, "0.9, at another place");
        updated("null", "no longer found (was 0.9)");
        let forced = r#"{"channel":"stable","force":true}"#;
        check(
            "RegistrySyncStarted",
            forced,
            "stable",
            "sync begins, forced",
        );
        check(
            "RegistrySyncCompleted",
            r#"{"channel":"stable","commit":"abc1234","from_cache":false,"artifacts_downloaded":1}"#,
            "stable",
            "at commit abc1234, 1 artifact downloaded",
        );
        check(
            "RegistrySyncFailed",
            r#"{"error":"no network"}"#,
            "registry",
            "no network",
        );
        let proxy = r#"{"profile":"a","port":9000,"pid":7}"#;
        check(
            "ProxyStarted",
            proxy,
            "a",
            "listens on port 9000 as process 7",
        );
        let proxy = r#"{"profile":"a","exit_code":0}"#;
        check("ProxyStopped", proxy, "a", "ended with exit code 0");
        check(
            "ProxyError",
            r#"{"profile":"a","error":"port taken"}"#,
            "a",
            "port taken",
        );
        check(
            "UsageUpdated",
            r#"{"profile":"a","tokens":{"input_tokens":5000,"output_tokens":2000},"cost":{"total_cost":0.045}}"#,
            "a",
            "5,000 in, 2,000 out tokens, $0.045",
        );
        let imported = r#"{"source":"claude","records_imported":1234567}"#;
        check(
            "UsageImported",
            imported,
            "claude",
            "1,234,567 records imported",
        );
        let started = r#"{"version":"0.1.0","pid":7}"#;
        check(
            "DaemonStarted",
            started,
            "clownd",
            "version 0.1.0 as process 7",
        );
        let idle = r#"{"reason":"idle_timeout"}"#;
        check(
            "DaemonShuttingDown",
            idle,
            "clownd",
            "stops: nobody needed it",
        );
        let other = r#"{"reason":"moved"}"#;
        check("DaemonShuttingDown", other, "clownd", "stops: moved");
    }

    #[test]
    fn an_event_of_the_future_is_shown_as_it_is() {
        check("SomethingNew", r#"{"x":1}"#, "-", r#"{"x":1}"#);
    }

    #[test]
    fn durations() {
        let check = |secs: u64, expected: &str| assert_eq!(duration(secs), expected);
        check(0, "0 s");
        check(59, "59 s");
        check(61, "1 min 1 s");
        check(3599, "59 min 59 s");
        check(3600, "1 h 0 min");
        check(90_000, "1 d 1 h");
    }
}
