//! Streams of an upstream of Messages.

use super::*;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

pub(super) fn start() -> Value {
    json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
        "stop_reason": null, "usage": {
            "input_tokens": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10,
            "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 1,
        },
    }})
}

pub(super) fn open(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

pub(super) fn piece(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

pub(super) fn close(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

pub(super) fn stop(reason: &str, sequence: Option<&str>) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence},
               "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]
}

fn stream(blocks: &[Value], reason: &str) -> Vec<Value> {
    let mut stream = vec![start(), json!({"type": "ping"})];
    stream.extend_from_slice(blocks);
    stream.extend(stop(reason, None));
    stream
}

#[test]
fn text_and_usage() {
    let stream = stream(
        &[
            open(0, json!({"type": "text", "text": ""})),
            piece(0, json!({"type": "text_delta", "text": "He"})),
            piece(0, json!({"type": "text_delta", "text": "llo"})),
            close(0),
        ],
        "end_turn",
    );
    check(
        C,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "text He",
            "text llo",
            "finish stop",
            "usage in=33 read=20 write=10 out=9 thought=0",
            "end",
        ],
    );
    check(
        R,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "+0 message",
            "text He",
            "text llo",
            "-0 message Hello",
            "completed [message] in=33 read=20 out=9",
        ],
    );
}

#[test]
fn thinking_keeps_its_signature() {
    let stream = stream(
        &[
            open(
                0,
                json!({"type": "thinking", "thinking": "", "signature": ""}),
            ),
            piece(0, json!({"type": "thinking_delta", "thinking": "Hm"})),
            piece(0, json!({"type": "signature_delta", "signature": "sig"})),
            close(0),
            open(1, json!({"type": "redacted_thinking", "data": "dark"})),
            close(1),
            open(2, json!({"type": "text", "text": "Yes"})),
            close(2),
        ],
        "end_turn",
    );
    check(
        C,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "thinking Hm",
            "reasoning.text sig",
            "reasoning.encrypted dark",
            "text Yes",
            "finish stop",
            "usage in=33 read=20 write=10 out=9 thought=0",
            "end",
        ],
    );
    check(
        R,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "+0 reasoning",
            "thinking Hm",
            "-0 reasoning \"Hm\" \"clown.messages:sig\"",
            "+1 reasoning",
            "-1 reasoning null \"clown.redacted:dark\"",
            "+2 message",
            "text Yes",
            "-2 message Yes",
            "completed [reasoning reasoning message] in=33 read=20 out=9",
        ],
    );
}

#[test]
fn tools_are_called_also_without_arguments() {
    let stream = stream(
        &[
            open(
                0,
                json!({"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}),
            ),
            piece(0, json!({"type": "input_json_delta", "partial_json": ""})),
            piece(
                0,
                json!({"type": "input_json_delta", "partial_json": "{\"a\": 1}"}),
            ),
            close(0),
            open(
                1,
                json!({"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}),
            ),
            close(1),
            open(
                2,
                json!({"type": "tool_use", "id": "toolu_3", "name": "look", "input": {"b": 2}}),
            ),
            close(2),
        ],
        "tool_use",
    );
    check(
        C,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "+0 tool toolu_1 look",
            "0 json {\"a\": 1}",
            "+1 tool toolu_2 look",
            "1 json {}",
            "+2 tool toolu_3 look",
            "2 json {\"b\":2}",
            "finish tool_calls",
            "usage in=33 read=20 write=10 out=9 thought=0",
            "end",
        ],
    );
    check(
        R,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "+0 function_call",
            "json {\"a\": 1}",
            "-0 call toolu_1 look {\"a\": 1}",
            "+1 function_call",
            "-1 call toolu_2 look {}",
            "+2 function_call",
            "json {\"b\":2}",
            "-2 call toolu_3 look {\"b\":2}",
            "completed [function_call function_call function_call] in=33 read=20 out=9",
        ],
    );
}

#[test]
fn blocks_may_be_interleaved() {
    let stream = stream(
        &[
            open(
                0,
                json!({"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}),
            ),
            open(
                1,
                json!({"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}),
            ),
            piece(
                1,
                json!({"type": "input_json_delta", "partial_json": "{\"b\":2}"}),
            ),
            close(1),
            piece(
                0,
                json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"}),
            ),
            close(0),
        ],
        "tool_use",
    );
    check(
        C,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "+0 tool toolu_1 look",
            "0 json {\"a\":1}",
            "+1 tool toolu_2 look",
            "1 json {\"b\":2}",
            "finish tool_calls",
            "usage in=33 read=20 write=10 out=9 thought=0",
            "end",
        ],
    );
}

#[test]
fn what_the_provider_does_itself_is_left_out() {
    let stream = stream(
        &[
            open(
                0,
                json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}),
            ),
            piece(
                0,
                json!({"type": "input_json_delta", "partial_json": "{\"query\":1}"}),
            ),
            close(0),
            open(
                1,
                json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}),
            ),
            close(1),
            open(2, json!({"type": "text", "text": "", "citations": []})),
            piece(2, json!({"type": "citations_delta", "citation": {}})),
            piece(2, json!({"type": "text_delta", "text": "Found"})),
            close(2),
        ],
        "end_turn",
    );
    check(
        C,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "text Found",
            "finish stop",
            "usage in=33 read=20 write=10 out=9 thought=0",
            "end",
        ],
    );
}

#[test]
fn why_it_stopped_is_told() {
    let text = open(0, json!({"type": "text", "text": "x"}));
    for (reason, chat, responses) in [
        ("end_turn", "stop", "completed"),
        ("stop_sequence", "stop", "completed"),
        ("pause_turn", "stop", "completed"),
        ("max_tokens", "length", "incomplete max_output_tokens"),
        (
            "model_context_window_exceeded",
            "length",
            "incomplete max_output_tokens",
        ),
        ("refusal", "content_filter", "incomplete content_filter"),
    ] {
        let stream = stream(&[text.clone(), close(0)], reason);
        check(
            C,
            M,
            &stream,
            &[
                "start msg_1 claude",
                "text x",
                &format!("finish {chat}"),
                "usage in=33 read=20 write=10 out=9 thought=0",
                "end",
            ],
        );
        check(
            R,
            M,
            &stream,
            &[
                "start msg_1 claude",
                "+0 message",
                "text x",
                "-0 message x",
                &format!("{responses} [message] in=33 read=20 out=9"),
            ],
        );
    }
}

#[test]
fn usage_at_the_end_replaces_what_was_told_and_zero_replaces_nothing() {
    let mut stream = stream(
        &[open(0, json!({"type": "text", "text": "x"})), close(0)],
        "end_turn",
    );
    let last = stream.len() - 2;
    stream[last]["usage"] = json!({
        "input_tokens": 0, "cache_read_input_tokens": 50, "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 2},
    });
    check(
        C,
        M,
        &stream,
        &[
            "start msg_1 claude",
            "text x",
            "finish stop",
            "usage in=63 read=50 write=10 out=7 thought=2",
            "end",
        ],
    );
}
