//! Streams of an upstream of Chat.

use super::*;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

fn usage() -> Value {
    json!({"id": "chatcmpl-1", "model": "m", "choices": [], "usage": {
        "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
    }})
}

#[test]
fn text_is_told_piece_by_piece() {
    let stream = [
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": "He"})),
        delta(json!({"content": "llo"})),
        finish("stop"),
        usage(),
    ];
    check(
        M,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 text",
            "text He",
            "text llo",
            "-0",
            "stop end_turn in=6 read=4 write=0 out=5",
            "end",
        ],
    );
    check(
        R,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 message",
            "text He",
            "text llo",
            "-0 message Hello",
            "completed [message] in=10 read=4 out=5",
        ],
    );
}

#[test]
fn the_first_token_goes_out_when_it_comes_in() {
    for caller in [M, R] {
        let mut stream = reply(caller, C).stream(0);
        let chunk = events(C, &[delta(json!({"content": "first"}))]);
        let out = stream.feed(chunk.into());
        let out = summary(caller, &out);
        assert_eq!(out.last().unwrap(), "text first");
    }
}

#[test]
fn thinking_comes_before_text() {
    let stream = [
        delta(json!({"reasoning_content": "Hm", "content": null})),
        delta(json!({"reasoning_content": "m."})),
        delta(json!({"content": "Yes"})),
        finish("stop"),
    ];
    check(
        M,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 thinking",
            "thinking Hm",
            "thinking m.",
            "-0",
            "+1 text",
            "text Yes",
            "-1",
            "stop end_turn in=0 read=0 write=0 out=0",
            "end",
        ],
    );
    check(
        R,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 reasoning",
            "thinking Hm",
            "thinking m.",
            "-0 reasoning \"Hmm.\" null",
            "+1 message",
            "text Yes",
            "-1 message Yes",
            "completed [reasoning message] in=0 read=0 out=0",
        ],
    );
    // OpenRouter's words, with a signature.
    let stream = [
        delta(
            json!({"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}),
        ),
        delta(
            json!({"reasoning_details": [{"type": "reasoning.text", "signature": "sig", "format": "anthropic-claude-v1"}]}),
        ),
        finish("stop"),
    ];
    check(
        M,
        C,
        &stream,
        &[
            "start chatcmpl-1 m",
            "+0 thinking",
            "thinking Hm",
            "signature sig",
            "-0",
            "stop end_turn in=0 read=0 write=0 out=0",
            "end",
        ],
    );
}

#[test]
fn why_it_stopped_is_told() {
    for (reason, stop) in [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        // Said without a call.
        ("tool_calls", "end_turn"),
        ("something_new", "end_turn"),
    ] {
        check(
            M,
            C,
            &[delta(json!({"content": "x"})), finish(reason)],
            &[
                "start chatcmpl-1 m",
                "+0 text",
                "text x",
                "-0",
                &format!("stop {stop} in=0 read=0 write=0 out=0"),
                "end",
            ],
        );
    }
    check(
        R,
        C,
        &[delta(json!({"content": "x"})), finish("length")],
        &[
            "start chatcmpl-1 m",
            "+0 message",
            "text x",
            "-0 message x",
            "incomplete max_output_tokens [message] in=0 read=0 out=0",
        ],
    );
}

#[test]
fn the_end_may_be_told_late_twice_or_not_at_all() {
    let expected: &[&str] = &[
        "start chatcmpl-1 m",
        "+0 text",
        "text x",
        "-0",
        "stop end_turn in=6 read=4 write=0 out=5",
        "end",
    ];
    let text = delta(json!({"content": "x"}));
    let done = "data: [DONE]\n\n";
    for (data, end) in [
        (vec![text.clone(), finish("stop"), usage()], done),
        (vec![text.clone(), finish("stop"), usage()], ""),
        (vec![text.clone(), usage(), finish("stop")], done),
        (
            vec![text.clone(), finish("stop"), finish("length"), usage()],
            done,
        ),
        (
            vec![text.clone(), finish("stop"), usage()],
            "data: [DONE]\n\ndata: [DONE]\n\n",
        ),
        // Without a reason, but the upstream says that it is through.
        (vec![text.clone(), usage()], done),
    ] {
        let stream = events(C, &data) + end;
        check_bytes(M, C, &stream, expected);
    }
    // What comes after the end is nobody's.
    let stream = events(C, &[text, finish("stop"), usage()]) + done + "data: junk\n\n";
    check_bytes(M, C, &stream, expected);
}

#[test]
fn usage_is_read_in_every_dialect() {
    for (usage, expected) in [
        (
            json!({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6}),
            "in=6 read=4 write=0 out=5",
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4}),
            "in=6 read=4 write=0 out=5",
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}}),
            "in=3 read=4 write=3 out=5",
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22, "completion_tokens_details": {"reasoning_tokens": 7}}),
            "in=10 read=0 write=0 out=12",
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 12, "total_tokens": 22, "completion_tokens_details": {"reasoning_tokens": 7}}),
            "in=10 read=0 write=0 out=12",
        ),
        (
            json!({"prompt_tokens": 10.0, "completion_tokens": null, "prompt_tokens_details": null}),
            "in=10 read=0 write=0 out=0",
        ),
        (
            json!({"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}}),
            "in=0 read=3 write=0 out=1",
        ),
    ] {
        let mut last = finish("stop");
        last["usage"] = usage;
        check(
            M,
            C,
            &[delta(json!({"content": "x"})), last],
            &[
                "start chatcmpl-1 m",
                "+0 text",
                "text x",
                "-0",
                &format!("stop end_turn {expected}"),
                "end",
            ],
        );
    }
}

#[test]
fn what_stands_beside_the_matter_may_have_any_shape() {
    let mut odd = delta(json!({"content": "x", "reasoning_details": {"a": 1}}));
    odd["usage"] = json!({"prompt_tokens": {"a": 1}, "prompt_tokens_details": []});
    odd["x_groq"] = json!("groq");
    odd["choices"][0]["usage"] = json!("x");
    odd["choices"][0]["logprobs"] = json!(7);
    let mut last = finish("stop");
    last["usage"] = json!("none");
    check(
        M,
        C,
        &[odd, last],
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
