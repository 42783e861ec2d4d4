mod mending;
mod options;
mod properties;
mod targets;
mod thinking;
mod tools;

use serde_json::{Value, json};

use super::*;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

/// Without marks for the cache, which most tests are not about.
fn quiet() -> Dialect {
    Dialect {
        cache_breakpoints: false,
        ..Dialect::default()
    }
}

#[track_caller]
fn translated(caller: Format, upstream: Format, body: &Value, dialect: &Dialect) -> Value {
    let body = body.to_string();
    let translated = request(caller, upstream, body.as_bytes(), None, dialect).unwrap();
    serde_json::from_slice(&translated.body).unwrap()
}

/// The body has these members; `null` says that it has none of that name.
#[track_caller]
fn check_with(caller: Format, upstream: Format, body: Value, dialect: &Dialect, expected: Value) {
    let told = translated(caller, upstream, &body, dialect);
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&told[member], value, "{member} of {told:#}");
    }
}

#[track_caller]
fn check(caller: Format, upstream: Format, body: Value, expected: Value) {
    check_with(caller, upstream, body, &quiet(), expected);
}

/// A request of Messages with these turns.
fn messages(turns: Value) -> Value {
    json!({"model": "m", "max_tokens": 100, "messages": turns})
}

/// A request of Chat with these messages.
fn chat(turns: Value) -> Value {
    json!({"model": "m", "messages": turns})
}

/// A request of Responses with this input.
fn responses(input: Value) -> Value {
    json!({"model": "m", "input": input})
}
