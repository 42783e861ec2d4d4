use super::*;

fn tokens(input: u64, output: u64, cache_write: u64, cache_read: u64) -> Tokens {
    Tokens {
        input,
        output,
        cache_write,
        cache_read,
        ..Tokens::default()
    }
}

/// Fed whole, and cut at every byte.
fn check(format: Format, is_stream: bool, text: &str, expected: &Reading) {
    let mut whole = meter(format, is_stream);
    whole.feed(&Bytes::copy_from_slice(text.as_bytes()));
    assert_eq!(whole.finish(), *expected, "{text}");
    let mut cut = meter(format, is_stream);
    for byte in text.as_bytes() {
        cut.feed(&Bytes::copy_from_slice(&[*byte]));
    }
    assert_eq!(cut.finish(), *expected, "cut: {text}");
}

fn reading(model: &str, id: &str, tokens: Tokens, end: End) -> Reading {
    Reading {
        model: Some(model.to_owned()),
        message_id: Some(id.to_owned()),
        tokens: Some(tokens),
        end,
    }
}

const START: &str = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\
    \"model\":\"claude-x\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1,\"cache_read_input_tokens\":4,\
    \"cache_creation_input_tokens\":6,\"cache_creation\":{\"ephemeral_1h_input_tokens\":2}}}}\r\n\r\n";
const DELTA: &str =
    ": ping\n\ndata: {\"type\":\"message_delta\",\ndata: \"usage\":{\"output_tokens\":7}}\n\n";

#[test]
fn a_stream_of_messages() {
    let counted = |output| Tokens {
        cache_write_hour: 2,
        ..tokens(9, output, 4, 4)
    };
    let check = |text: String, output: u64, end: End| {
        let expected = reading("claude-x", "msg_1", counted(output), end);
        check(Format::AnthropicMessages, true, &text, &expected);
    };
    let stop = "data: {\"type\":\"message_stop\"}";
    check(
        format!("\u{feff}{START}{DELTA}{stop}\n\n"),
        7,
        End::Complete,
    );
    check(format!("{START}{DELTA}{stop}"), 7, End::Complete);
    check(format!("{START}{DELTA}"), 7, End::Missing);
    check(START.to_owned(), 1, End::Missing);
    let error = "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    check(format!("{START}{error}"), 1, End::Failed);
}

#[test]
fn a_stream_of_chat() {
    let chunk = r#"data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"finish_reason":null}],"usage":null}"#;
    let finish = r#"data: {"id":"chatcmpl-1","choices":[{"finish_reason":"stop"}]}"#;
    let usage = r#"data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}"#;
    let expected = reading("gpt-x", "chatcmpl-1", tokens(5, 3, 0, 4), End::Complete);
    let text = format!("{chunk}\n\n{finish}\n\n{usage}\n\ndata: [DONE]\n\n");
    check(Format::OpenaiChat, true, &text, &expected);
    let text = format!("{chunk}\n\n{finish}\n\n{usage}\n\n");
    check(Format::OpenaiChat, true, &text, &expected);
    let cut = Reading {
        tokens: None,
        end: End::Missing,
        ..expected
    };
    check(Format::OpenaiChat, true, &format!("{chunk}\n\n"), &cut);
}

#[test]
fn a_stream_of_responses() {
    let created = r#"data: {"type":"response.created","response":{"id":"resp_1","model":"gpt-x","usage":null}}"#;
    let part =
        r#"data: {"type":"response.output_item.added","item":{"id":"item_1"},"id":"not_it"}"#;
    let usage = r#""usage":{"input_tokens":9,"output_tokens":3,"input_tokens_details":{"cached_tokens":4}}"#;
    let check = |last: &str, expected: End| {
        let text = format!(
            "{part}\n\n{created}\n\ndata: {{\"type\":\"{last}\",\"response\":{{\"id\":\"resp_1\",{usage}}}}}\n\n"
        );
        let expected = reading("gpt-x", "resp_1", tokens(5, 3, 0, 4), expected);
        check(Format::OpenaiResponses, true, &text, &expected);
    };
    check("response.completed", End::Complete);
    check("response.incomplete", End::Complete);
    check("response.failed", End::Failed);
    check("response.in_progress", End::Missing);
}

#[test]
fn documents() {
    let message = r#"{"id":"msg_1","type":"message","model":"m","usage":{"input_tokens":2,"output_tokens":3}}"#;
    let expected = |id: &str, counted| reading("m", id, counted, End::Complete);
    let of_message = expected("msg_1", tokens(2, 3, 0, 0));
    check(Format::AnthropicMessages, false, message, &of_message);
    let gemini = r#"{"responseId":"g1","modelVersion":"m","usageMetadata":{"promptTokenCount":9,
        "toolUsePromptTokenCount":1,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":5}}"#;
    let of_gemini = expected("g1", tokens(6, 8, 0, 4));
    check(Format::Gemini, false, gemini, &of_gemini);
    let odd = r#"{"id":7,"usage":"none","model":"m"}"#;
    let of_odd = Reading {
        model: Some("m".to_owned()),
        message_id: Some("7".to_owned()),
        end: End::Complete,
        ..Reading::default()
    };
    check(Format::OpenaiChat, false, odd, &of_odd);
    let error = r#"{"error":{"message":"no"}}"#;
    let of_error = Reading {
        end: End::Failed,
        ..Reading::default()
    };
    check(Format::OpenaiChat, false, error, &of_error);
    check(Format::OpenaiChat, false, "{\"id\":", &Reading::default());
}
