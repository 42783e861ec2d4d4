use serde_json::{Value, json};

use super::*;

/// An upstream's error, and how it is told to a caller: its status and the members of its error.
#[track_caller]
fn check(status: u16, body: &str, caller: Format, expected: (u16, &str, &str)) {
    let failure = Failure::read(status, body.as_bytes());
    let told: Value = serde_json::from_slice(&failure.body(caller)).unwrap();
    assert_eq!(failure.status(caller), expected.0, "{failure:?}");
    assert_eq!(told["error"]["type"], expected.1, "{told}");
    assert_eq!(told["error"]["message"], expected.2, "{told}");
}

#[test]
fn errors_of_openai_are_told_to_a_caller_of_messages() {
    let told = Format::Messages;
    let error = |kind: &str, code: &str| {
        json!({"error": {"message": "m", "type": kind, "param": null, "code": code}}).to_string()
    };
    check(
        400,
        &error("invalid_request_error", "x"),
        told,
        (400, "invalid_request_error", "m"),
    );
    check(
        401,
        &error("invalid_request_error", "invalid_api_key"),
        told,
        (401, "authentication_error", "m"),
    );
    check(403, &error("x", "y"), told, (403, "permission_error", "m"));
    check(
        404,
        &error("invalid_request_error", "model_not_found"),
        told,
        (404, "not_found_error", "m"),
    );
    check(413, &error("x", "y"), told, (413, "request_too_large", "m"));
    check(
        429,
        &error("requests", "rate_limit_exceeded"),
        told,
        (429, "rate_limit_error", "m"),
    );
    check(
        429,
        &error("insufficient_quota", "insufficient_quota"),
        told,
        (402, "billing_error", "m"),
    );
    check(
        500,
        &error("server_error", "x"),
        told,
        (500, "api_error", "m"),
    );
    check(
        502,
        &error("server_error", "x"),
        told,
        (502, "api_error", "m"),
    );
    check(
        503,
        &error("server_error", "x"),
        told,
        (529, "overloaded_error", "m"),
    );
    check(504, &error("x", "y"), told, (504, "timeout_error", "m"));
    check(
        400,
        &error("invalid_request_error", "context_length_exceeded"),
        told,
        (400, "invalid_request_error", "prompt is too long: m"),
    );
}

#[test]
fn errors_of_messages_are_told_to_callers_of_openai() {
    let error = |kind: &str, message: &str| {
        json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
    };
    for told in [Format::Chat, Format::Responses] {
        check(
            529,
            &error("overloaded_error", "m"),
            told,
            (503, "server_error", "m"),
        );
        check(
            429,
            &error("rate_limit_error", "m"),
            told,
            (429, "rate_limit_error", "m"),
        );
        check(
            401,
            &error("authentication_error", "m"),
            told,
            (401, "authentication_error", "m"),
        );
        check(
            500,
            &error("api_error", "m"),
            told,
            (500, "server_error", "m"),
        );
    }
    let long = error(
        "invalid_request_error",
        "prompt is too long: 9 tokens > 8 maximum",
    );
    let failure = Failure::read(400, long.as_bytes());
    let told: Value = serde_json::from_slice(&failure.body(Format::Responses)).unwrap();
    assert_eq!(told["error"]["code"], "context_length_exceeded");
}

#[test]
fn errors_of_no_format_are_read_as_well_as_they_can_be() {
    let told = Format::Messages;
    check(
        400,
        r#"{"error": "just words"}"#,
        told,
        (400, "invalid_request_error", "just words"),
    );
    check(
        422,
        r#"{"detail": "a detail"}"#,
        told,
        (400, "invalid_request_error", "a detail"),
    );
    check(
        500,
        r#"{"message": "top"}"#,
        told,
        (500, "api_error", "top"),
    );
    check(
        400,
        r#"[{"error": {"message": "wrapped", "code": 400, "status": "INVALID"}}]"#,
        told,
        (400, "invalid_request_error", "wrapped"),
    );
    check(
        502,
        "<html>Bad Gateway</html>",
        told,
        (
            502,
            "api_error",
            "The upstream answered 502 and did not say why.",
        ),
    );
    check(
        500,
        "plain",
        told,
        (500, "api_error", "The upstream answered 500: plain"),
    );
    check(
        503,
        "",
        told,
        (
            529,
            "overloaded_error",
            "The upstream answered 503 and did not say why.",
        ),
    );
    check(
        500,
        "{}",
        told,
        (
            500,
            "api_error",
            "The upstream answered 500 and did not say why.",
        ),
    );
    check(500, "\"x\"", told, (500, "api_error", "x"));
}

#[test]
fn an_error_in_a_stream_is_known_by_its_words() {
    for (error, kind) in [
        (
            json!({"type": "overloaded_error", "message": "m"}),
            FailureKind::Overloaded,
        ),
        (
            json!({"code": "rate_limit_exceeded", "message": "m"}),
            FailureKind::RateLimit,
        ),
        (json!({"code": 429, "message": "m"}), FailureKind::RateLimit),
        (
            json!({"code": "context_length_exceeded", "message": "m"}),
            FailureKind::ContextTooLong,
        ),
        (
            json!({"type": "invalid_request_error", "message": "m"}),
            FailureKind::InvalidRequest,
        ),
        (
            json!({"code": "insufficient_quota", "message": "m"}),
            FailureKind::Billing,
        ),
        (
            json!({"code": "server_error", "message": "m"}),
            FailureKind::Api,
        ),
        (json!({"message": "m"}), FailureKind::Api),
    ] {
        let failure = Failure::from_value(None, &error);
        assert_eq!(failure.kind, kind, "{error}");
        assert_eq!(failure.message, "m");
    }
}
