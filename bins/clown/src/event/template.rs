use super::members::{having, list, look_up, members};
use super::nearest::nearest;
use super::seen::Seen;
use super::words::tell;
use crate::local_time::LocalZone;
use crate::table::printable;
use clown_events::EventKind;
use serde_json::Value;
use std::str::FromStr;

/// What stands where an event has nothing to show.
const NOTHING: &str = "-";

/// How to print an event: text with placeholders in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
    Member(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Time,
    Date,
    Timestamp,
    Type,
    Alias,
    Subject,
    Text,
    Seq,
    Data,
    Json,
}

const FIELDS: [(&str, Field); 10] = [
    ("time", Field::Time),
    ("date", Field::Date),
    ("timestamp", Field::Timestamp),
    ("type", Field::Type),
    ("alias", Field::Alias),
    ("subject", Field::Subject),
    ("text", Field::Text),
    ("seq", Field::Seq),
    ("data", Field::Data),
    ("json", Field::Json),
];

impl Template {
    /// The line for an event.
    pub(super) fn render(&self, seen: &Seen<'_>, zone: &LocalZone) -> String {
        let mut line = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Field(field) => line.push_str(&show(*field, seen, zone)),
                Part::Member(member) => match look_up(seen.data(), member) {
                    Some(value) => line.push_str(&printable(&plain(value))),
                    None => line.push_str(NOTHING),
                },
            }
        }
        line
    }

    /// Refuses a member that none of the events which can come has.
    pub(super) fn check(&self, kinds: &[EventKind]) -> Result<(), String> {
        for part in &self.parts {
            if let Part::Member(member) = part
                && having(kinds, member).is_empty()
            {
                return Err(format!(
                    "--format: {{data.{member}}} is in {} only, and --events and --profile let none of these pass",
                    list(&having(&EventKind::ALL, member))
                ));
            }
        }
        Ok(())
    }
}

fn show(field: Field, seen: &Seen<'_>, zone: &LocalZone) -> String {
    let envelope = &seen.received.envelope;
    let event = &envelope.event;
    match field {
        Field::Time => zone.show(envelope.timestamp).time,
        Field::Date => zone.show(envelope.timestamp).date,
        Field::Timestamp => envelope.timestamp.to_string(),
        Field::Type => printable(event.name()),
        Field::Alias => event
            .profile()
            .map_or_else(|| NOTHING.to_owned(), printable),
        Field::Subject => printable(&tell(event).subject),
        Field::Text => printable(&tell(event).text),
        Field::Seq => envelope
            .seq
            .map_or_else(|| NOTHING.to_owned(), |seq| seq.to_string()),
        Field::Data => seen.data().to_string(),
        Field::Json => seen.received.text.clone(),
    }
}

/// A value as people write it: texts without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => NOTHING.to_owned(),
        other => other.to_string(),
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            let following = rest.as_str();
            match character {
                '{' if following.starts_with('{') => {
                    rest.next();
                    plain.push('{');
                }
                '{' => {
                    let (name, after) = following.split_once('}').ok_or_else(|| {
                        format!(
                            "`{{{following}` has no closing brace; write {{{{ for a brace itself"
                        )
                    })?;
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(placeholder(name)?);
                    rest = after.chars();
                }
                '}' if following.starts_with('}') => {
                    rest.next();
                    plain.push('}');
                }
                '}' => {
                    return Err(
                        "a closing brace has no opening one; write }} for a brace itself"
                            .to_owned(),
                    );
                }
                '\\' => match rest.next() {
                    Some('t') => plain.push('\t'),
                    Some('n') => plain.push('\n'),
                    Some('\\') => plain.push('\\'),
                    Some(other) => plain.extend(['\\', other]),
                    None => plain.push('\\'),
                },
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if parts.is_empty() {
            return Err("the template is empty; {json} prints the whole event".to_owned());
        }
        Ok(Self { parts })
    }
}

fn placeholder(name: &str) -> Result<Part, String> {
    if let Some((_, field)) = FIELDS.into_iter().find(|(known, _)| *known == name) {
        return Ok(Part::Field(field));
    }
    if let Some(member) = name.strip_prefix("data.")
        && !having(&EventKind::ALL, member).is_empty()
    {
        return Ok(Part::Member(member.to_owned()));
    }
    let of_data: Vec<String> = EventKind::ALL
        .into_iter()
        .flat_map(members)
        .map(|member| format!("data.{member}"))
        .collect();
    let known = FIELDS.iter().map(|(known, _)| *known);
    let hint = match nearest(name, known.chain(of_data.iter().map(String::as_str))) {
        Some(meant) => format!("did you mean {{{meant}}}?"),
        None => {
            let names = FIELDS.map(|(known, _)| format!("{{{known}}}"));
            format!("there are {} and {{data.MEMBER}}", names.join(" "))
        }
    };
    Err(format!("there is no placeholder {{{name}}}; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clown_client::Received;
    use clown_events::Envelope;

    const STOPPED: &str = r#"{"type":"ProfileStopped","timestamp":"2026-01-08T10:30:00.250Z","data":{"alias":"work","exit_code":3,"runtime_secs":7},"seq":17}"#;

    #[track_caller]
    fn check(template: &str, event: &str, expected: &str) {
        let received = Received {
            envelope: Envelope::parse(event).unwrap(),
            text: event.to_owned(),
        };
        let template: Template = template.parse().unwrap();
        let line = template.render(&Seen::new(&received), &LocalZone::utc());
        assert_eq!(line, expected);
    }

    #[test]
    fn placeholders() {
        check("{time} {date}", STOPPED, "10:30:00 2026-01-08");
        check("{timestamp}", STOPPED, "2026-01-08T10:30:00.250Z");
        check("{type}:{alias}#{seq}", STOPPED, "ProfileStopped:work#17");
        check("{data.exit_code}\\t{data.runtime_secs}", STOPPED, "3\t7");
        check(
            "{subject}: {text}",
            STOPPED,
            "work: ended with exit code 3 after 7 s",
        );
        check("{json}", STOPPED, STOPPED);
        check(
            "{data}",
            STOPPED,
            r#"{"alias":"work","exit_code":3,"runtime_secs":7}"#,
        );
        check("{data.pid}", STOPPED, "-");
        check(
            r"{{{type}}} \\ \n \x",
            STOPPED,
            "{ProfileStopped} \\ \n \\x",
        );
        let usage = r#"{"type":"UsageUpdated","timestamp":"2026-01-08T10:30:00Z","data":{"profile":"a","tokens":{"input_tokens":5,"output_tokens":6},"cost":{"total_cost":0.045}}}"#;
        check(
            "{alias} {data.tokens.output_tokens} {data.cost.total_cost} {seq}",
            usage,
            "a 6 0.045 -",
        );
        let changes = r#"{"type":"ProfileUpdated","timestamp":"2026-01-08T10:30:00Z","data":{"alias":"a","changes":["model"]}}"#;
        check("{data.changes}", changes, r#"["model"]"#);
        let gone = r#"{"type":"AgentUpdated","timestamp":"2026-01-08T10:30:00Z","data":{"id":"c","old_version":"1","new_version":null}}"#;
        check("{alias} {data.new_version}", gone, "- -");
    }

    #[test]
    fn a_value_does_not_drive_the_terminal_nor_end_the_line() {
        let error = r#"{"type":"RegistrySyncFailed","timestamp":"2026-01-08T10:30:00Z","data":{"error":"a\n\u001b[2J"}}"#;
        check("{data.error}", error, r"a\n\u{1b}[2J");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_meant() {
        #[track_caller]
        fn check(template: &str, expected: &str) {
            let error = template.parse::<Template>().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        check("{tim}", "{tim}; did you mean {time}?");
        check("{exit_code}", "did you mean {data.exit_code}?");
        check("{data.exit_cod}", "did you mean {data.exit_code}?");
        check("{data.}", "{data.}; did you mean {data}?");
        check("{something}", "{time} {date}");
        check("{}", "{data.MEMBER}");
        check("{time", "closing brace");
        check("time}", "opening");
        check("", "empty");
    }

    #[test]
    fn a_member_of_no_event_that_can_come_is_refused() {
        let template: Template = "{data.exit_code}".parse().unwrap();
        assert_eq!(template.check(&EventKind::ALL), Ok(()));
        assert_eq!(template.check(&[EventKind::ProxyStopped]), Ok(()));
        let error = template.check(&[EventKind::ProfileStarted]).unwrap_err();
        assert!(error.contains("ProfileStopped, ProxyStopped"), "{error}");
    }
}
