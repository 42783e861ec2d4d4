//! What a caller reads, in lines short enough for a table.

use serde_json::Value;

use crate::format::Format;
use crate::sse::Splitter;

/// One line for each event.
pub(super) fn summary(caller: Format, bytes: &[u8]) -> Vec<String> {
    let mut splitter = Splitter::default();
    splitter.push(bytes::Bytes::copy_from_slice(bytes));
    let mut lines = Vec::new();
    while let Some(event) = splitter.next_event().unwrap() {
        if &event.data[..] == b"[DONE]" {
            lines.push("end".to_owned());
            continue;
        }
        let data: Value = serde_json::from_slice(&event.data).unwrap();
        match caller {
            Format::Chat => assert!(event.name.is_empty()),
            _ => assert_eq!(data["type"], String::from_utf8_lossy(&event.name).as_ref()),
        }
        lines.extend(match caller {
            Format::Messages => messages(&data),
            Format::Chat => chat(&data),
            Format::Responses => responses(&data),
        });
    }
    assert_eq!(splitter.finish().unwrap(), None, "the last event is whole");
    lines
}

/// An id, without what is random in it.
fn id(value: &Value) -> String {
    let id = value.as_str().unwrap();
    match id.find(['_', '-']) {
        Some(at) if id.len() == at + 25 => format!("{}*", &id[..=at]),
        _ => id.to_owned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn messages(data: &Value) -> Option<String> {
    Some(match text(&data["type"]) {
        "message_start" => {
            let message = &data["message"];
            assert_eq!(message["content"], serde_json::json!([]));
            format!("start {} {}", id(&message["id"]), text(&message["model"]))
        }
        "content_block_start" => {
            let block = &data["content_block"];
            let index = &data["index"];
            match text(&block["type"]) {
                "tool_use" => format!(
                    "+{index} tool {} {}",
                    id(&block["id"]),
                    text(&block["name"])
                ),
                "redacted_thinking" => format!("+{index} redacted {}", text(&block["data"])),
                kind => format!("+{index} {kind}"),
            }
        }
        "content_block_delta" => {
            let delta = &data["delta"];
            match text(&delta["type"]) {
                "text_delta" => format!("text {}", text(&delta["text"])),
                "thinking_delta" => format!("thinking {}", text(&delta["thinking"])),
                "signature_delta" => format!("signature {}", text(&delta["signature"])),
                "input_json_delta" => format!("json {}", text(&delta["partial_json"])),
                other => panic!("{other}"),
            }
        }
        "content_block_stop" => format!("-{}", data["index"]),
        "message_delta" => {
            let usage = &data["usage"];
            let sequence = match &data["delta"]["stop_sequence"] {
                Value::Null => String::new(),
                sequence => format!(" {sequence}"),
            };
            format!(
                "stop {}{sequence} in={} read={} write={} out={}",
                text(&data["delta"]["stop_reason"]),
                usage["input_tokens"],
                usage["cache_read_input_tokens"],
                usage["cache_creation_input_tokens"],
                usage["output_tokens"],
            )
        }
        "message_stop" => "end".to_owned(),
        "error" => format!(
            "error {}: {}",
            text(&data["error"]["type"]),
            text(&data["error"]["message"])
        ),
        other => panic!("{other}"),
    })
}

fn chat(data: &Value) -> Option<String> {
    if let Some(error) = data.get("error") {
        return Some(format!(
            "error {} {}: {}",
            text(&error["type"]),
            error["code"],
            text(&error["message"])
        ));
    }
    assert_eq!(data["object"], "chat.completion.chunk");
    let Some(choice) = data["choices"].get(0) else {
        let usage = &data["usage"];
        return Some(format!(
            "usage in={} read={} write={} out={} thought={}",
            usage["prompt_tokens"],
            usage["prompt_tokens_details"]["cached_tokens"],
            usage["prompt_tokens_details"]["cache_write_tokens"],
            usage["completion_tokens"],
            usage["completion_tokens_details"]["reasoning_tokens"],
        ));
    };
    if let Some(reason) = choice["finish_reason"].as_str() {
        return Some(format!("finish {reason}"));
    }
    let delta = &choice["delta"];
    if delta.get("role").is_some() {
        return Some(format!(
            "start {} {}",
            id(&data["id"]),
            text(&data["model"])
        ));
    }
    if let Some(content) = delta.get("content") {
        return Some(format!("text {}", text(content)));
    }
    if let Some(thinking) = delta.get("reasoning_content") {
        return Some(format!("thinking {}", text(thinking)));
    }
    if let Some(details) = delta.get("reasoning_details") {
        let detail = &details[0];
        let proof = detail.get("signature").or_else(|| detail.get("data"));
        return Some(format!(
            "{} {}",
            text(&detail["type"]),
            text(proof.unwrap())
        ));
    }
    let call = &delta["tool_calls"][0];
    let function = &call["function"];
    Some(match call.get("id") {
        Some(own) => format!(
            "+{} tool {} {}",
            call["index"],
            id(own),
            text(&function["name"])
        ),
        None => format!("{} json {}", call["index"], text(&function["arguments"])),
    })
}

fn responses(data: &Value) -> Option<String> {
    let kind = text(&data["type"]);
    let index = &data["output_index"];
    let short = kind.strip_prefix("response.").unwrap();
    Some(match short {
        "created" => format!(
            "start {} {}",
            id(&data["response"]["id"]),
            text(&data["response"]["model"])
        ),
        "output_item.added" => format!("+{index} {}", text(&data["item"]["type"])),
        "output_item.done" => format!("-{index} {}", item(&data["item"])),
        "output_text.delta" => format!("text {}", text(&data["delta"])),
        "reasoning_summary_text.delta" => format!("thinking {}", text(&data["delta"])),
        "function_call_arguments.delta" => format!("json {}", text(&data["delta"])),
        "custom_tool_call_input.delta" => format!("input {}", text(&data["delta"])),
        "completed" | "incomplete" | "failed" => {
            let response = &data["response"];
            let items = response["output"].as_array().unwrap();
            let kinds: Vec<&str> = items.iter().map(|item| text(&item["type"])).collect();
            let usage = &response["usage"];
            let why = match (&response["incomplete_details"], &response["error"]) {
                (Value::Null, Value::Null) => String::new(),
                (Value::Null, error) => {
                    format!(" {}: {}", text(&error["code"]), text(&error["message"]))
                }
                (details, _) => format!(" {}", text(&details["reason"])),
            };
            if short == "failed" {
                return Some(format!("failed{why}"));
            }
            format!(
                "{short}{why} [{}] in={} read={} out={}",
                kinds.join(" "),
                usage["input_tokens"],
                usage["input_tokens_details"]["cached_tokens"],
                usage["output_tokens"],
            )
        }
        // What only repeats.
        _ => return None,
    })
}

fn item(item: &Value) -> String {
    match text(&item["type"]) {
        "message" => format!("message {}", text(&item["content"][0]["text"])),
        "reasoning" => format!(
            "reasoning {} {}",
            item["summary"][0]["text"],
            item.get("encrypted_content").unwrap_or(&Value::Null)
        ),
        "function_call" => format!(
            "call {} {}{} {}",
            id(&item["call_id"]),
            item.get("namespace")
                .map(|space| format!("{}/", text(space)))
                .unwrap_or_default(),
            text(&item["name"]),
            text(&item["arguments"])
        ),
        "custom_tool_call" => format!(
            "custom {} {} {}",
            id(&item["call_id"]),
            text(&item["name"]),
            text(&item["input"])
        ),
        other => panic!("{other}"),
    }
}
