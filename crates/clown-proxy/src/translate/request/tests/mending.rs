//! Conversations that a provider would refuse.

use super::*;

fn call(id: &str) -> Value {
    json!({"type": "function_call", "call_id": id, "name": "look", "arguments": "{}"})
}

fn output(id: &str, text: &str) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": text})
}

fn used(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "look", "input": {}})
}

fn result(id: &str, text: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": text}]})
}

fn said(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// An input of Responses, as a provider of Messages gets it: role and content of each turn.
#[track_caller]
fn check_turns(input: Value, expected: &[(&str, Value)]) {
    let turns: Vec<Value> = expected
        .iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect();
    check(R, M, responses(input), json!({"messages": turns}));
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

#[test]
fn calls_and_results_are_laid_in_order() {
    // In parallel, answered the other way round.
    check_turns(
        json!([
            user("Hi"),
            call("a"),
            call("b"),
            output("b", "2"),
            output("a", "1")
        ]),
        &[
            ("user", json!([said("Hi")])),
            ("assistant", json!([used("a"), used("b")])),
            ("user", json!([result("a", "1"), result("b", "2")])),
        ],
    );
    // One after the other.
    check_turns(
        json!([
            user("Hi"),
            call("a"),
            output("a", "1"),
            call("b"),
            output("b", "2")
        ]),
        &[
            ("user", json!([said("Hi")])),
            ("assistant", json!([used("a")])),
            ("user", json!([result("a", "1")])),
            ("assistant", json!([used("b")])),
            ("user", json!([result("b", "2")])),
        ],
    );
    // Something came between the call and its result.
    check_turns(
        json!([user("Hi"), call("a"), user("Hurry"), output("a", "1")]),
        &[
            ("user", json!([said("Hi")])),
            ("assistant", json!([used("a")])),
            ("user", json!([result("a", "1"), said("Hurry")])),
        ],
    );
}

#[test]
fn an_orphan_result_is_told_as_text() {
    check_turns(
        json!([output("x", "old"), user("Hi")]),
        &[(
            "user",
            json!([
                said("The result of an earlier tool call (x):"),
                said("old"),
                said("Hi")
            ]),
        )],
    );
    // The second result of one call is one too.
    check_turns(
        json!([user("Hi"), call("a"), output("a", "1"), output("a", "2")]),
        &[
            ("user", json!([said("Hi")])),
            ("assistant", json!([used("a")])),
            (
                "user",
                json!([
                    result("a", "1"),
                    said("The result of an earlier tool call (a):"),
                    said("2")
                ]),
            ),
        ],
    );
    check(
        M,
        C,
        messages(json!([{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "x", "content": "old"}, {"type": "text", "text": "Hi"}]}])),
        json!({"messages": [{"role": "user", "content": "The result of an earlier tool call (x):\n\nold\n\nHi"}]}),
    );
}

#[test]
fn a_call_without_a_result_gets_one() {
    let mut interrupted = result("a", "The call was interrupted; it has no result.");
    interrupted["is_error"] = json!(true);
    check_turns(
        json!([user("Hi"), call("a"), user("Never mind")]),
        &[
            ("user", json!([said("Hi")])),
            ("assistant", json!([used("a")])),
            ("user", json!([interrupted, said("Never mind")])),
        ],
    );
    check(
        R,
        C,
        responses(json!([user("Hi"), call("a")])),
        json!({"messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "Error: The call was interrupted; it has no result."},
        ]}),
    );
}

#[test]
fn one_id_is_one_call() {
    check_turns(
        json!([
            user("Hi"),
            call("call_0"),
            output("call_0", "1"),
            call("call_0"),
            output("call_0", "2")
        ]),
        &[
            ("user", json!([said("Hi")])),
            ("assistant", json!([used("call_0")])),
            ("user", json!([result("call_0", "1")])),
            ("assistant", json!([used("call_0_2")])),
            ("user", json!([result("call_0_2", "2")])),
        ],
    );
    check_turns(
        json!([
            user("Hi"),
            call("a.b:c"),
            output("a.b:c", "1"),
            call(""),
            output("", "2")
        ]),
        &[
            ("user", json!([said("Hi")])),
            ("assistant", json!([used("a_b_c")])),
            ("user", json!([result("a_b_c", "1")])),
            ("assistant", json!([used("call")])),
            ("user", json!([result("call", "2")])),
        ],
    );
}

#[test]
fn turns_alternate_and_hold_something() {
    check(
        C,
        M,
        chat(json!([
            {"role": "assistant", "content": "First"},
            {"role": "user", "content": "1"},
            {"role": "user", "content": "2"},
            {"role": "assistant", "content": ""},
            {"role": "assistant", "content": "End \n"},
        ])),
        json!({"messages": [
            {"role": "user", "content": "Go on."},
            {"role": "assistant", "content": [said("First")]},
            {"role": "user", "content": [said("1"), said("2")]},
            {"role": "assistant", "content": [said("End")]},
        ]}),
    );
}

#[test]
fn arguments_that_are_no_object_become_one() {
    for (arguments, input) in [
        ("", json!({})),
        ("null", json!({})),
        ("{\"a\": 1}", json!({"a": 1})),
        ("ls -la", json!({"input": "ls -la"})),
        ("{\"cut", json!({"input": "{\"cut"})),
        ("[1]", json!({"input": "[1]"})),
    ] {
        let body = chat(
            json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [
            {"id": "a", "function": {"name": "look", "arguments": arguments}}]}]),
        );
        let told = translated(C, M, &body, &quiet());
        assert_eq!(
            told["messages"][1]["content"][0]["input"], input,
            "{arguments:?}"
        );
    }
    // As an object, from those who do not know better.
    let body = chat(
        json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [
        {"id": "a", "function": {"name": "look", "arguments": {"a": 1}}}]}]),
    );
    let told = translated(C, M, &body, &quiet());
    assert_eq!(told["messages"][1]["content"][0]["input"], json!({"a": 1}));
}

#[test]
fn a_result_of_a_shape_of_its_own_is_told_as_it_stands() {
    for (output, told) in [
        (
            json!({"content": "x", "success": true}),
            json!([said("{\"content\":\"x\",\"success\":true}")]),
        ),
        (
            json!([{"type": "other", "a": 1}]),
            json!([said("[{\"type\":\"other\",\"a\":1}]")]),
        ),
        (json!(7), json!([said("7")])),
        (json!([]), json!([])),
        (json!(null), json!([])),
    ] {
        let body = responses(json!([
            user("Hi"), call("a"),
            {"type": "function_call_output", "call_id": "a", "output": output},
        ]));
        let content = &translated(R, M, &body, &quiet())["messages"][2]["content"][0]["content"];
        assert_eq!(content, &told, "{output}");
        let body = messages(json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [used("a")]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": output}]},
        ]));
        let content = &translated(M, M, &body, &quiet())["messages"][2]["content"][0]["content"];
        assert_eq!(content, &told, "{output}");
    }
}
