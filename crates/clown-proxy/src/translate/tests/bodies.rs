//! Answers in one body.

use super::*;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

#[track_caller]
fn check_body(caller: Format, upstream: Format, body: &str, expected: Value) {
    let whole = reply(caller, upstream).whole(body.as_bytes(), 7).unwrap();
    let told: Value = serde_json::from_slice(&whole.body).unwrap();
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&told[member], value, "{member} of {told:#}");
    }
}

fn chat_body() -> Value {
    json!({"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "message": {
        "role": "assistant", "content": "Hello", "reasoning_content": "Hm",
        "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": "{\"a\":1}"}}],
    }, "finish_reason": "tool_calls"}], "usage": {
        "prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4},
    }})
}

fn messages_body() -> Value {
    json!({"id": "msg_1", "type": "message", "model": "claude", "role": "assistant", "content": [
        {"type": "thinking", "thinking": "Hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "dark"},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}},
        {"type": "tool_use", "id": "c2", "name": "look", "input": {}},
    ], "stop_reason": "tool_use", "usage": {
        "input_tokens": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10, "output_tokens": 9,
    }})
}

fn responses_body() -> Value {
    json!({"id": "resp_1", "object": "response", "model": "gpt", "status": "completed", "error": null, "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "enc"},
        {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{\"a\":1}"},
    ], "usage": {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 20}, "output_tokens": 9}})
}

#[test]
fn chat_for_messages() {
    check_body(
        M,
        C,
        &chat_body().to_string(),
        json!({
            "id": "chatcmpl-1", "type": "message", "role": "assistant", "model": "m",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": ""},
                {"type": "text", "text": "Hello"},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}},
            ],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4, "output_tokens": 5},
        }),
    );
}

#[test]
fn responses_for_messages() {
    check_body(
        M,
        R,
        &responses_body().to_string(),
        json!({
            "id": "resp_1", "model": "gpt", "stop_reason": "tool_use",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "clown.responses:rs_1:enc"},
                {"type": "text", "text": "Hello"},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}},
            ],
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 20, "output_tokens": 9},
        }),
    );
}

#[test]
fn messages_for_chat() {
    check_body(
        C,
        M,
        &messages_body().to_string(),
        json!({
            "id": "msg_1", "object": "chat.completion", "created": 7, "model": "claude",
            "choices": [{"index": 0, "message": {
                "role": "assistant", "content": "Hello", "refusal": null, "reasoning_content": "Hm",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "Hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
                    {"type": "reasoning.encrypted", "data": "dark", "format": "anthropic-claude-v1", "index": 0},
                ],
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}},
                    {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                ],
            }, "logprobs": null, "finish_reason": "tool_calls"}],
            "usage": {
                "prompt_tokens": 33, "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 10},
                "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 42,
            },
        }),
    );
}

#[test]
fn messages_for_responses() {
    let whole = reply(R, M)
        .whole(messages_body().to_string().as_bytes(), 7)
        .unwrap();
    let mut told: Value = serde_json::from_slice(&whole.body).unwrap();
    for item in told["output"].as_array_mut().unwrap() {
        assert!(item.as_object_mut().unwrap().remove("id").is_some());
    }
    assert_eq!(
        told["output"],
        json!([
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "clown.messages:sig"},
            {"type": "reasoning", "summary": [], "encrypted_content": "clown.redacted:dark"},
            {"type": "message", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}]},
            {"type": "function_call", "status": "completed", "call_id": "c1", "name": "look", "arguments": "{\"a\":1}"},
            {"type": "function_call", "status": "completed", "call_id": "c2", "name": "look", "arguments": "{}"},
        ])
    );
    assert_eq!(told["status"], "completed");
    assert_eq!(told["created_at"], 7);
}

#[test]
fn chat_for_responses_gives_tools_their_own_names() {
    let body = json!({"id": "x", "model": "m", "choices": [{"message": {"content": null, "tool_calls": [
        {"id": "c1", "function": {"name": "patch", "arguments": "{\"input\":\"a\\nb\"}"}},
        {"id": "c2", "function": {"name": "files__read", "arguments": "{}"}},
    ]}, "finish_reason": "tool_calls"}]});
    let whole = reply(R, C).whole(body.to_string().as_bytes(), 7).unwrap();
    let told: Value = serde_json::from_slice(&whole.body).unwrap();
    assert_eq!(told["output"][0]["type"], "custom_tool_call");
    assert_eq!(told["output"][0]["input"], "a\nb");
    assert_eq!(told["output"][1]["name"], "read");
    assert_eq!(told["output"][1]["namespace"], "files");
}

#[test]
fn a_stream_where_a_body_was_asked_is_gathered() {
    let stream = events(
        C,
        &[
            delta(json!({"content": "Hel"})),
            delta(json!({"content": "lo"})),
            finish("stop"),
        ],
    ) + "data: [DONE]\n\n";
    for stream in [
        stream.clone(),
        format!("\u{feff}{stream}"),
        format!("\n{stream}"),
    ] {
        check_body(
            M,
            C,
            &stream,
            json!({
                "id": "chatcmpl-1",
                "content": [{"type": "text", "text": "Hello"}],
                "stop_reason": "end_turn",
            }),
        );
    }
}

#[test]
fn what_is_no_answer_is_an_error_in_the_callers_shape() {
    for (upstream, body, status, message) in [
        (
            C,
            r#"{"error": {"message": "gone", "code": 404}}"#,
            404,
            "gone",
        ),
        (
            C,
            r#"{"choices": [{"message": null, "error": {"message": "full", "code": 429}}]}"#,
            429,
            "full",
        ),
        (
            R,
            r#"{"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}"#,
            429,
            "slow",
        ),
        (
            C,
            "{}",
            500,
            "The upstream ended the stream without an answer.",
        ),
        (
            R,
            "{}",
            500,
            "The upstream ended the stream without an answer.",
        ),
        (
            C,
            "<html>",
            500,
            "The upstream ended the stream before the answer was whole.",
        ),
        (
            C,
            "",
            500,
            "The upstream ended the stream before the answer was whole.",
        ),
        (C, r#"{"choices": [{"mess"#, 500, "cannot be read"),
        (
            C,
            "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
            500,
            "before the answer was whole",
        ),
    ] {
        let error = reply(M, upstream).whole(body.as_bytes(), 0).unwrap_err();
        assert_eq!(error.failure.status(M), status, "{body}");
        assert!(error.failure.message.contains(message), "{}", error.failure);
        assert_eq!(error.outcome.failure.as_ref(), Some(&error.failure));
    }
}

#[test]
fn what_is_metered_is_the_same_however_it_is_translated() {
    let outcome = reply(M, C)
        .whole(chat_body().to_string().as_bytes(), 0)
        .unwrap()
        .outcome;
    assert_eq!(outcome.message_id, "chatcmpl-1");
    assert_eq!(outcome.model, "m");
    assert_eq!(outcome.stop, Some(Stop::ToolUse));
    assert_eq!(
        (
            outcome.usage.input,
            outcome.usage.cache_read,
            outcome.usage.output
        ),
        (6, 4, 5)
    );
    let mut stream = reply(M, C).stream(0);
    stream.feed(chat_body().to_string().into());
    stream.finish();
    assert_eq!(stream.outcome(), outcome);
}
