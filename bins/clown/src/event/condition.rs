use super::check::wrong_names;
use super::members::{having, list, look_up, members};
use super::nearest::nearest;
use super::seen::Seen;
use super::template::plain;
use clown_events::{EventKind, EventPattern, Filter};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// The event that a command ends with: `TYPE`, or `TYPE:member=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pattern: EventPattern,
    wanted: Option<Wanted>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    member: String,
    value: String,
}

impl Condition {
    pub(super) fn is_met_by(&self, seen: &Seen<'_>) -> bool {
        self.pattern
            .matches_name(seen.received.envelope.event.name())
            && self.wanted.as_ref().is_none_or(|wanted| {
                look_up(seen.data(), &wanted.member).is_some_and(|value| wanted.is(value))
            })
    }

    /// Refuses a condition that none of the events which can come meets.
    pub(super) fn check(&self, kinds: &[EventKind]) -> Result<(), String> {
        if self.kinds().iter().any(|kind| kinds.contains(kind)) {
            Ok(())
        } else {
            Err(format!(
                "--exit-on {self} would never come: --events and --profile let {} not pass",
                list(&self.kinds())
            ))
        }
    }

    /// The known events that can meet it.
    fn kinds(&self) -> Vec<EventKind> {
        let named: Vec<EventKind> = EventKind::ALL
            .into_iter()
            .filter(|kind| self.pattern.matches_name(kind.name()))
            .collect();
        match &self.wanted {
            Some(wanted) => having(&named, &wanted.member),
            None => named,
        }
    }
}

impl Wanted {
    /// A list is met by any of its items.
    fn is(&self, value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| self.is(item)),
            Value::Null => self.value == "null",
            value => plain(value) == self.value,
        }
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, wanted) = match text.split_once(':') {
            Some((name, wanted)) => (name, Some(wanted)),
            None => (text, None),
        };
        let pattern: EventPattern = name.parse().map_err(|error| format!("{error}"))?;
        // Says which known name is near.
        Filter::parse_strict(Some(name), None).map_err(|error| wrong_names(&error))?;
        let mut condition = Self {
            pattern,
            wanted: None,
        };
        let Some(wanted) = wanted else {
            return Ok(condition);
        };
        let (member, value) = wanted
            .split_once('=')
            .ok_or_else(|| format!("{wanted:?} is not of the form MEMBER=VALUE"))?;
        let named = condition.kinds();
        if having(&named, member).is_empty() {
            let known: Vec<&str> = named
                .iter()
                .flat_map(|kind| members(*kind))
                .copied()
                .collect();
            let hint = match nearest(member, known.iter().copied()) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("there are {}", known.join(", ")),
            };
            return Err(format!("{name} has no member {member:?}; {hint}"));
        }
        condition.wanted = Some(Wanted {
            member: member.to_owned(),
            value: value.to_owned(),
        });
        Ok(condition)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.pattern)?;
        match &self.wanted {
            Some(Wanted { member, value }) => write!(formatter, ":{member}={value}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clown_client::Received;
    use clown_events::Envelope;

    #[test]
    fn which_events_meet_it() {
        #[track_caller]
        fn check(condition: &str, kind: &str, data: &str, expected: bool) {
            let text =
                format!(r#"{{"type":"{kind}","timestamp":"2026-01-08T10:30:00Z","data":{data}}}"#);
            let received = Received {
                envelope: Envelope::parse(&text).unwrap(),
                text,
            };
            let parsed: Condition = condition.parse().unwrap();
            assert_eq!(parsed.to_string(), condition);
            assert_eq!(
                parsed.is_met_by(&Seen::new(&received)),
                expected,
                "{condition}"
            );
        }
        let stopped = r#"{"alias":"work","exit_code":0,"runtime_secs":7}"#;
        check("ProfileStopped", "ProfileStopped", stopped, true);
        check("Profile*", "ProfileStopped", stopped, true);
        check("ProfileStarted", "ProfileStopped", stopped, false);
        check(
            "ProfileStopped:exit_code=0",
            "ProfileStopped",
            stopped,
            true,
        );
        check(
            "ProfileStopped:exit_code=1",
            "ProfileStopped",
            stopped,
            false,
        );
        check("Profile*:alias=work", "ProfileStopped", stopped, true);
        check("ProfileStopped:alias=wor", "ProfileStopped", stopped, false);
        let changes = r#"{"alias":"work","changes":["model","env"]}"#;
        check(
            "ProfileUpdated:changes=env",
            "ProfileUpdated",
            changes,
            true,
        );
        check(
            "ProfileUpdated:changes=args",
            "ProfileUpdated",
            changes,
            false,
        );
        let gone = r#"{"id":"c","old_version":"1","new_version":null}"#;
        check("AgentUpdated:new_version=null", "AgentUpdated", gone, true);
        check("AgentUpdated:new_version=-", "AgentUpdated", gone, false);
        let sync = r#"{"channel":"a=b:c","force":true}"#;
        check(
            "RegistrySyncStarted:channel=a=b:c",
            "RegistrySyncStarted",
            sync,
            true,
        );
        check(
            "RegistrySyncStarted:force=true",
            "RegistrySyncStarted",
            sync,
            true,
        );
        let usage = r#"{"profile":"a","tokens":{"input_tokens":5,"output_tokens":6},"cost":{"total_cost":0.045}}"#;
        check(
            "UsageUpdated:tokens.input_tokens=5",
            "UsageUpdated",
            usage,
            true,
        );
        check(
            "UsageUpdated:cost.unpriced=true",
            "UsageUpdated",
            usage,
            false,
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_meant() {
        #[track_caller]
        fn check(condition: &str, expected: &str) {
            let error = condition.parse::<Condition>().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        check("ProfilStopped", "did you mean ProfileStopped?");
        check("ProfileStopped,ProxyError", "no event name");
        check("", "no event name");
        check(
            "ProfileStopped:exit=0",
            "has no member \"exit\"; there are alias, exit_code",
        );
        check("ProfileStopped:exitcode=0", "did you mean exit_code?");
        check("ProfileStopped:exit_code", "MEMBER=VALUE");
        check("ProfileStarted:exit_code=0", "has no member");
    }

    #[test]
    fn one_that_never_comes_is_refused() {
        let condition: Condition = "Prox*:exit_code=0".parse().unwrap();
        assert_eq!(condition.check(&EventKind::ALL), Ok(()));
        let error = condition.check(&[EventKind::ProxyError]).unwrap_err();
        assert!(error.contains("ProxyStopped"), "{error}");
    }
}
