//! What is wrong with a message is said by the event's and the member's name.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helping functions too"
)]

use clown_events::{ControlEnvelope, Envelope, Event, ServerMessage};

#[track_caller]
fn check(name: &str, data: &str, expected: &str) {
    let text = format!(r#"{{"type":"{name}","timestamp":"2026-01-08T10:30:00Z","data":{data}}}"#);
    assert_eq!(
        ServerMessage::parse(&text).unwrap_err().to_string(),
        expected,
        "{text}"
    );
    // Serde's own ways in say the same; they may add a position.
    let from_text = serde_json::from_str::<ServerMessage>(&text)
        .unwrap_err()
        .to_string();
    assert!(from_text.starts_with(expected), "{from_text}");
    let from_reader = serde_json::from_reader::<_, ServerMessage>(text.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(from_reader.starts_with(expected), "{from_reader}");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(serde_json::from_value::<ServerMessage>(value).is_err());
}

#[test]
fn bad_data_of_a_known_event_names_the_member() {
    check(
        "ProfileStarted",
        r#"{"alias":"work","pid":"x"}"#,
        r#"ProfileStarted: member "pid": invalid type: string "x", expected u32"#,
    );
    check(
        "ProfileStarted",
        r#"{"alias":"work"}"#,
        r#"ProfileStarted: member "pid": missing"#,
    );
    check(
        "ProfileStarted",
        r#"{"pid":1}"#,
        r#"ProfileStarted: member "alias": missing"#,
    );
    check(
        "ProfileStarted",
        r#"{"alias":"work","pid":null}"#,
        r#"ProfileStarted: member "pid": invalid type: null, expected u32"#,
    );
    check(
        "ProfileStarted",
        r#"{"alias":"work","pid":-1}"#,
        r#"ProfileStarted: member "pid": invalid value: integer `-1`, expected u32"#,
    );
    check(
        "ProxyStarted",
        r#"{"profile":"work","port":65536,"pid":1}"#,
        r#"ProxyStarted: member "port": invalid value: integer `65536`, expected u16"#,
    );
    check(
        "ProfileDeleted",
        "null",
        "ProfileDeleted: invalid type: null, expected an object with alias",
    );
    check(
        "ProfileDeleted",
        r#"["a"]"#,
        "ProfileDeleted: invalid type: sequence, expected an object with alias",
    );
    check(
        "AgentUpdated",
        r#"{"id":"claude","old_version":"1"}"#,
        r#"AgentUpdated: member "new_version": missing"#,
    );
    check(
        "ProfileUpdated",
        r#"{"alias":"a","changes":[1]}"#,
        r#"ProfileUpdated: member "changes": invalid type: integer `1`, expected a string"#,
    );
    check(
        "DaemonShuttingDown",
        r#"{"reason":1}"#,
        r#"DaemonShuttingDown: member "reason": invalid type: integer `1`, expected a string"#,
    );
}

#[test]
fn a_member_within_a_member_is_named_by_its_path() {
    let usage = |tokens: &str, cost: &str| {
        format!(r#"{{"profile":"work","tokens":{tokens},"cost":{cost}}}"#)
    };
    let tokens = r#"{"input_tokens":1,"output_tokens":2}"#;
    check(
        "UsageUpdated",
        &usage(r#"{"input_tokens":1}"#, "{}"),
        r#"UsageUpdated: member "tokens.output_tokens": missing"#,
    );
    check(
        "UsageUpdated",
        &usage(tokens, r#"{"total_cost":"1"}"#),
        r#"UsageUpdated: member "cost.total_cost": invalid type: a string, expected a number of US dollars"#,
    );
    check(
        "UsageUpdated",
        &usage(tokens, r#"{"total_cost":1,"unpriced":null}"#),
        r#"UsageUpdated: member "cost.unpriced": invalid type: null, expected a boolean"#,
    );
}

#[test]
fn bad_control_messages_are_no_events() {
    check(
        "Gap",
        r#"{"since":1,"oldest":2}"#,
        r#"Gap: member "latest": missing"#,
    );
    check(
        "Error",
        r#"{"code":1,"message":""}"#,
        r#"Error: member "code": invalid type: integer `1`, expected a string"#,
    );
    let text =
        r#"{"type":"ProfileDeleted","timestamp":"2026-01-08T10:30:00Z","data":{"alias":"work"}}"#;
    let error = ControlEnvelope::parse(text).unwrap_err().to_string();
    assert_eq!(error, "ProfileDeleted: not a control message");
}

#[test]
fn bad_envelopes_name_the_member_too() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = Envelope::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    check(
        r#"{"timestamp":"2026-01-08T10:30:00Z","data":{}}"#,
        r#"member "type": missing"#,
    );
    check(
        r#"{"type":"X","data":{}}"#,
        r#"member "timestamp": missing"#,
    );
    check(
        r#"{"type":"X","timestamp":"2026-01-08T10:30:00Z"}"#,
        r#"member "data": missing"#,
    );
    check(
        r#"{"type":1}"#,
        r#"member "type": invalid type: integer `1`, expected a string"#,
    );
    check(
        r#"{"type":"X","type":"Y"}"#,
        r#"member "type": given twice"#,
    );
    check(
        r#"{"type":"ProfileDeleted","timestamp":"2026-01-08T10:30:00Z","data":{"alias":"a","alias":"b"}}"#,
        r#"ProfileDeleted: member "alias": given twice"#,
    );
    check(
        r#"{"timestamp":"today"}"#,
        r#"member "timestamp": invalid value: string "today", expected an RFC 3339 time"#,
    );
    check(
        r#"{"timestamp":"9999-12-31T23:59:59-01:00"}"#,
        r#"member "timestamp": the time lies outside the years 0 to 9999"#,
    );
    check(
        r#"{"seq":-1}"#,
        r#"member "seq": invalid value: integer `-1`, expected u64"#,
    );
    check(
        "[]",
        "invalid type: sequence, expected an object with type, timestamp, data",
    );
    check("", "EOF while parsing a value");
    check(
        r#"{"type":"X","timestamp":"2026-01-08T10:30:00Z","data":{}} x"#,
        "trailing characters",
    );
}

#[test]
fn extra_members_and_any_order_are_fine() {
    let text = r#"{"later":[{}],"seq":5,"data":{"new":{"x":1},"pid":1,"alias":"work"},"t\u0079pe":"ProfileStarted",
        "timestamp":"2026-01-08T11:30:00.0000009+01:00"}"#;
    let envelope = Envelope::parse(text).unwrap();
    assert!(
        matches!(&envelope.event, Event::ProfileStarted(data) if data.alias == "work" && data.pid == 1)
    );
    assert_eq!(
        envelope.to_json(),
        r#"{"type":"ProfileStarted","timestamp":"2026-01-08T10:30:00Z","data":{"alias":"work","pid":1},"seq":5}"#
    );
    let without_kept = r#"{"type":"X","timestamp":"2026-01-08T10:30:00Z","data":1,"more":true}"#;
    assert_eq!(Envelope::parse(without_kept).unwrap().event.name(), "X");
}
