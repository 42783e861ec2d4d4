//! Tools, which of them is to be used, and their names.

use super::*;

fn with_tool(choice: Value) -> Value {
    let mut body = messages(json!([{"role": "user", "content": "Hi"}]));
    body["tools"] = json!([{"name": "look", "input_schema": {"type": "object"}}]);
    body["tool_choice"] = choice;
    body
}

#[test]
fn a_choice_is_told_in_each_format() {
    let named = json!({"type": "function", "function": {"name": "look"}});
    for (choice, chat, responses) in [
        (json!({"type": "auto"}), json!("auto"), json!("auto")),
        (json!({"type": "any"}), json!("required"), json!("required")),
        (json!({"type": "none"}), json!("none"), json!("none")),
        (
            json!({"type": "tool", "name": "look"}),
            named,
            json!({"type": "function", "name": "look"}),
        ),
    ] {
        check(
            M,
            C,
            with_tool(choice.clone()),
            json!({"tool_choice": chat}),
        );
        check(
            M,
            R,
            with_tool(choice.clone()),
            json!({"tool_choice": responses}),
        );
        check(
            M,
            M,
            with_tool(choice.clone()),
            json!({"tool_choice": choice}),
        );
        // Chat and Responses say it so too.
        let mut body = super::chat(json!([{"role": "user", "content": "Hi"}]));
        body["tools"] = json!([{"type": "function", "function": {"name": "look"}}]);
        body["tool_choice"] = chat;
        check(C, M, body, json!({"tool_choice": choice}));
        let mut body = super::responses(json!("Hi"));
        body["tools"] = json!([{"type": "function", "name": "look"}]);
        body["tool_choice"] = responses;
        check(R, M, body, json!({"tool_choice": choice}));
    }
}

#[test]
fn a_choice_without_tools_is_dropped() {
    let mut body = with_tool(json!({"type": "any", "disable_parallel_tool_use": true}));
    for tools in [json!([]), json!(null)] {
        body["tools"] = tools;
        for upstream in [C, R, M] {
            check(
                M,
                upstream,
                body.clone(),
                json!({"tools": null, "tool_choice": null, "parallel_tool_calls": null}),
            );
        }
    }
    // Nor may a tool be chosen that is not offered.
    let mut body = with_tool(json!({"type": "tool", "name": "other"}));
    body["tool_choice"] = json!({"type": "tool", "name": "other"});
    for upstream in [C, R, M] {
        check(M, upstream, body.clone(), json!({"tool_choice": null}));
    }
}

#[test]
fn a_search_of_the_web_is_the_providers_own() {
    let with = |model: &str| {
        let mut body = with_tool(json!({"type": "tool", "name": "web_search"}));
        body["model"] = json!(model);
        body["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
        body
    };
    let none = json!({"tools": null, "tool_choice": null});
    check(M, C, with("gpt-5"), none.clone());
    check(M, R, with("qwen3"), none.clone());
    check(
        M,
        R,
        with("gpt-5"),
        json!({"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}),
    );
    let mut body = responses(json!("Hi"));
    body["tools"] = json!([{"type": "web_search"}]);
    check(R, M, body.clone(), none);
    body["model"] = json!("claude-sonnet-4-5");
    let search = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    check(R, M, body.clone(), json!({"tools": search}));
    let told = Dialect {
        web_search: Some(true),
        ..quiet()
    };
    body["model"] = json!("m");
    check_with(R, M, body, &told, json!({"tools": search}));
}

#[test]
fn names_are_short_and_plain_on_the_wire_and_the_callers_own_on_the_way_back() {
    let long = format!("mcp__{}__read", "s".repeat(80));
    let mut body = with_tool(json!({"type": "tool", "name": long}));
    body["tools"] = json!([
        {"name": long, "input_schema": {"type": "object"}},
        {"name": format!("{long}_all"), "input_schema": {"type": "object"}},
        {"name": "dotted.name", "input_schema": {"type": "object"}},
        {"name": "dotted_name", "input_schema": {"type": "object"}},
        {"name": "slashed_name", "input_schema": {"type": "object"}},
        {"name": "slashed/name", "input_schema": {"type": "object"}},
        {"name": "slashed/name", "input_schema": {"type": "object"}},
    ]);
    body["messages"] = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": long, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]},
    ]);
    let text = body.to_string();
    let translated = request(M, C, text.as_bytes(), None, &quiet()).unwrap();
    let told: Value = serde_json::from_slice(&translated.body).unwrap();
    let names: Vec<&str> = told["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["function"]["name"].as_str().unwrap())
        .collect();
    assert!(names.iter().all(|name| name.len() <= 64), "{names:?}");
    assert_eq!(names.len(), 6, "one is offered twice");
    assert_eq!(
        names.iter().collect::<std::collections::HashSet<_>>().len(),
        6,
        "{names:?}"
    );
    assert_eq!(told["tool_choice"]["function"]["name"], names[0]);
    assert_eq!(
        told["messages"][1]["tool_calls"][0]["function"]["name"],
        names[0]
    );
    let own = [
        long.as_str(),
        &format!("{long}_all"),
        "dotted.name",
        "dotted_name",
        "slashed_name",
        "slashed/name",
    ]
    .map(str::to_owned);
    for (name, own) in names.iter().zip(own) {
        let answer = json!({"choices": [{"message": {"tool_calls": [
            {"id": "c", "function": {"name": name, "arguments": "{}"}}]}, "finish_reason": "tool_calls"}]});
        let whole = translated
            .reply
            .whole(answer.to_string().as_bytes(), 0)
            .unwrap();
        let back: Value = serde_json::from_slice(&whole.body).unwrap();
        assert_eq!(back["content"][0]["name"], own);
    }
}

#[test]
fn groups_of_tools_are_laid_flat() {
    let mut body = responses(json!([
        {"type": "message", "role": "user", "content": "Hi"},
        {"type": "function_call", "call_id": "a", "namespace": "files", "name": "read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "x"},
    ]));
    body["tools"] = json!([
        {"type": "namespace", "name": "files", "description": "Files.", "tools": [
            {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": true}]},
        {"type": "function", "name": "read", "parameters": null},
    ]);
    check(
        R,
        C,
        body,
        json!({
            "tools": [
                {"type": "function", "function": {"name": "files__read", "parameters": {"type": "object"}, "strict": true}},
                {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}},
            ],
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "files__read", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "a", "content": "x"},
            ],
        }),
    );
}
