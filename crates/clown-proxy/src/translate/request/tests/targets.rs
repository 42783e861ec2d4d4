//! Conversations from each format to each.

use super::*;

/// One conversation with everything, as a caller of Messages says it.
fn whole() -> Value {
    json!({
        "model": "claude", "max_tokens": 1000, "stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 5,
        "stop_sequences": ["END"], "metadata": {"user_id": "someone"},
        "system": [
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Be kind."},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "image", "source": {"type": "url", "url": "https://example.test/x.png"}},
                {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "sig"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}},
                {"type": "tool_use", "id": "t2", "name": "look", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [
                    {"type": "text", "text": "seen"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "eW8="}},
                ]},
                {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": "gone"},
                {"type": "text", "text": "Go on."},
            ]},
        ],
        "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
    })
}

#[test]
fn messages_to_chat() {
    let told = translated(M, C, &whole(), &quiet());
    assert_eq!(
        told,
        json!({
            "model": "claude",
            "messages": [
                {"role": "system", "content": "Be brief.\n\nBe kind."},
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "image_url", "image_url": {"url": "https://example.test/x.png"}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
                ]},
                {"role": "assistant", "content": "I look.", "reasoning_content": "Hm", "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}},
                    {"id": "t2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "t1", "content": "seen"},
                {"role": "tool", "tool_call_id": "t2", "content": "Error: gone"},
                {"role": "user", "content": [
                    {"type": "text", "text": "From the tool call t1:"},
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,eW8="}},
                    {"type": "text", "text": "Go on."},
                ]},
            ],
            "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.",
                "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}],
            "tool_choice": "auto", "parallel_tool_calls": false,
            "max_tokens": 1000, "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "user": "someone",
            "stream": true, "stream_options": {"include_usage": true},
        })
    );
}

#[test]
fn messages_to_responses() {
    let told = translated(M, R, &whole(), &quiet());
    assert_eq!(
        told,
        json!({
            "model": "claude",
            "instructions": "Be brief.\n\nBe kind.",
            "input": [
                {"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
                    {"type": "input_image", "image_url": "https://example.test/x.png"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
                ]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
                {"type": "function_call", "call_id": "t1", "name": "look", "arguments": "{\"a\":1}"},
                {"type": "function_call", "call_id": "t2", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "t1", "output": [
                    {"type": "input_text", "text": "seen"},
                    {"type": "input_image", "image_url": "data:image/jpeg;base64,eW8="},
                ]},
                {"type": "function_call_output", "call_id": "t2", "output": "gone"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]},
            ],
            "tools": [{"type": "function", "name": "look", "description": "Looks.", "strict": false,
                "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}],
            "tool_choice": "auto", "parallel_tool_calls": false,
            "max_output_tokens": 1000, "temperature": 0.5, "top_p": 0.9, "user": "someone",
            "store": false, "stream": true,
        })
    );
}

/// As Codex says it.
fn codex() -> Value {
    json!({
        "model": "gpt", "instructions": "Be brief.", "stream": true, "store": false,
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "high"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "clown.messages:sig"},
            {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{\"a\":1}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin"},
            {"type": "function_call_output", "call_id": "c1", "output": "done"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "ok"}, {"type": "input_image", "image_url": "data:image/png;base64,eW8="}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
            {"type": "web_search_call", "id": "ws", "status": "completed"},
            {"role": "user", "content": "Thanks"},
        ],
        "tools": [
            {"type": "function", "name": "shell", "description": "Runs.", "strict": false, "parameters": {"type": "object"}},
            {"type": "custom", "name": "patch", "description": "Patches.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "web_search"}, {"type": "local_shell"},
        ],
        "tool_choice": "auto", "parallel_tool_calls": true, "reasoning": null,
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "key",
        "text": {"verbosity": "low"},
    })
}

#[test]
fn responses_to_chat() {
    let mut told = translated(R, C, &codex(), &quiet());
    let patch = told["tools"][1]["function"].take();
    assert_eq!(patch["name"], "patch");
    assert_eq!(patch["parameters"]["required"], json!(["input"]));
    assert!(patch["description"].as_str().unwrap().contains("start: x"));
    assert_eq!(
        told,
        json!({
            "model": "gpt",
            "messages": [
                {"role": "system", "content": "Be brief.\n\nRules."},
                {"role": "user", "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "high"}},
                ]},
                {"role": "assistant", "content": null, "reasoning_content": "Hm", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "shell", "arguments": "{\"a\":1}"}},
                    {"id": "c2", "type": "function", "function": {"name": "patch", "arguments": "{\"input\":\"*** Begin\"}"}},
                ]},
                {"role": "tool", "tool_call_id": "c1", "content": "done"},
                {"role": "tool", "tool_call_id": "c2", "content": "ok"},
                {"role": "user", "content": [
                    {"type": "text", "text": "From the tool call c2:"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,eW8="}},
                ]},
                {"role": "assistant", "content": "Done."},
                {"role": "user", "content": "Thanks"},
            ],
            "tools": [
                {"type": "function", "function": {"name": "shell", "description": "Runs.", "parameters": {"type": "object"}}},
                {"type": "function", "function": null},
            ],
            "tool_choice": "auto",
            "stream": true, "stream_options": {"include_usage": true},
        })
    );
}

#[test]
fn responses_to_messages() {
    let dialect = Dialect {
        web_search: Some(true),
        ..quiet()
    };
    let told = translated(R, M, &codex(), &dialect);
    assert_eq!(
        told["system"],
        json!([{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Rules."}])
    );
    assert_eq!(told["max_tokens"], 32_000);
    assert_eq!(told["stream"], true);
    assert_eq!(
        told["tools"][2],
        json!({"type": "web_search_20250305", "name": "web_search"})
    );
    assert_eq!(
        told["tools"][0],
        json!({"name": "shell", "description": "Runs.", "input_schema": {"type": "object"}})
    );
    assert_eq!(told["tool_choice"], json!({"type": "auto"}));
    assert_eq!(
        told["messages"],
        json!([
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "sig"},
                {"type": "tool_use", "id": "c1", "name": "shell", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "patch", "input": {"input": "*** Begin"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "done"}]},
                {"type": "tool_result", "tool_use_id": "c2", "content": [
                    {"type": "text", "text": "ok"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eW8="}},
                ]},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
            {"role": "user", "content": [{"type": "text", "text": "Thanks"}]},
        ])
    );
}

#[test]
fn chat_to_messages() {
    let body = json!({
        "model": "claude", "max_completion_tokens": 50, "temperature": 1.5, "stop": "END", "user": "someone",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "https://example.test/x.png"}},
            ]},
            {"role": "assistant", "content": null, "reasoning_content": "Hm",
             "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "sig"}],
             "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"a\": 1}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "seen"},
            {"role": "system", "content": "A late rule."},
            {"role": "user", "content": "And?"},
        ],
        "tools": [{"type": "function", "function": {"name": "look"}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": false,
    });
    let told = translated(C, M, &body, &quiet());
    assert_eq!(
        told,
        json!({
            "model": "claude", "max_tokens": 50,
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image", "source": {"type": "url", "url": "https://example.test/x.png"}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Hm", "signature": "sig"},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "seen"}]},
                    {"type": "text", "text": "A late rule."},
                    {"type": "text", "text": "And?"},
                ]},
            ],
            "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": true},
            "temperature": 1.0, "stop_sequences": ["END"], "metadata": {"user_id": "someone"},
        })
    );
}

#[test]
fn a_rule_may_ask_for_another_model() {
    let body = messages(json!([{"role": "user", "content": "Hi"}])).to_string();
    let translated = request(M, C, body.as_bytes(), Some("other"), &quiet()).unwrap();
    let told: Value = serde_json::from_slice(&translated.body).unwrap();
    assert_eq!(told["model"], "other");
    assert!(!translated.stream);
    assert_eq!(
        (translated.reply.caller(), translated.reply.upstream()),
        (M, C)
    );
}

#[test]
fn what_cannot_be_translated_is_refused() {
    for (caller, body, expected) in [
        (M, "{", "the body is not a request of the messages format: "),
        (M, "{\"model\": \"m\"}", "missing field `messages`"),
        (
            C,
            "{\"model\": \"m\", \"messages\": 1}",
            "the chat format: ",
        ),
        (
            R,
            "{\"model\": \"m\", \"input\": \"x\", \"previous_response_id\": \"r\"}",
            "`previous_response_id`",
        ),
        (
            R,
            "{\"model\": \"m\", \"input\": \"x\", \"conversation\": \"c\"}",
            "`conversation`",
        ),
        (
            R,
            "{\"model\": \"m\", \"prompt\": {\"id\": \"p\"}}",
            "`prompt`",
        ),
        (
            R,
            "{\"model\": \"m\", \"input\": \"x\", \"background\": true}",
            "`background`",
        ),
        (C, "{\"model\": \"m\", \"messages\": [], \"n\": 2}", "`n`"),
        (
            R,
            "{\"model\": \"m\", \"input\": [{\"type\": \"item_reference\", \"id\": \"x\"}]}",
            "item_reference",
        ),
    ] {
        let error = request(caller, C, body.as_bytes(), None, &quiet()).unwrap_err();
        let failure = error.failure();
        assert_eq!(failure.status(caller), 400);
        assert!(failure.message.contains(expected), "{}", failure.message);
    }
}
