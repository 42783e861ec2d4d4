//! Upstreams that break: a caller is never told a success that was none.

use super::*;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

const EARLY: &str = "The upstream ended the stream before the answer was whole.";

/// The last line of each caller says that the answer is not whole, and nothing says that it is.
#[track_caller]
fn check_broken(upstream: Format, stream: &str, message: &str) {
    for caller in [M, C, R] {
        if caller == upstream {
            continue;
        }
        for size in [1, 7, usize::MAX] {
            let reply = reply(caller, upstream);
            let chunks: Vec<&[u8]> = stream
                .as_bytes()
                .chunks(size.min(stream.len().max(1)))
                .collect();
            let lines = summary(caller, &translate(&reply, &chunks));
            let last = lines.last().expect("something is told");
            let failed = last.starts_with(if caller == R { "failed" } else { "error" });
            assert!(failed, "{caller:?} was told {lines:?}");
            assert!(last.contains(message), "{caller:?} was told {last}");
            let lies = ["end", "stop", "finish", "completed", "incomplete"];
            let lie = lines
                .iter()
                .find(|line| lies.iter().any(|lie| line.starts_with(lie)));
            assert_eq!(lie, None);
        }
    }
}

#[test]
fn an_early_end_is_an_error() {
    use messages_streams::{open, piece, start};
    check_broken(C, "", EARLY);
    check_broken(C, ": keep-alive\n\n", EARLY);
    check_broken(C, &events(C, &[delta(json!({"content": "Hel"}))]), EARLY);
    let begun = json!({"index": 0, "id": "c", "function": {"name": "look", "arguments": "{\"a\""}});
    check_broken(C, &events(C, &[call(begun)]), EARLY);
    check_broken(M, &events(M, &[start()]), EARLY);
    let text = [
        start(),
        open(0, json!({"type": "text", "text": ""})),
        piece(0, json!({"type": "text_delta", "text": "Hel"})),
    ];
    check_broken(M, &events(M, &text), EARLY);
    let text = json!({"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"});
    check_broken(R, &events(R, &[text]), EARLY);
}

#[test]
fn an_end_in_the_middle_of_an_event_is_an_error() {
    let whole = events(
        C,
        &[
            delta(json!({"content": "Hel"})),
            delta(json!({"content": "lo"})),
        ],
    );
    let cut = &whole[..whole.len() - 20];
    check_broken(C, cut, "an event that cannot be read");
}

#[test]
fn an_end_without_an_answer_is_an_error() {
    let nothing = "The upstream ended the stream without an answer.";
    check_broken(C, "data: [DONE]\n\n", nothing);
    check_broken(
        C,
        &(events(C, &[delta(json!({"role": "assistant", "content": ""}))]) + "data: [DONE]\n\n"),
        nothing,
    );
    check_broken(M, &events(M, &[json!({"type": "message_stop"})]), nothing);
}

#[test]
fn a_call_that_is_cut_off_is_an_error_unless_the_limit_cut_it() {
    let begun =
        json!({"index": 0, "id": "c", "function": {"name": "look", "arguments": "{\"a\": \"b"}});
    let cut = "The upstream ended the stream in the middle of a tool call.";
    check_broken(
        C,
        &events(C, &[call(begun.clone()), finish("tool_calls")]),
        cut,
    );
    check(
        M,
        C,
        &[call(begun), finish("length")],
        &[
            "start chatcmpl-1 m",
            "+0 tool c look",
            "json {\"a\": \"b",
            "-0",
            "stop max_tokens in=0 read=0 write=0 out=0",
            "end",
        ],
    );
}

#[test]
fn a_call_of_no_tool_is_an_error() {
    let nameless = json!({"index": 0, "id": "c", "function": {"arguments": "{}"}});
    let message = "a tool call that names no tool";
    check_broken(
        C,
        &events(C, &[call(nameless.clone()), finish("tool_calls")]),
        message,
    );
    check_broken(
        C,
        &(events(C, &[call(nameless)]) + "data: [DONE]\n\n"),
        message,
    );
    // A call of which nothing is told is none.
    check(
        M,
        C,
        &[
            call(json!({"index": 0})),
            delta(json!({"content": "x"})),
            finish("stop"),
        ],
        &[
            "start chatcmpl-1 m",
            "+0 text",
            "text x",
            "-0",
            "stop end_turn in=0 read=0 write=0 out=0",
            "end",
        ],
    );
}

#[test]
fn an_error_in_the_middle_is_told_in_the_callers_words() {
    let stream = [
        delta(json!({"content": "Hel"})),
        json!({"error": {"message": "too busy", "type": "overloaded", "code": 529}}),
        delta(json!({"content": "lo"})),
        finish("stop"),
    ];
    check(
        M,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 text",
            "text Hel",
            "error overloaded_error: too busy",
        ],
    );
    check(
        R,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 message",
            "text Hel",
            "failed server_is_overloaded: too busy",
        ],
    );
    let error =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "too busy"}});
    check(
        C,
        M,
        &[messages_streams::start(), error.clone()],
        &[
            "start msg_1 claude",
            "error server_error \"server_is_overloaded\": too busy",
        ],
    );
    check(
        R,
        M,
        &[error],
        &[
            "start resp_* asked",
            "failed server_is_overloaded: too busy",
        ],
    );
    check_broken(
        C,
        &events(C, &[delta(json!({"content": "x"})), finish("error")]),
        "broke off",
    );
    // What is no JSON at all.
    check_broken(
        C,
        &(events(C, &[delta(json!({"content": "x"}))]) + "data: upstream timeout\n\n"),
        "cannot be read",
    );
}

#[test]
fn a_broken_connection_is_an_error_unless_the_answer_was_whole() {
    let failure = || Failure::new(crate::failure::FailureKind::Api, "The connection broke.");
    let reply = reply(M, C);
    let mut stream = reply.stream(0);
    stream.feed(events(C, &[delta(json!({"content": "x"}))]).into());
    assert_eq!(
        summary(M, &stream.broken(failure())),
        ["error api_error: The connection broke."]
    );
    assert!(stream.is_over());
    assert_eq!(stream.outcome().failure, Some(failure()));
    assert!(stream.feed("data: x\n\n".into()).is_empty());
    assert!(stream.finish().is_empty());

    let mut stream = reply.stream(0);
    stream.feed(events(C, &[delta(json!({"content": "x"})), finish("stop")]).into());
    let rest = summary(M, &stream.broken(failure()));
    assert_eq!(rest.last().unwrap(), "end");
    assert_eq!(stream.outcome().failure, None);
}

#[test]
fn what_is_cut_off_after_the_end_takes_nothing_from_the_answer() {
    let data = [delta(json!({"content": "x"})), finish("stop")];
    let expected: &[&str] = &[
        "start chatcmpl-1 m",
        "+0 text",
        "text x",
        "-0",
        "stop end_turn in=0 read=0 write=0 out=0",
        "end",
    ];
    for rest in ["data: {\"usage\": {\"prompt", "data: [DO", "data", "\n"] {
        check_bytes(M, C, &(events(C, &data) + rest), expected);
    }
}

#[test]
fn a_stream_that_only_fails_can_be_told_by_its_status() {
    let reply = reply(M, C);
    let error = json!({"error": {"message": "too busy", "code": 429}});
    let mut stream = reply.stream(0);
    stream.feed(events(C, std::slice::from_ref(&error)).into());
    assert_eq!(stream.refused().map(|failure| failure.status(M)), Some(429));
    let mut stream = reply.stream(0);
    stream.feed(events(C, &[delta(json!({"content": "x"})), error]).into());
    assert_eq!(stream.refused(), None);
    assert!(stream.outcome().failure.is_some());
}

#[test]
fn a_body_where_a_stream_was_asked_is_streamed() {
    let body = json!({"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "message": {
        "role": "assistant", "content": "Hello",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}},
            {"id": "c2", "type": "function", "function": {"name": "look", "arguments": {"a": 2}}},
        ]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5}});
    for text in [body.to_string(), format!("\u{feff}\n  {body:#}\n")] {
        check_bytes(
            M,
            C,
            &text,
            &[
                "start chatcmpl-1 m",
                "+0 text",
                "text Hello",
                "-0",
                "+1 tool c1 look",
                "json {\"a\":1}",
                "-1",
                "+2 tool c2 look",
                if text.starts_with('{') {
                    "json {\"a\":2}"
                } else {
                    PRETTY
                },
                "-2",
                "stop tool_use in=10 read=0 write=0 out=5",
                "end",
            ],
        );
    }
    for body in ["{}", "{\"choices\": []}", "[]", "{\"output\":"] {
        for upstream in [M, C, R] {
            check_broken(upstream, body, "The upstream");
        }
    }
    check_broken(
        C,
        &json!({"error": {"message": "no such model", "code": 404}}).to_string(),
        "no such model",
    );
}

/// As it stands in a body that is laid out for people.
const PRETTY: &str = "json {\n                \"a\": 2\n              }";

#[test]
fn an_event_that_is_too_large_is_an_error() {
    let reply = reply(M, C);
    let mut stream = reply.stream(0);
    let mut out = Vec::from(stream.feed("data: ".into()));
    let chunk = Bytes::from(vec![b'x'; 8 * 1024 * 1024]);
    for _ in 0..9 {
        out.extend_from_slice(&stream.feed(chunk.clone()));
    }
    assert!(stream.is_over());
    let lines = summary(M, &out);
    assert!(
        lines[0].starts_with("error api_error: The upstream sent more than can be read"),
        "{lines:?}"
    );
}
