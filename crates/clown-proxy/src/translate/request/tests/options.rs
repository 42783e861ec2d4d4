//! What stands beside a conversation: cache, shape of the answer, limits.

use super::*;

#[test]
fn what_is_to_be_cached_is_marked_where_the_request_does_not_say() {
    let mark = json!({"type": "ephemeral"});
    let turns = json!([
        {"role": "system", "content": "S"},
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "3"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "5"},
    ]);
    let told = translated(C, M, &chat(turns), &Dialect::default());
    assert_eq!(told["system"][0]["cache_control"], mark);
    let marked: Vec<bool> = told["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| turn["content"][0].get("cache_control").is_some())
        .collect();
    assert_eq!(marked, [false, false, true, false, true]);
    // The caller's own marks stand alone.
    let body = chat(json!([{"role": "user", "content": [
        {"type": "text", "text": "1", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "2"},
    ]}]));
    check_with(
        C,
        M,
        body.clone(),
        &Dialect::default(),
        json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "1", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "2"},
        ]}]}),
    );
    // Chat keeps them only where it is told that the upstream knows them.
    check(
        C,
        C,
        body.clone(),
        json!({"messages": [{"role": "user", "content": "1\n\n2"}]}),
    );
    let knows = Dialect {
        cache_control: true,
        ..quiet()
    };
    check_with(
        C,
        C,
        body.clone(),
        &knows,
        json!({"messages": body["messages"]}),
    );
}

#[test]
fn an_answer_may_have_a_shape() {
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let turns = json!([{"role": "user", "content": "Hi"}]);
    let mut body = messages(turns.clone());
    body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
    check(
        M,
        C,
        body.clone(),
        json!({"response_format": {"type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": true}}}),
    );
    check(
        M,
        R,
        body,
        json!({"text": {"format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": true}}}),
    );
    let mut body = responses(json!("Hi"));
    body["text"] = json!({"format": {"type": "json_schema", "name": "n", "schema": schema}});
    check(
        R,
        C,
        body.clone(),
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}),
    );
    check(
        R,
        M,
        body,
        json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}),
    );
    let mut body = chat(turns);
    body["response_format"] = json!({"type": "json_object"});
    check(
        C,
        R,
        body.clone(),
        json!({"text": {"format": {"type": "json_object"}}}),
    );
    check(
        C,
        M,
        body.clone(),
        json!({"output_config": null, "system": [
        {"type": "text", "text": "Answer with one JSON object and nothing else."}]}),
    );
    body["response_format"] = json!({"type": "text"});
    check(C, M, body, json!({"output_config": null, "system": null}));
}

#[test]
fn limits_are_named_as_the_model_wants_them() {
    for (model, member) in [
        ("gpt-4o", "max_tokens"),
        ("deepseek-chat", "max_tokens"),
        ("gpt-5.1", "max_completion_tokens"),
        ("openai/o3", "max_completion_tokens"),
    ] {
        let mut body = messages(json!([{"role": "user", "content": "Hi"}]));
        body["model"] = json!(model);
        check(M, C, body, json!({member: 100}));
    }
    let mut body = messages(json!([{"role": "user", "content": "Hi"}]));
    body["max_tokens"] = json!(1);
    check(M, R, body, json!({"max_output_tokens": 16}));
}

#[test]
fn a_long_name_of_a_user_is_left_out() {
    let mut body = messages(json!([{"role": "user", "content": "Hi"}]));
    body["metadata"] = json!({"user_id": "u".repeat(65)});
    check(M, C, body.clone(), json!({"user": null}));
    check(M, R, body, json!({"user": null}));
}

#[test]
fn what_is_openais_own_goes_only_where_it_is_known() {
    let mut body = responses(json!("Hi"));
    body["prompt_cache_key"] = json!("key");
    body["text"] = json!({"verbosity": "low"});
    check(
        R,
        C,
        body.clone(),
        json!({"prompt_cache_key": null, "verbosity": null}),
    );
    let knows = Dialect {
        own_members: true,
        ..quiet()
    };
    check_with(
        R,
        C,
        body,
        &knows,
        json!({"prompt_cache_key": "key", "verbosity": "low"}),
    );
    // A session of Claude Code is one to the cache.
    let mut body = messages(json!([{"role": "user", "content": "Hi"}]));
    body["metadata"] = json!({"user_id": "{\"device_id\":\"d\",\"session_id\":\"s\"}"});
    check(M, R, body, json!({"prompt_cache_key": "s"}));
}
