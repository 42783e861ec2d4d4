//! How hard to think, and what was thought before.

use super::*;

fn asked(thinking: Value, effort: Value) -> Value {
    let mut body = messages(json!([{"role": "user", "content": "Hi"}]));
    body["max_tokens"] = json!(20_000);
    body["thinking"] = thinking;
    body["output_config"] = json!({"effort": effort});
    body
}

#[test]
fn messages_ask_for_effort() {
    for (thinking, effort, chat, responses) in [
        (json!(null), json!(null), json!(null), json!(null)),
        (
            json!({"type": "disabled"}),
            json!("high"),
            json!(null),
            json!(null),
        ),
        (
            json!({"type": "adaptive"}),
            json!(null),
            json!(null),
            json!({"summary": "auto"}),
        ),
        (
            json!({"type": "adaptive"}),
            json!("max"),
            json!("high"),
            json!({"effort": "xhigh", "summary": "auto"}),
        ),
        (
            json!({"type": "enabled", "budget_tokens": 1024}),
            json!(null),
            json!("low"),
            json!({"effort": "low", "summary": "auto"}),
        ),
        (
            json!({"type": "enabled", "budget_tokens": 8000}),
            json!(null),
            json!("medium"),
            json!({"effort": "medium", "summary": "auto"}),
        ),
        (
            json!({"type": "enabled", "budget_tokens": 31_999}),
            json!(null),
            json!("high"),
            json!({"effort": "high", "summary": "auto"}),
        ),
    ] {
        let body = asked(thinking, effort);
        let include = match responses.is_null() {
            true => json!(null),
            false => json!(["reasoning.encrypted_content"]),
        };
        let told = Dialect {
            effort: Some(true),
            ..quiet()
        };
        check_with(M, C, body.clone(), &told, json!({"reasoning_effort": chat}));
        check_with(
            M,
            R,
            body.clone(),
            &told,
            json!({"reasoning": responses, "include": include}),
        );
        let silent = Dialect {
            effort: Some(false),
            ..quiet()
        };
        check_with(
            M,
            C,
            body.clone(),
            &silent,
            json!({"reasoning_effort": null}),
        );
        check_with(M, R, body, &silent, json!({"reasoning": null}));
    }
}

#[test]
fn a_model_that_does_not_think_is_not_told_how() {
    for (model, effort) in [
        ("gpt-4o", json!(null)),
        ("mistral-large", json!(null)),
        ("grok-4", json!(null)),
        ("gpt-5.1-codex", json!("high")),
        ("openai/o3", json!("high")),
        ("google/gemini-2.5-pro", json!("high")),
        ("deepseek-chat", json!("high")),
    ] {
        let mut body = asked(json!({"type": "adaptive"}), json!("high"));
        body["model"] = json!(model);
        check(M, C, body.clone(), json!({"reasoning_effort": effort}));
        let reasoning = match effort {
            Value::Null => Value::Null,
            effort => json!({"effort": effort, "summary": "auto"}),
        };
        check(M, R, body, json!({"reasoning": reasoning}));
    }
    // What thinks at OpenAI takes no temperature and no stop sequence.
    let mut body = asked(json!(null), json!(null));
    body["temperature"] = json!(0.5);
    body["stop_sequences"] = json!(["END"]);
    for (model, temperature, stop) in [
        ("gpt-4o", json!(0.5), json!(["END"])),
        ("gpt-5", json!(null), json!(null)),
    ] {
        body["model"] = json!(model);
        check(
            M,
            C,
            body.clone(),
            json!({"temperature": temperature, "stop": stop}),
        );
        check(M, R, body.clone(), json!({"temperature": temperature}));
    }
    for model in ["claude-3-5-haiku-latest", "claude-3-opus-20240229"] {
        let mut body = responses(json!("Hi"));
        body["model"] = json!(model);
        body["reasoning"] = json!({"effort": "high"});
        check(R, M, body, json!({"thinking": null}));
    }
}

#[test]
fn messages_are_asked_as_their_model_wants_it() {
    let body = |model: &str, effort: &str| {
        let mut body = responses(json!("Hi"));
        body["model"] = json!(model);
        body["max_output_tokens"] = json!(10_000);
        body["temperature"] = json!(0.2);
        body["reasoning"] = json!({"effort": effort, "summary": "auto"});
        body
    };
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    for (model, effort, thinking, config) in [
        (
            "claude-sonnet-4-5-20250929",
            "low",
            budget(2048),
            json!(null),
        ),
        (
            "claude-opus-4-20250514",
            "medium",
            budget(8192),
            json!(null),
        ),
        (
            "claude-3-7-sonnet-latest",
            "xhigh",
            budget(9999),
            json!(null),
        ),
        (
            "anthropic/claude-sonnet-4.5",
            "minimal",
            budget(2048),
            json!(null),
        ),
        ("another-model", "low", budget(2048), json!(null)),
        (
            "claude-opus-4-6",
            "high",
            json!({"type": "adaptive"}),
            json!({"effort": "high"}),
        ),
        (
            "claude-opus-5-5",
            "minimal",
            json!({"type": "adaptive"}),
            json!({"effort": "low"}),
        ),
        (
            "claude-sonnet-5",
            "xhigh",
            json!({"type": "adaptive"}),
            json!({"effort": "high"}),
        ),
    ] {
        // A model that thinks takes no temperature.
        check(
            R,
            M,
            body(model, effort),
            json!({"thinking": thinking, "output_config": config, "temperature": null}),
        );
    }
    check(
        R,
        M,
        body("claude-opus-4-6", "none"),
        json!({"thinking": null, "output_config": null, "temperature": 0.2}),
    );
    let mut forced = body("claude-opus-4-6", "high");
    forced["tools"] = json!([{"type": "function", "name": "look"}]);
    forced["tool_choice"] = json!("required");
    check(
        R,
        M,
        forced,
        json!({"thinking": null, "tool_choice": {"type": "any"}}),
    );
    let mut small = body("claude-sonnet-4-5", "high");
    small["max_output_tokens"] = json!(1000);
    check(R, M, small, json!({"thinking": null}));
}

/// What a model of Messages thought, and what comes back of it over each format.
#[test]
fn what_was_thought_comes_back_where_it_can_be_carried() {
    let thought = |signature: &str| {
        messages(json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm", "signature": signature},
                {"type": "text", "text": "Yes"},
            ]},
            {"role": "user", "content": "Go on"},
        ]))
    };
    let assistant = |upstream: Format, signature: &str, dialect: &Dialect| {
        let told = translated(M, upstream, &thought(signature), dialect);
        let turns = if upstream == R {
            &told["input"]
        } else {
            &told["messages"]
        };
        turns[1].clone()
    };
    let plain = json!({"role": "assistant", "content": "Yes"});
    let replay = |replay| Dialect { replay, ..quiet() };
    assert_eq!(assistant(C, "sig", &replay(Replay::None)), plain);
    assert_eq!(
        assistant(C, "", &replay(Replay::ReasoningContent)),
        json!({"role": "assistant", "content": "Yes", "reasoning_content": "Hm"})
    );
    assert_eq!(
        assistant(C, "sig", &replay(Replay::ReasoningDetails)),
        json!({"role": "assistant", "content": "Yes", "reasoning": "Hm", "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm", "signature": "sig", "format": "anthropic-claude-v1"}]})
    );
    // A reasoning item of Responses, that travelled as a signature.
    assert_eq!(
        assistant(R, "clown.responses:rs_1:enc", &quiet()),
        json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "enc"})
    );
    // Another provider's proof is left out, with what it proves.
    assert_eq!(assistant(R, "sig", &quiet())["type"], "message");
    let yes = json!({"role": "assistant", "content": [{"type": "text", "text": "Yes"}]});
    assert_eq!(assistant(M, "clown.responses:rs_1:enc", &quiet()), yes);
    assert_eq!(assistant(M, "", &quiet()), yes);
}

#[test]
fn a_tool_loop_whose_thinking_is_lost_goes_on_without() {
    let body = |encrypted: Value| {
        let mut body = responses(json!([
            {"role": "user", "content": "Hi"},
            {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": encrypted},
            {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "x"},
        ]));
        body["model"] = json!("claude-sonnet-4-5");
        body["reasoning"] = json!({"effort": "low"});
        body
    };
    check(
        R,
        M,
        body(json!("clown.messages:sig")),
        json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    );
    check(R, M, body(json!(null)), json!({"thinking": null}));
    check(
        R,
        M,
        body(json!("of another provider")),
        json!({"thinking": null}),
    );
}

#[test]
fn dark_thinking_comes_back_too() {
    check(
        R,
        M,
        responses(json!([
            {"role": "user", "content": "Hi"},
            {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "clown.redacted:dark"},
            {"role": "assistant", "content": "Yes"},
            {"role": "user", "content": "Go on"},
        ])),
        json!({"messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "dark"}, {"type": "text", "text": "Yes"}]},
            {"role": "user", "content": [{"type": "text", "text": "Go on"}]},
        ]}),
    );
}

#[test]
fn what_google_signed_goes_back_with_its_call() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "sig"}}});
    let other =
        json!({"id": "d", "type": "function", "function": {"name": "look", "arguments": "{}"}});
    let answer = json!({"id": "x", "model": "gemini", "choices": [{"message": {
        "role": "assistant", "content": "I look.", "tool_calls": [call, other],
    }, "finish_reason": "tool_calls"}]});
    let expected = json!({"role": "assistant", "content": "I look.", "tool_calls": [call, other]});
    let hi = messages(json!([{"role": "user", "content": "Hi"}])).to_string();
    let reply = request(M, C, hi.as_bytes(), None, &quiet()).unwrap().reply;
    let told = reply.whole(answer.to_string().as_bytes(), 0).unwrap();
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    let back = messages(json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": told["content"]},
    ]));
    assert_eq!(translated(M, C, &back, &quiet())["messages"][1], expected);
    let hi = responses(json!("Hi")).to_string();
    let reply = request(R, C, hi.as_bytes(), None, &quiet()).unwrap().reply;
    let told = reply.whole(answer.to_string().as_bytes(), 0).unwrap();
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    let mut input = vec![json!({"role": "user", "content": "Hi"})];
    input.extend(told["output"].as_array().unwrap().iter().cloned());
    let back = responses(Value::from(input));
    assert_eq!(translated(R, C, &back, &quiet())["messages"][1], expected);
}
