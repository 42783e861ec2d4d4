//! Requests that rules send to one of several providers, as they are or translated.

use super::upstream::{Agent, Upstream};
use super::{MESSAGES, Proxy, STREAM, chunk, configuration, whole};
use clown_proxy::config::{Auth, Configuration, Format, Limits, Secret};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;

/// Two providers: `a` speaks Messages, `b` Chat.
struct Two {
    a: Upstream,
    b: Upstream,
    proxy: Proxy,
}

fn provider(upstream: &Upstream, format: Format, keys: &[&str]) -> clown_proxy::config::Upstream {
    let version = if format == Format::AnthropicMessages {
        ""
    } else {
        "/v1"
    };
    let mut keys = keys.iter().map(|key| Secret::new(*key));
    clown_proxy::config::Upstream {
        bases: BTreeMap::from([(format, format!("http://{}{version}", upstream.address))]),
        key: keys.next(),
        more_keys: keys.collect(),
        auth: Auth::Own,
    }
}

impl Two {
    fn with(rules: &Value) -> Self {
        let (a, b) = (Upstream::start(), Upstream::start());
        let configuration = Configuration {
            provider: "a".to_owned(),
            upstream: provider(&a, Format::AnthropicMessages, &["key-a"]),
            others: BTreeMap::from([(
                "b".to_owned(),
                provider(&b, Format::OpenaiChat, &["key-b", "key-c"]),
            )]),
            rules: serde_json::from_value(rules.clone()).unwrap(),
            ..configuration("", Limits::default())
        };
        let proxy = Proxy::of(configuration);
        Self { a, b, proxy }
    }
}

fn to(targets: &[&str]) -> Value {
    json!({"routes": [{"name": "r", "to": targets}]})
}

const ASK: &str = "{\"model\":\"m\",\"max_tokens\":9,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
const ASK_WHOLE: &str =
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

fn refusal(status: &str, headers: &str) -> String {
    let body = "{\"error\":{\"message\":\"not now\",\"type\":\"x\"}}";
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

/// A stream of Chat, whole.
fn chat() -> String {
    let event = |value: &Value| chunk(&format!("data: {value}\n\n"));
    let head = json!({"id": "chatcmpl-1", "model": "y-2"});
    let with = |choices: Value, usage: Option<Value>| {
        let mut value = head.clone();
        value["choices"] = choices;
        if let Some(usage) = usage {
            value["usage"] = usage;
        }
        event(&value)
    };
    [
        STREAM.to_owned(),
        with(
            json!([{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]),
            None,
        ),
        with(
            json!([{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]),
            None,
        ),
        with(
            json!([]),
            Some(json!({"prompt_tokens": 7, "completion_tokens": 2})),
        ),
        chunk("data: [DONE]\n\n"),
        "0\r\n\r\n".to_owned(),
    ]
    .concat()
}

fn label(text: &str) -> &str {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("x-clown-route: "));
    line.unwrap_or_default()
}

#[test]
fn the_next_target_answers_translated_where_the_first_one_cannot() {
    let two = Two::with(&to(&["a/x", "b/y"]));
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
    let first = two.a.answer(&refusal("529", ""));
    assert!(first.contains("\r\nx-api-key: key-a\r\n"), "{first}");
    assert!(
        first.contains("{\"model\":\"x\",\"max_tokens\":9"),
        "{first}"
    );
    let second = two.b.answer(&chat());
    assert!(second.starts_with("POST /v1/chat/completions "), "{second}");
    assert!(
        second.contains("\r\nauthorization: Bearer key-"),
        "{second}"
    );
    assert!(second.contains("\"model\":\"y\""), "{second}");
    assert!(
        !second.contains("local-key") && !second.contains("anthropic"),
        "{second}"
    );
    let (text, is_whole) = agent.rest();
    assert!(is_whole, "{text}");
    for part in [
        "content-type: text/event-stream",
        "event: message_start",
        "\"text\":\"Hel\"",
        "\"stop_reason\":\"end_turn\"",
        "event: message_stop",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(label(&text), "rule=r target=b/y attempt=2");
    let record = &two.proxy.records(1)[0];
    let expected = json!({"provider": "b", "rule": "r", "model": "m", "model_used": "y-2",
        "message_id": "chatcmpl-1", "status": 200, "streamed": true, "format": "anthropic-messages"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(record[name], *value, "{name}: {record}");
    }
    assert_eq!(record["tokens"]["input"], 7);
    assert_eq!(record["tokens"]["output"], 2);
    assert!(record.get("error").is_none(), "{record}");
}

#[test]
fn a_whole_answer_is_translated_and_so_are_refusals() {
    let two = Two::with(&to(&["b/y"]));
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK_WHOLE);
    let answer = json!({"id": "c1", "model": "y-2", "usage": {"prompt_tokens": 7, "completion_tokens": 2},
        "choices": [{"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "Hello"}}]});
    two.b.answer(&whole(&answer.to_string()));
    let (text, is_whole) = agent.rest();
    assert!(is_whole && text.starts_with("HTTP/1.1 200"), "{text}");
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["content"][0]["text"], "Hello");
    assert_eq!(body["stop_reason"], "max_tokens");
    assert_eq!(label(&text), "rule=r target=b/y");

    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
    two.b.answer(&refusal("400", ""));
    let (text, _) = agent.rest();
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    assert!(
        text.contains("{\"type\":\"error\",\"error\":{") && text.contains("not now"),
        "{text}"
    );
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, "{\"model\":\"m\",\"messages\":7}");
    let (text, _) = agent.rest();
    assert!(
        text.starts_with("HTTP/1.1 400") && text.contains("invalid_request_error"),
        "{text}"
    );
    let faults: Vec<Value> = two
        .proxy
        .records(3)
        .iter()
        .map(|it| it["error"].clone())
        .collect();
    assert_eq!(
        faults,
        [Value::Null, "upstream_error".into(), "bad_request".into()]
    );
}

#[test]
fn the_same_target_is_asked_again_when_it_says_and_with_another_key_at_once() {
    let two = Two::with(&to(&["a/x"]));
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK_WHOLE);
    two.a.answer(&refusal("429", "retry-after-ms: 20\r\n"));
    two.a
        .answer(&whole("{\"id\":\"msg_1\",\"type\":\"message\"}"));
    let (text, _) = agent.rest();
    assert!(
        text.ends_with("{\"id\":\"msg_1\",\"type\":\"message\"}"),
        "{text}"
    );
    assert_eq!(label(&text), "rule=r target=a/x attempt=2");
    // Not for a minute: whoever asks is told at once.
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK_WHOLE);
    two.a.answer(&refusal("429", "retry-after: 60\r\n"));
    let (text, _) = agent.rest();
    assert!(
        text.starts_with("HTTP/1.1 429") && text.contains("retry-after: 60"),
        "{text}"
    );

    let two = Two::with(&to(&["b/y"]));
    let mut agent = Agent::ask(two.proxy.port, "POST /v1/chat/completions", ASK_WHOLE);
    let key = |request: &str| {
        let line = request
            .lines()
            .find(|line| line.starts_with("authorization"));
        line.unwrap().to_owned()
    };
    let first = key(&two.b.answer(&refusal("401", "")));
    let second = key(&two.b.answer(&whole("{\"id\":\"c\"}")));
    assert_ne!(first, second);
    let (text, _) = agent.rest();
    assert!(text.ends_with("{\"id\":\"c\"}"), "{text}");
    // The key that was refused rests.
    for _ in 0..4 {
        let mut agent = Agent::ask(two.proxy.port, "POST /v1/chat/completions", ASK_WHOLE);
        assert_eq!(key(&two.b.answer(&whole("{\"id\":\"c\"}"))), second);
        agent.rest();
    }
}

#[test]
fn rules_refuse_and_choose_by_what_is_asked() {
    let two = Two::with(&json!({"aliases": {"cheap": "b/y"}, "routes": [
        {"name": "no-images", "when": "images", "to": ["refuse"], "priority": 9},
        {"name": "short", "when": "header x-team == blue", "to": ["b/*"]},
    ]}));
    let image =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]}";
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, image);
    let (text, _) = agent.rest();
    assert!(
        text.starts_with("HTTP/1.1 403") && text.contains("no-images"),
        "{text}"
    );
    let headers = "x-api-key: local-key\r\nx-team: blue\r\n";
    let mut agent = Agent::ask_with(
        two.proxy.port,
        "POST /v1/chat/completions",
        headers,
        ASK_WHOLE,
    );
    let request = two.b.answer(&whole("{}"));
    assert!(request.ends_with(ASK_WHOLE), "{request}");
    assert_eq!(label(&agent.rest().0), "rule=short target=b/m");
    let aliased = ASK_WHOLE.replace("\"m\"", "\"cheap\"");
    let mut agent = Agent::ask(two.proxy.port, "POST /v1/chat/completions", &aliased);
    let request = two.b.answer(&whole("{}"));
    assert!(request.contains("{\"model\":\"y\","), "{request}");
    assert_eq!(label(&agent.rest().0), "target=b/y");
    // What no rule takes goes to the profile's own, untouched.
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK_WHOLE);
    assert!(two.a.answer(&whole("{}")).ends_with(ASK_WHOLE));
    assert_eq!(label(&agent.rest().0), "target=a/m");
}

#[test]
fn a_target_that_fails_again_and_again_is_left_alone_and_told() {
    let two = Two::with(&to(&["a/x", "b/y"]));
    let fails = || {
        let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
        two.a.answer(&refusal("500", ""));
        two.b.answer(&chat());
        agent.rest();
    };
    for _ in 0..5 {
        fails();
    }
    let health = two.proxy.service.health();
    assert_eq!(health.trouble, None);
    assert_eq!(health.targets.len(), 1, "{health:?}");
    assert_eq!(health.targets[0].target, "a/x");
    assert_eq!(health.targets[0].state, "open");
    // It is not asked.
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
    two.b.answer(&chat());
    assert_eq!(label(&agent.rest().0), "rule=r target=b/y");
    // The other one fails as well: then nobody is left, and that is told once.
    for _ in 0..5 {
        let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
        two.b.answer(&refusal("500", ""));
        agent.rest();
    }
    let trouble = two.proxy.service.health().trouble.unwrap();
    assert!(
        trouble.contains("a/x") && trouble.contains("b/y"),
        "{trouble}"
    );
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
    let (text, _) = agent.rest();
    assert!(
        text.starts_with("HTTP/1.1 503") && text.contains("clown proxy status work"),
        "{text}"
    );
}

#[test]
fn a_stream_that_fails_before_it_says_anything_is_another_targets() {
    let two = Two::with(&to(&["b/y", "a/x"]));
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
    let failed = json!({"error": {"message": "busy", "code": 503}});
    two.b
        .answer(&[STREAM, &chunk(&format!("data: {failed}\n\n")), "0\r\n\r\n"].concat());
    two.a.answer(&whole("{\"type\":\"message\"}"));
    assert_eq!(label(&agent.rest().0), "rule=r target=a/x attempt=2");
}

#[test]
fn a_translated_stream_that_breaks_ends_in_an_error_and_one_that_is_left_is_cancelled() {
    let two = Two::with(&to(&["b/y"]));
    let begun = json!({"id": "c", "choices": [{"index": 0, "delta": {"content": "Hel"}}]});
    let begun = chunk(&format!("data: {begun}\n\n"));
    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
    two.b.answer(&[STREAM, &begun].concat());
    let (text, _) = agent.rest();
    assert!(
        text.contains("\"Hel\"") && text.contains("event: error"),
        "{text}"
    );
    assert!(!text.contains("message_stop"), "{text}");

    let mut agent = Agent::ask(two.proxy.port, MESSAGES, ASK);
    let (_, mut stream) = two.b.next();
    stream
        .write_all([STREAM, &begun].concat().as_bytes())
        .unwrap();
    agent.until("\"Hel\"");
    drop(agent);
    let mut buffer = [0; 64];
    assert_eq!(
        std::io::Read::read(&mut stream, &mut buffer).unwrap_or(0),
        0
    );
    let records = two.proxy.records(2);
    assert_eq!(records[0]["error"], "upstream_error");
    assert_eq!(records[1]["error"], "client_left");
}

#[test]
fn a_prompt_is_measured_where_its_provider_cannot() {
    let b = Upstream::start();
    let proxy = Proxy::of(Configuration {
        upstream: provider(&b, Format::OpenaiChat, &["key-b"]),
        ..configuration("", Limits::default())
    });
    let count = "POST /v1/messages/count_tokens";
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x".repeat(4_000)}]});
    let mut agent = Agent::ask(proxy.port, count, &body.to_string());
    let (text, _) = agent.rest();
    let (_, answer) = text.split_once("\r\n\r\n").unwrap();
    let answer: Value = serde_json::from_str(answer).unwrap();
    let tokens = answer["input_tokens"].as_u64().unwrap();
    assert!((1_000..1_010).contains(&tokens), "{text}");
    // Without any rule, too, what it cannot speak is translated.
    let mut agent = Agent::ask(proxy.port, MESSAGES, ASK);
    assert!(b.answer(&chat()).starts_with("POST /v1/chat/completions "));
    assert!(agent.rest().0.contains("message_stop"));
}
