//! Tool calls in streams of Chat, which every upstream tells in its own way.

use super::*;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

#[test]
fn a_tool_is_called() {
    let stream = [
        call(
            json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}),
        ),
        call(json!({"index": 0, "function": {"arguments": "{\"a\""}})),
        call(json!({"index": 0, "function": {"arguments": ":1}"}})),
        finish("tool_calls"),
    ];
    check(
        M,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 tool c1 look",
            "json {\"a\"",
            "json :1}",
            "-0",
            "stop tool_use in=0 read=0 write=0 out=0",
            "end",
        ],
    );
    check(
        R,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 function_call",
            "json {\"a\"",
            "json :1}",
            "-0 call c1 look {\"a\":1}",
            "completed [function_call] in=0 read=0 out=0",
        ],
    );
}

#[test]
fn tools_of_responses_come_back_as_they_were_offered() {
    let stream = [
        call(
            json!({"index": 0, "id": "c1", "function": {"name": "patch", "arguments": "{\"input\":\"*** Begin\\n\"}"}}),
        ),
        call(
            json!({"index": 1, "id": "c2", "function": {"name": "files__read", "arguments": "{}"}}),
        ),
        finish("tool_calls"),
    ];
    check(
        R,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 custom_tool_call",
            "input *** Begin\n",
            "-0 custom c1 patch *** Begin\n",
            "+1 function_call",
            "json {}",
            "-1 call c2 files/read {}",
            "completed [custom_tool_call function_call] in=0 read=0 out=0",
        ],
    );
}

#[test]
fn interleaved_calls_are_told_one_after_the_other() {
    let piece =
        |index: u64, json: &str| call(json!({"index": index, "function": {"arguments": json}}));
    let start = |index: u64, id: &str| {
        call(json!({"index": index, "id": id, "function": {"name": "look", "arguments": ""}}))
    };
    let stream = [
        start(0, "c0"),
        start(1, "c1"),
        piece(0, "{\"a\":"),
        piece(1, "{\"b\":"),
        delta(json!({"content": "text"})),
        piece(1, "\"}\"}"),
        piece(0, "1}"),
        finish("tool_calls"),
    ];
    check(
        M,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 tool c0 look",
            "json {\"a\":",
            "json 1}",
            "-0",
            "+1 tool c1 look",
            "json {\"b\":\"}\"}",
            "-1",
            "+2 text",
            "text text",
            "-2",
            "stop tool_use in=0 read=0 write=0 out=0",
            "end",
        ],
    );
}

#[test]
fn calls_are_told_apart_whatever_is_missing() {
    let named =
        |name: &str, arguments: &str| json!({"function": {"name": name, "arguments": arguments}});
    let two: &[&str] = &[
        "start chatcmpl-1 m",
        "+0 tool call_* look",
        "json {\"a\":1}",
        "-0",
        "+1 tool call_* look",
        "json {\"a\":2}",
        "-1",
        "stop tool_use in=0 read=0 write=0 out=0",
        "end",
    ];
    // Neither index nor id: a whole object before it makes it another call.
    check(
        M,
        C,
        &[
            call(named("look", "{\"a\":1}")),
            call(named("look", "{\"a\":2}")),
            finish("stop"),
        ],
        two,
    );
    let both =
        delta(json!({"tool_calls": [named("look", "{\"a\":1}"), named("look", "{\"a\":2}")]}));
    check(M, C, &[both, finish("stop")], two);
    // One index for all, told apart by id.
    let zero = |id: &str, arguments: &str| {
        call(json!({"index": 0, "id": id, "function": {"name": "look", "arguments": arguments}}))
    };
    let ids: Vec<String> = two
        .iter()
        .map(|line| line.to_string())
        .map(|line| match &line[..2] {
            "+0" => line.replace("call_*", "x"),
            "+1" => line.replace("call_*", "y"),
            _ => line,
        })
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    check(
        M,
        C,
        &[
            zero("x", "{\"a\":1}"),
            zero("y", "{\"a\":2}"),
            finish("tool_calls"),
        ],
        &ids,
    );
    // No index, an id at every piece, and the name again and again.
    let by_id = |id: &str, arguments: &str| {
        call(json!({"id": id, "function": {"name": "look", "arguments": arguments}}))
    };
    check(
        M,
        C,
        &[
            by_id("x", "{\"a\":1}"),
            by_id("y", "{\"a\":2}"),
            finish("tool_calls"),
        ],
        &ids,
    );
    // No index and no id, in pieces.
    let bare = |arguments: &str| call(json!({"function": {"arguments": arguments}}));
    check(
        M,
        C,
        &[
            call(named("look", "")),
            bare("{\"a\":"),
            bare("1}"),
            finish("stop"),
        ],
        &[
            "start chatcmpl-1 m",
            "+0 tool call_* look",
            "json {\"a\":",
            "json 1}",
            "-0",
            "stop tool_use in=0 read=0 write=0 out=0",
            "end",
        ],
    );
}

#[test]
fn an_index_may_be_huge_and_a_name_late() {
    let huge = [
        json!({"index": u64::MAX, "id": "c1"}),
        json!({"index": u64::MAX, "function": {"arguments": "{\"a\""}}),
        json!({"index": u64::MAX, "function": {"name": "look", "arguments": ":1"}}),
        json!({"index": u64::MAX, "function": {"arguments": "}"}}),
    ];
    let mut stream: Vec<Value> = huge.into_iter().map(call).collect();
    stream.push(finish("tool_calls"));
    check(
        M,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 tool c1 look",
            "json {\"a\"",
            "json :1",
            "json }",
            "-0",
            "stop tool_use in=0 read=0 write=0 out=0",
            "end",
        ],
    );
}

#[test]
fn arguments_may_be_an_object_or_nothing() {
    let stream = |arguments: Value| {
        [
            call(
                json!({"index": 0, "id": "c1", "function": {"name": "look", "arguments": arguments}}),
            ),
            finish("tool_calls"),
        ]
    };
    check(
        M,
        C,
        &stream(json!({"a": 1})),
        &[
            "start chatcmpl-1 m",
            "+0 tool c1 look",
            "json {\"a\":1}",
            "-0",
            "stop tool_use in=0 read=0 write=0 out=0",
            "end",
        ],
    );
    for nothing in [json!(""), json!(null), json!("null"), json!("  ")] {
        check(
            M,
            C,
            &stream(nothing.clone()),
            &[
                "start chatcmpl-1 m",
                "+0 tool c1 look",
                "-0",
                "stop tool_use in=0 read=0 write=0 out=0",
                "end",
            ],
        );
        check(
            R,
            C,
            &stream(nothing),
            &[
                "start chatcmpl-1 m",
                "+0 function_call",
                "-0 call c1 look {}",
                "completed [function_call] in=0 read=0 out=0",
            ],
        );
    }
}
