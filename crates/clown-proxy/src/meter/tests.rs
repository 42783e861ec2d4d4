use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::failure::FailureKind;
use crate::translate::Stop;
use crate::usage::Usage;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

fn metered(format: Format, chunks: &[&[u8]]) -> Outcome {
    let mut meter = Meter::new(format);
    for chunk in chunks {
        meter.feed(&Bytes::copy_from_slice(chunk));
    }
    meter.finish()
}

/// The answer is metered so: whole, cut at each byte, and byte by byte.
#[track_caller]
fn check(format: Format, answer: &str, expected: &Outcome) {
    let bytes = answer.as_bytes();
    assert_eq!(&metered(format, &[bytes]), expected, "whole");
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(&metered(format, &[head, tail]), expected, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(&metered(format, &single), expected, "byte by byte");
}

fn outcome(id: &str, model: &str, usage: Usage, stop: Option<Stop>) -> Outcome {
    Outcome {
        message_id: id.to_owned(),
        model: model.to_owned(),
        usage,
        stop,
        failure: None,
    }
}

fn named(data: &[Value]) -> String {
    let event = |value: &Value| {
        format!(
            "event: {}\ndata: {value}\n\n",
            value["type"].as_str().unwrap()
        )
    };
    data.iter().map(event).collect()
}

fn bare(data: &[Value]) -> String {
    data.iter()
        .map(|value| format!("data: {value}\n\n"))
        .collect()
}

fn messages() -> [Value; 5] {
    [
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude", "content": [], "stop_reason": null,
            "usage": {"input_tokens": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10,
                      "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4}, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        // What a model says of usage is no usage.
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "\"usage\":{\"output_tokens\":99}"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]
}

const OF_MESSAGES: Usage = Usage {
    input: 3,
    cache_read: 20,
    cache_write_5m: 6,
    cache_write_1h: 4,
    output: 9,
    reasoning: 0,
};

#[test]
fn messages_are_metered() {
    let expected = outcome(
        "msg_1",
        "claude",
        OF_MESSAGES,
        Some(Stop::Sequence(Some("END".to_owned()))),
    );
    check(M, &named(&messages()), &expected);
    check(M, &bare(&messages()), &expected);
    let body = json!({"id": "msg_1", "model": "claude", "content": [{"type": "text", "text": "\"usage\":{}"}],
        "stop_reason": "stop_sequence", "stop_sequence": "END",
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10,
                  "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4}, "output_tokens": 9}});
    check(M, &body.to_string(), &expected);
    check(M, &format!("\u{feff}\n{body:#}"), &expected);
}

fn chunk(delta: Value, finish: Option<&str>, usage: Value) -> Value {
    json!({"id": "chatcmpl-1", "model": "gpt", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage})
}

#[test]
fn chat_is_metered() {
    let usage = json!({"prompt_tokens": 30, "prompt_tokens_details": {"cached_tokens": 20},
        "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 39});
    let tokens = Usage {
        input: 10,
        cache_read: 20,
        output: 9,
        reasoning: 4,
        ..Usage::default()
    };
    let expected = outcome("chatcmpl-1", "gpt", tokens, Some(Stop::ToolUse));
    let stream = [
        chunk(json!({"content": "x"}), None, Value::Null),
        chunk(
            json!({"content": "\"finish_reason\":\"length\""}),
            None,
            Value::Null,
        ),
        chunk(json!({}), Some("tool_calls"), Value::Null),
        json!({"id": "chatcmpl-1", "model": "gpt", "choices": [], "usage": usage}),
    ];
    check(C, &bare(&stream), &expected);
    check(C, &(bare(&stream) + "data: [DONE]\n\n"), &expected);
    let early = [stream[0].clone(), stream[3].clone(), stream[2].clone()];
    check(C, &bare(&early), &expected);
    let body = json!({"id": "chatcmpl-1", "model": "gpt", "usage": usage,
        "choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "tool_calls"}]});
    check(C, &body.to_string(), &expected);
    // Where Moonshot and Groq count.
    let mut moonshot = stream[2].clone();
    moonshot["choices"][0]["usage"] = usage.clone();
    check(C, &bare(&[stream[0].clone(), moonshot]), &expected);
    let groq = json!({"choices": [], "x_groq": {"usage": usage}});
    check(
        C,
        &bare(&[stream[0].clone(), stream[2].clone(), groq]),
        &expected,
    );
}

#[test]
fn responses_are_metered() {
    let response = |status: &str| {
        json!({"id": "resp_1", "model": "gpt", "status": status, "error": null, "output": [],
            "incomplete_details": if status == "incomplete" { json!({"reason": "max_output_tokens"}) } else { Value::Null },
            "usage": {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 20},
                      "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}}})
    };
    let tokens = Usage {
        input: 10,
        cache_read: 20,
        output: 9,
        reasoning: 4,
        ..Usage::default()
    };
    for (status, stop) in [
        ("completed", Stop::EndTurn),
        ("incomplete", Stop::MaxTokens),
    ] {
        let stream = [
            json!({"type": "response.created", "response": {"id": "resp_1", "model": "gpt", "status": "in_progress", "usage": null}}),
            json!({"type": "response.output_text.delta", "delta": "\"response\":{\"usage\":1}"}),
            json!({"type": format!("response.{status}"), "response": response(status)}),
        ];
        let expected = outcome("resp_1", "gpt", tokens, Some(stop));
        check(R, &named(&stream), &expected);
        check(R, &bare(&stream), &expected);
        check(R, &response(status).to_string(), &expected);
    }
}

#[test]
fn what_was_used_is_known_of_an_answer_that_is_not_whole() {
    let early = Failure::new(
        FailureKind::Api,
        "The upstream ended the answer before it was whole.",
    );
    let begun = Usage {
        output: 1,
        ..OF_MESSAGES
    };
    let expected = Outcome {
        failure: Some(early.clone()),
        ..outcome("msg_1", "claude", begun, None)
    };
    check(M, &named(&messages()[..3]), &expected);
    let mut meter = Meter::new(M);
    meter.feed(&named(&messages()[..2]).into());
    assert_eq!(meter.so_far().usage, begun);
    for nothing in ["", "\n\n", "{", "data: x\n\n"] {
        for format in [M, C, R] {
            let expected = Outcome {
                failure: Some(early.clone()),
                ..Outcome::default()
            };
            check(format, nothing, &expected);
        }
    }
}

#[test]
fn errors_are_known() {
    let told = |outcome: Outcome| {
        let failure = outcome.failure.expect("an error was told");
        (failure.kind, failure.message)
    };
    let full = (FailureKind::Overloaded, "full".to_owned());
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "full"}});
    for stream in [
        named(std::slice::from_ref(&error)),
        bare(std::slice::from_ref(&error)),
        error.to_string(),
    ] {
        assert_eq!(told(metered(M, &[stream.as_bytes()])), full);
    }
    let error = json!({"error": {"type": "overloaded", "message": "full"}});
    let stream = bare(&[chunk(json!({"content": "x"}), None, Value::Null), error]);
    assert_eq!(told(metered(C, &[stream.as_bytes()])), full);
    let error =
        json!({"type": "error", "code": "server_is_overloaded", "message": "full", "param": null});
    assert_eq!(told(metered(R, &[named(&[error]).as_bytes()])), full);
    let failed = json!({"type": "response.failed", "response": {"id": "r", "status": "failed",
        "error": {"code": "server_is_overloaded", "message": "full"}}});
    let outcome = metered(R, &[named(&[failed]).as_bytes()]);
    assert_eq!(outcome.message_id, "r");
    assert_eq!(told(outcome), full);
}

#[test]
fn a_body_that_is_too_large_is_not_kept() {
    let mut meter = Meter::new(C);
    let chunk = Bytes::from(vec![b'['; 9 * 1024 * 1024]);
    for _ in 0..5 {
        meter.feed(&chunk);
    }
    assert!(matches!(meter.shape, Shape::Lost));
    assert!(meter.finish().failure.is_some());
}

#[test]
fn pieces_of_text_are_not_parsed() {
    let meter = Meter {
        outcome: outcome("id", "model", Usage::default(), None),
        ..Meter::new(C)
    };
    let concerns = |data: Value| {
        meter.concerns(&Event {
            name: Bytes::new(),
            data: data.to_string().into(),
        })
    };
    assert!(!concerns(chunk(
        json!({"content": "\"usage\": {\"a\": 1}, \"error\": 1"}),
        None,
        Value::Null
    )));
    assert!(concerns(chunk(json!({}), Some("stop"), Value::Null)));
    assert!(concerns(chunk(
        json!({}),
        None,
        json!({"prompt_tokens": 1})
    )));
    assert!(concerns(json!({"error": "x"})));
}

proptest! {
    #[test]
    fn any_bytes_are_metered_without_harm(
        stream in "(data: ?|event: (error|message_delta)?|\\{\"usage\":|[0-9{}\\[\\]\":,a-z]{0,4}|\n|\r){0,30}",
    ) {
        for format in [M, C, R] {
            let bytes = stream.as_bytes();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(metered(format, &[bytes]), metered(format, &single));
        }
    }
}
