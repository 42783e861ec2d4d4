//! Answers of our own, in the shape that the agent expects of its provider.

use super::Body;
use crate::config::Format;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};
use serde_json::{Value, json};

/// Something went wrong here, and the agent is told.
pub(super) fn error(format: Format, status: StatusCode, message: &str) -> Response<Body> {
    document(status, &error_document(format, status, message))
}

pub(super) fn document(status: StatusCode, document: &Value) -> Response<Body> {
    json(status, document.to_string().into())
}

/// An answer of JSON.
pub(super) fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The last of a stream that cannot go on. It begins with a blank line, for it may come in the
/// middle of an event.
pub(super) fn error_event(format: Format, message: &str) -> Bytes {
    let status = StatusCode::BAD_GATEWAY;
    let document = error_document(format, status, message);
    let text = match format {
        Format::AnthropicMessages => format!("\n\nevent: error\ndata: {document}\n\n"),
        Format::OpenaiChat | Format::Gemini => format!("\n\ndata: {document}\n\n"),
        Format::OpenaiResponses => {
            let document = json!({
                "type": "error", "code": "server_error", "message": message, "param": null,
            });
            format!("\n\nevent: error\ndata: {document}\n\n")
        }
    };
    text.into()
}

fn error_document(format: Format, status: StatusCode, message: &str) -> Value {
    match format {
        Format::AnthropicMessages => {
            let kind = match status.as_u16() {
                401 => "authentication_error",
                404 => "not_found_error",
                413 => "request_too_large",
                504 => "timeout_error",
                400..=499 => "invalid_request_error",
                _ => "api_error",
            };
            json!({"type": "error", "error": {"type": kind, "message": message}})
        }
        Format::OpenaiChat | Format::OpenaiResponses => {
            let (kind, code) = match status.as_u16() {
                401 => ("invalid_request_error", "invalid_api_key"),
                404 => ("invalid_request_error", "not_found"),
                400..=499 => ("invalid_request_error", "invalid_request"),
                504 => ("server_error", "timeout"),
                _ => ("server_error", "bad_gateway"),
            };
            json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
        }
        Format::Gemini => {
            let word = match status.as_u16() {
                401 => "UNAUTHENTICATED",
                404 => "NOT_FOUND",
                400..=499 => "INVALID_ARGUMENT",
                504 => "DEADLINE_EXCEEDED",
                _ => "UNAVAILABLE",
            };
            json!({"error": {"code": status.as_u16(), "message": message, "status": word}})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_its_own_shape() {
        let check = |format: Format, status: u16, expected: Value| {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(error_document(format, status, "m"), expected);
        };
        let anthropic = |kind: &str| json!({"type":"error","error":{"type":kind,"message":"m"}});
        check(
            Format::AnthropicMessages,
            401,
            anthropic("authentication_error"),
        );
        check(Format::AnthropicMessages, 502, anthropic("api_error"));
        check(Format::AnthropicMessages, 504, anthropic("timeout_error"));
        let openai = |kind: &str, code: &str| json!({"error":{"message":"m","type":kind,"param":null,"code":code}});
        let unknown = openai("invalid_request_error", "invalid_api_key");
        check(Format::OpenaiChat, 401, unknown);
        let gateway = openai("server_error", "bad_gateway");
        check(Format::OpenaiResponses, 502, gateway);
        let gemini = json!({"error":{"code":401,"message":"m","status":"UNAUTHENTICATED"}});
        check(Format::Gemini, 401, gemini);
    }
}
