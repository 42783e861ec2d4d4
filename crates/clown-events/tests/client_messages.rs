//! What the daemon makes of a client's message, good or bad.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helping functions too"
)]

use clown_events::{
    ClientError, ClientMessage, ControlEnvelope, ControlMessage, ErrorCode, Filter, Timestamp,
};
use serde_json::{Value, json};

#[track_caller]
fn check(text: &str, code: &ErrorCode, id: Option<&Value>, message: &str) {
    let error = ClientMessage::parse(text).unwrap_err();
    assert_eq!(&error.code, code, "{error}");
    assert_eq!(error.id.as_ref(), id);
    assert!(error.message.starts_with(message), "{}", error.message);
}

#[test]
fn bad_messages_get_a_code_a_text_and_their_id() {
    let json = ErrorCode::InvalidJson;
    check("", &json, None, "the message is no JSON object: EOF");
    check("{", &json, None, "the message is no JSON object");
    check(
        "[]",
        &json,
        None,
        "the message is no JSON object: invalid type: sequence",
    );
    check("\"ping\"", &json, None, "the message is no JSON object");
    check(
        r#"{"action":"ping"} {}"#,
        &json,
        None,
        "the message is no JSON object: trailing characters",
    );

    let action = ErrorCode::UnknownAction;
    check("{}", &action, None, "the message has no action");
    check(
        r#"{"action":1,"id":1}"#,
        &action,
        Some(&json!(1)),
        "the message has no action",
    );
    check(
        r#"{"action":"Ping","id":"a"}"#,
        &action,
        Some(&json!("a")),
        "unknown action \"Ping\"; use subscribe",
    );

    let events = ErrorCode::InvalidEvents;
    check(
        r#"{"action":"subscribe","id":null}"#,
        &events,
        Some(&Value::Null),
        "subscribe lacks the member \"events\"",
    );
    check(
        r#"{"action":"unsubscribe"}"#,
        &events,
        None,
        "unsubscribe lacks the member \"events\"",
    );
    check(
        r#"{"action":"subscribe","events":"*"}"#,
        &events,
        None,
        "the member \"events\" is no list of strings",
    );
    check(
        r#"{"action":"subscribe","events":null}"#,
        &events,
        None,
        "the member \"events\" is no list",
    );
    check(
        r#"{"action":"subscribe","events":["A",1]}"#,
        &events,
        None,
        "the member \"events\" is no list",
    );
    check(
        r#"{"action":"subscribe","events":["**"]}"#,
        &events,
        None,
        "\"**\" is no event name",
    );
    check(
        r#"{"action":"subscribe","events":[""]}"#,
        &events,
        None,
        "\"\" is no event name",
    );
    check(
        r#"{"action":"unsubscribe","events":["a b"],"id":[]}"#,
        &events,
        Some(&json!([])),
        "\"a b\" is no event name",
    );
    check(
        r#"{"action":"subscribe","events":[],"profiles":"w"}"#,
        &events,
        None,
        "the member \"profiles\" is no list",
    );
    check(
        r#"{"action":"subscribe","events":[],"profiles":["-"]}"#,
        &events,
        None,
        "\"-\" is no profile alias",
    );

    let many = ErrorCode::TooMany;
    let named = |count: usize| {
        json!({"action": "subscribe", "events": vec!["A"; count], "id": 3}).to_string()
    };
    assert!(ClientMessage::parse(&named(128)).is_ok());
    check(
        &named(129),
        &many,
        Some(&json!(3)),
        "129 names are too many; give at most 128",
    );
}

#[test]
fn unknown_names_and_members_are_accepted() {
    let text = r#"{"later":1,"id":{"a":1.5},"events":["HookFired","Hook*"],"action":"subscribe"}"#;
    let message = ClientMessage::subscribe(["HookFired", "Hook*"]).with_id(json!({"a": 1.5}));
    assert_eq!(ClientMessage::parse(text), Ok(message));
}

#[test]
fn a_refusal_becomes_the_answer() {
    let refused = ClientMessage::parse(r#"{"action":"jump","id":4}"#).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("unknown_action: {}", refused.message)
    );
    let moment = Timestamp::from_unix_millis(0).unwrap();
    let answer = ControlEnvelope::new(moment, refused.clone());
    let text = format!(
        r#"{{"type":"Error","timestamp":"1970-01-01T00:00:00Z","data":{{"id":4,"code":"unknown_action","message":{:?}}}}}"#,
        refused.message
    );
    assert_eq!(answer.to_json(), text);

    let limited = ClientError::new(ErrorCode::RateLimited, "wait a second").with_id(Some(json!(1)));
    let expected = ControlMessage::Error {
        id: Some(json!(1)),
        code: ErrorCode::RateLimited,
        message: "wait a second".to_owned(),
    };
    assert_eq!(ControlMessage::from(limited), expected);
}

#[test]
fn what_parses_is_also_accepted_by_a_filter() {
    let mut filter = Filter::all();
    let Ok(ClientMessage::Subscribe {
        events, profiles, ..
    }) = ClientMessage::parse(r#"{"action":"subscribe","events":["Proxy*"],"profiles":["work"]}"#)
    else {
        panic!("a good message was refused")
    };
    filter.subscribe(&events, &profiles).unwrap();
    assert_eq!(
        (filter.events(), filter.profiles()),
        (events, profiles.as_slice())
    );
}
