//! Streams of an upstream of Responses.

use super::*;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "model": "gpt", "status": "in_progress", "output": []}})
}

fn completed(status: &str) -> Value {
    json!({"type": format!("response.{status}"), "response": {
        "id": "resp_1", "model": "gpt", "status": status, "output": [], "error": null,
        "incomplete_details": if status == "incomplete" { json!({"reason": "max_output_tokens"}) } else { json!(null) },
        "usage": {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 20},
                  "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 39},
    }})
}

fn added(index: u64, item: Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": index, "item": item})
}

fn done(index: u64, item: Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": index, "item": item})
}

fn text(index: u64, delta: &str) -> Value {
    json!({"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": delta})
}

const END: &str = "stop end_turn in=10 read=20 write=0 out=9";

#[test]
fn text_thinking_and_its_proof() {
    let stream = [
        created(),
        added(0, json!({"type": "reasoning", "id": "rs_1", "summary": []})),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "One"}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "Two"}),
        done(
            0,
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "One"}, {"type": "summary_text", "text": "Two"}], "encrypted_content": "enc"}),
        ),
        added(1, json!({"type": "message", "id": "m", "content": []})),
        text(1, "He"),
        text(1, "llo"),
        done(
            1,
            json!({"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Hello"}]}),
        ),
        completed("completed"),
    ];
    check(
        M,
        R,
        &stream,
        &[
            "start resp_1 gpt",
            "+0 thinking",
            "thinking One",
            "thinking \n\n",
            "thinking Two",
            "signature clown.responses:rs_1:enc",
            "-0",
            "+1 text",
            "text He",
            "text llo",
            "-1",
            END,
            "end",
        ],
    );
    check(
        C,
        R,
        &stream,
        &[
            "start resp_1 gpt",
            "thinking One",
            "thinking \n\n",
            "thinking Two",
            "text He",
            "text llo",
            "finish stop",
            "usage in=30 read=20 write=0 out=9 thought=4",
            "end",
        ],
    );
}

#[test]
fn calls_are_told_in_pieces_or_only_at_their_end() {
    let call = |id: &str, arguments: &str| json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "look", "arguments": arguments});
    let stream = [
        created(),
        added(0, call("c1", "")),
        added(1, call("c2", "")),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{\"a\":"}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "1}"}),
        done(1, call("c2", "{\"b\":2}")),
        done(0, call("c1", "{\"a\":1}")),
        done(2, call("c3", "{}")),
        completed("completed"),
    ];
    check(
        M,
        R,
        &stream,
        &[
            "start resp_1 gpt",
            "+0 tool c1 look",
            "json {\"a\":",
            "json 1}",
            "-0",
            "+1 tool c2 look",
            "json {\"b\":2}",
            "-1",
            "+2 tool c3 look",
            "json {}",
            "-2",
            "stop tool_use in=10 read=20 write=0 out=9",
            "end",
        ],
    );
}

#[test]
fn what_was_not_told_before_is_read_at_the_end() {
    let mut last = completed("completed");
    last["response"]["output"] = json!([
        {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
    ]);
    check(
        M,
        R,
        &[created(), last.clone()],
        &[
            "start resp_1 gpt",
            "+0 text",
            "text Hello",
            "-0",
            "+1 tool c1 look",
            "json {}",
            "-1",
            "stop tool_use in=10 read=20 write=0 out=9",
            "end",
        ],
    );
    // And what was, is not told twice.
    let stream = [
        created(),
        text(0, "Hello"),
        done(
            1,
            json!({"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}),
        ),
        last,
    ];
    check(
        C,
        R,
        &stream,
        &[
            "start resp_1 gpt",
            "text Hello",
            "+0 tool c1 look",
            "0 json {}",
            "finish tool_calls",
            "usage in=30 read=20 write=0 out=9 thought=4",
            "end",
        ],
    );
}

#[test]
fn an_answer_may_be_incomplete() {
    check(
        M,
        R,
        &[created(), text(0, "x"), completed("incomplete")],
        &[
            "start resp_1 gpt",
            "+0 text",
            "text x",
            "-0",
            "stop max_tokens in=10 read=20 write=0 out=9",
            "end",
        ],
    );
}

#[test]
fn an_answer_may_fail() {
    let mut failed = completed("failed");
    failed["response"]["error"] = json!({"code": "rate_limit_exceeded", "message": "slow down"});
    check(
        M,
        R,
        &[created(), text(0, "x"), failed],
        &[
            "start resp_1 gpt",
            "+0 text",
            "text x",
            "error rate_limit_error: slow down",
        ],
    );
    check(
        C,
        R,
        &[
            created(),
            json!({"type": "error", "code": "server_error", "message": "broken", "param": null}),
        ],
        &[
            "start resp_1 gpt",
            "error server_error \"server_error\": broken",
        ],
    );
    check(
        M,
        R,
        &[
            created(),
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "full"}}),
        ],
        &["start resp_1 gpt", "error overloaded_error: full"],
    );
}
