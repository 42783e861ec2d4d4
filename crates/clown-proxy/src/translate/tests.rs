//! Streams and bodies through the whole way, told in short lines.

mod bodies;
mod chat_calls;
mod chat_streams;
mod faults;
mod messages_streams;
mod properties;
mod responses_streams;
mod summary;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use summary::summary;

/// The way back of a small request that offers a tool and asks for usage.
fn reply(caller: Format, upstream: Format) -> Reply {
    let body = match caller {
        Format::Messages => json!({
            "model": "asked",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"name": "look", "input_schema": {"type": "object"}}],
        }),
        Format::Chat => json!({
            "model": "asked",
            "messages": [{"role": "user", "content": "Hi"}],
            "stream_options": {"include_usage": true},
        }),
        Format::Responses => json!({
            "model": "asked",
            "input": "Hi",
            "tools": [
                {"type": "function", "name": "look", "parameters": {"type": "object"}},
                {"type": "custom", "name": "patch"},
                {"type": "namespace", "name": "files", "description": "", "tools": [
                    {"type": "function", "name": "read", "parameters": {"type": "object"}},
                ]},
            ],
        }),
    };
    let body = body.to_string();
    request(caller, upstream, body.as_bytes(), None, &Dialect::default())
        .unwrap()
        .reply
}

/// What the caller gets of these chunks.
fn translate(reply: &Reply, chunks: &[&[u8]]) -> Vec<u8> {
    let mut stream = reply.stream(1_700_000_000);
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&stream.feed(Bytes::copy_from_slice(chunk)));
    }
    out.extend_from_slice(&stream.finish());
    assert!(stream.is_over());
    out
}

/// An upstream's events as bytes: named as its format names them.
fn events(upstream: Format, data: &[Value]) -> String {
    let mut out = String::new();
    for value in data {
        if upstream != Format::Chat {
            let name = value["type"].as_str().unwrap();
            out.push_str(&format!("event: {name}\n"));
        }
        out.push_str(&format!("data: {value}\n\n"));
    }
    out
}

/// The caller is told these lines, however the upstream's bytes are cut.
#[track_caller]
fn check_bytes(caller: Format, upstream: Format, stream: &str, expected: &[&str]) {
    let reply = reply(caller, upstream);
    let whole = summary(caller, &translate(&reply, &[stream.as_bytes()]));
    assert_eq!(whole, expected, "in one chunk");
    let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    let cut = summary(caller, &translate(&reply, &single));
    assert_eq!(cut, expected, "byte by byte");
}

#[track_caller]
fn check(caller: Format, upstream: Format, data: &[Value], expected: &[&str]) {
    check_bytes(caller, upstream, &events(upstream, data), expected);
}

/// A chunk of Chat with this delta.
fn delta(delta: Value) -> Value {
    json!({"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

/// A chunk of Chat that says why the model stopped.
fn finish(reason: &str) -> Value {
    json!({"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn call(call: Value) -> Value {
    delta(json!({"tool_calls": [call]}))
}
