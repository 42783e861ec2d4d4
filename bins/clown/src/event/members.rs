//! Which members the data of each event has, so that a mistyped one is told before anything is
//! asked of a daemon.

use clown_events::EventKind;
use serde_json::Value;

/// The members of this event's data, in documented order; those of an inner object with a dot.
pub(super) fn members(kind: EventKind) -> &'static [&'static str] {
    match kind {
        EventKind::ProfileCreated => &["alias", "agent_id", "provider_id", "model"],
        EventKind::ProfileUpdated => &["alias", "changes"],
        EventKind::ProfileDeleted => &["alias"],
        EventKind::ProfileStarted => &["alias", "pid"],
        EventKind::ProfileStopped => &["alias", "exit_code", "runtime_secs"],
        EventKind::AgentDetected => &["id", "name", "version", "binary_path"],
        EventKind::AgentUpdated => &["id", "old_version", "new_version"],
        EventKind::RegistrySyncStarted => &["channel", "force"],
        EventKind::RegistrySyncCompleted => {
            &["channel", "commit", "from_cache", "artifacts_downloaded"]
        }
        EventKind::RegistrySyncFailed => &["error"],
        EventKind::ProxyStarted => &["profile", "port", "pid"],
        EventKind::ProxyStopped => &["profile", "exit_code"],
        EventKind::ProxyError => &["profile", "error"],
        EventKind::UsageUpdated => &[
            "profile",
            "tokens",
            "tokens.input_tokens",
            "tokens.output_tokens",
            "tokens.cache_creation_input_tokens",
            "tokens.cache_read_input_tokens",
            "cost",
            "cost.total_cost",
            "cost.unpriced",
        ],
        EventKind::UsageImported => &["source", "records_imported"],
        EventKind::DaemonStarted => &["version", "pid"],
        EventKind::DaemonShuttingDown => &["reason"],
        // Of an event that is newer than this program nothing is known.
        _ => &[],
    }
}

/// Whether events of this kind concern a profile.
pub(super) fn concerns_a_profile(kind: EventKind) -> bool {
    let members = members(kind);
    members.contains(&"alias") || members.contains(&"profile")
}

/// All of these kinds that have this member.
pub(super) fn having(kinds: &[EventKind], member: &str) -> Vec<EventKind> {
    let has = |kind: &&EventKind| members(**kind).contains(&member);
    kinds.iter().filter(has).copied().collect()
}

/// The member of an event's data, if this event has it.
pub(super) fn look_up<'a>(data: &'a Value, member: &str) -> Option<&'a Value> {
    member
        .split('.')
        .try_fold(data, |value, name| value.get(name))
}

/// Names of events as a sentence lists them.
pub(super) fn list(kinds: &[EventKind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clown_events::{Envelope, Event, Timestamp};

    fn each_event() -> Vec<Event> {
        let golden = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../crates/clown-events/tests/golden"
        );
        EventKind::ALL
            .iter()
            .map(|kind| {
                let text = std::fs::read_to_string(format!("{golden}/{kind}.json")).unwrap();
                Envelope::parse(text.trim()).unwrap().event
            })
            .collect()
    }

    fn paths(value: &Value, prefix: &str, found: &mut Vec<String>) {
        for (name, inner) in value.as_object().unwrap() {
            found.push(format!("{prefix}{name}"));
            if inner.is_object() {
                paths(inner, &format!("{prefix}{name}."), found);
            }
        }
    }

    #[test]
    fn the_table_names_what_events_have() {
        for event in each_event() {
            let kind = event.kind().unwrap();
            let text = Envelope::new(Timestamp::now(), event.clone()).to_json();
            let value: Value = serde_json::from_str(&text).unwrap();
            let mut found = Vec::new();
            paths(&value["data"], "", &mut found);
            // Members that may be left out.
            let optional = ["tokens.cache", "cost.unpriced"];
            let known = members(kind).iter().filter(|member| {
                found.iter().any(|path| path == *member)
                    || !optional.iter().any(|prefix| member.starts_with(prefix))
            });
            assert!(found.iter().eq(known), "{kind}: {found:?}");
            assert_eq!(
                concerns_a_profile(kind),
                event.profile().is_some(),
                "{kind}"
            );
        }
    }

    #[test]
    fn members_are_looked_up_by_their_path() {
        let data = serde_json::json!({"tokens": {"input_tokens": 5}, "a.b": 1});
        let check = |member: &str, expected: Option<Value>| {
            assert_eq!(look_up(&data, member).cloned(), expected, "{member}");
        };
        check("tokens.input_tokens", Some(5.into()));
        check("tokens.output_tokens", None);
        check("tokens.input_tokens.x", None);
        check("a.b", None);
    }
}
