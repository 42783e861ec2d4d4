//! There and back keeps the meaning of a request.

use proptest::prelude::*;

use super::*;

fn words() -> impl Strategy<Value = String> {
    "[a-zž🐎\"\\\\\n]{1,8}"
}

/// What a user says in a turn: a text, or a text and an image.
fn user() -> impl Strategy<Value = Value> {
    (words(), any::<bool>()).prop_map(|(text, image)| {
        let mut parts = vec![json!({"type": "text", "text": text})];
        if image {
            parts.push(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}));
        }
        Value::from(parts)
    })
}

/// A turn of the assistant's: perhaps a text, and calls with their arguments and results.
fn assistant() -> impl Strategy<Value = (Option<String>, Vec<(String, String)>)> {
    (
        prop::option::of(words()),
        prop::collection::vec((words(), words()), 0..3),
    )
        .prop_filter("a turn holds something", |(text, calls)| {
            // An answer that begins with white space alone is trimmed.
            text.as_ref().is_some_and(|text| !text.trim().is_empty()) || !calls.is_empty()
        })
}

fn conversation() -> impl Strategy<Value = Value> {
    let turn = (assistant(), user());
    (
        words(),
        user(),
        prop::collection::vec(turn, 0..4),
        prop::option::of(words()),
        any::<bool>(),
    )
        .prop_map(|(system, first, turns, description, stream)| {
            let mut said = vec![json!({"role": "user", "content": first})];
            for (number, ((text, calls), user)) in turns.into_iter().enumerate() {
                let mut parts = Vec::new();
                parts.extend(text.map(|text| json!({"type": "text", "text": text})));
                let mut results = Vec::new();
                for (place, (argument, result)) in calls.iter().enumerate() {
                    let id = format!("t{number}_{place}");
                    parts.push(json!({"type": "tool_use", "id": id, "name": "look", "input": {"a": argument}}));
                    results.push(json!({"type": "tool_result", "tool_use_id": id, "content": result}));
                }
                said.push(json!({"role": "assistant", "content": parts}));
                results.extend(user.as_array().unwrap().iter().cloned());
                said.push(json!({"role": "user", "content": results}));
            }
            let mut body = messages(Value::from(said));
            body["system"] = json!(system);
            body["stream"] = json!(stream);
            body["temperature"] = json!(0.25);
            body["tools"] = json!([{"name": "look", "description": description, "input_schema": {"type": "object"}}]);
            body
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_request_there_and_back_is_the_same(body in conversation()) {
        let same = translated(M, M, &body, &quiet());
        for other in [C, R] {
            let there = translated(M, other, &body, &quiet());
            let back = translated(other, M, &there, &quiet());
            prop_assert_eq!(&back, &same, "by way of {:?}", other);
        }
    }

    #[test]
    fn a_request_in_its_own_format_changes_once_at_most(body in conversation()) {
        for format in [M, C, R] {
            let once = translated(M, format, &body, &quiet());
            let twice = translated(format, format, &once, &quiet());
            prop_assert_eq!(&twice, &once);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in ".{0,60}") {
        for caller in [M, C, R] {
            let _either = request(caller, C, body.as_bytes(), None, &quiet());
        }
    }
}
