//! What went wrong, apart from any format, and how each format says it.

use serde_json::Value;

use crate::format::Format;
use crate::json::Json;

/// What kind of thing went wrong. Each format has its own words and status for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The request cannot be understood or is not allowed.
    InvalidRequest,
    /// The conversation does not fit into the model's context.
    ContextTooLong,
    /// No key, or a wrong one.
    Authentication,
    /// The account has no money left, or none for this.
    Billing,
    /// The key may not do this.
    Permission,
    /// No such model or endpoint.
    NotFound,
    /// The request's body is too large.
    TooLarge,
    /// Too many requests or tokens.
    RateLimit,
    /// The provider did not answer in time.
    Timeout,
    /// The provider has too much to do.
    Overloaded,
    /// Anything else on the provider's side.
    Api,
}

/// One failure, as it is told to a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of thing went wrong.
    pub kind: FailureKind,
    /// For people: what happened and to what.
    pub message: String,
    /// The provider's own code where it gave one; kept for callers of OpenAI's formats.
    pub code: Option<String>,
    /// The provider's status where there was one and it was an error.
    pub status: Option<u16>,
}

impl Failure {
    /// A failure that was found here and has neither code nor status of a provider.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            status: None,
        }
    }

    /// Reads the body of an answer with an error status, whatever shape it has.
    pub fn read(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::from_value(Some(status), &value),
            Err(_) => Self::unreadable(status, body),
        }
    }

    /// Reads an error that stands in a stream or in a body with a good status. The value is the whole
    /// event, or the error itself.
    pub(crate) fn from_value(status: Option<u16>, value: &Value) -> Self {
        // Google's answers are wrapped in an array.
        let value = match value {
            Value::Array(list) => list.first().unwrap_or(value),
            _ => value,
        };
        let error = match &value["error"] {
            Value::Null => value,
            error => error,
        };
        let text = |key: &str| error[key].as_str().filter(|text| !text.is_empty());
        let message = error
            .as_str()
            .or_else(|| text("message"))
            .or_else(|| text("detail"))
            .or_else(|| value["message"].as_str());
        // OpenRouter gives the status as the code.
        let status = status
            .or_else(|| {
                let number = error["code"]
                    .as_u64()
                    .or_else(|| error["status"].as_u64())?;
                u16::try_from(number).ok()
            })
            .filter(|status| *status >= 400);
        let kind_word = text("type").or_else(|| text("status")).unwrap_or_default();
        let code = text("code");
        let message = match message {
            Some(message) => message.to_owned(),
            None => match status {
                Some(status) => format!("The upstream answered {status} and did not say why."),
                None => "The upstream reported an error and did not say which.".to_owned(),
            },
        };
        Self {
            kind: kind_of(status, kind_word, code.unwrap_or_default(), &message),
            message,
            code: code.map(str::to_owned),
            status,
        }
    }

    fn unreadable(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        let message = if text.is_empty() || text.starts_with('<') {
            format!("The upstream answered {status} and did not say why.")
        } else {
            let short: String = text.chars().take(300).collect();
            format!("The upstream answered {status}: {short}")
        };
        Self {
            kind: kind_of(Some(status), "", "", &message),
            message,
            code: None,
            status: Some(status).filter(|status| *status >= 400),
        }
    }

    /// The status that goes with [`Self::body`] to a caller of this format. A `Retry-After` of the
    /// upstream stays a header of the answer; it is not part of the body.
    pub fn status(&self, caller: Format) -> u16 {
        let own = self.status.filter(|status| *status >= 500);
        match self.kind {
            FailureKind::InvalidRequest | FailureKind::ContextTooLong => 400,
            FailureKind::Authentication => 401,
            FailureKind::Billing => 402,
            FailureKind::Permission => 403,
            FailureKind::NotFound => 404,
            FailureKind::TooLarge => 413,
            FailureKind::RateLimit => 429,
            FailureKind::Timeout => 504,
            FailureKind::Overloaded if caller == Format::Messages => 529,
            FailureKind::Overloaded => 503,
            FailureKind::Api => own.unwrap_or(500),
        }
    }

    /// The body of an error answer in the caller's shape.
    pub fn body(&self, caller: Format) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.message.len() + 128);
        self.write(caller, &mut Json(&mut out));
        out
    }

    pub(crate) fn write(&self, caller: Format, json: &mut Json<'_>) {
        match caller {
            Format::Messages => json.object(|json| {
                json.text_field("type", "error");
                json.key("error").object(|json| {
                    json.text_field("type", self.anthropic_type());
                    json.text_field("message", &self.anthropic_message());
                });
            }),
            Format::Chat | Format::Responses => json.object(|json| {
                json.key("error").object(|json| {
                    json.text_field("message", &self.message);
                    json.text_field("type", self.openai_type());
                    json.raw_field("param", "null");
                    match self.openai_code() {
                        Some(code) => json.text_field("code", code),
                        None => json.raw_field("code", "null"),
                    }
                });
            }),
        }
    }

    fn anthropic_type(&self) -> &'static str {
        match self.kind {
            FailureKind::InvalidRequest | FailureKind::ContextTooLong => "invalid_request_error",
            FailureKind::Authentication => "authentication_error",
            FailureKind::Billing => "billing_error",
            FailureKind::Permission => "permission_error",
            FailureKind::NotFound => "not_found_error",
            FailureKind::TooLarge => "request_too_large",
            FailureKind::RateLimit => "rate_limit_error",
            FailureKind::Timeout => "timeout_error",
            FailureKind::Overloaded => "overloaded_error",
            FailureKind::Api => "api_error",
        }
    }

    /// Claude Code makes room when it reads these words, and gives up otherwise.
    fn anthropic_message(&self) -> String {
        if self.kind == FailureKind::ContextTooLong
            && !self
                .message
                .to_ascii_lowercase()
                .contains("prompt is too long")
        {
            return format!("prompt is too long: {}", self.message);
        }
        self.message.clone()
    }

    fn openai_type(&self) -> &'static str {
        match self.kind {
            FailureKind::InvalidRequest
            | FailureKind::ContextTooLong
            | FailureKind::TooLarge
            | FailureKind::NotFound => "invalid_request_error",
            FailureKind::Authentication => "authentication_error",
            FailureKind::Billing => "insufficient_quota",
            FailureKind::Permission => "permission_error",
            FailureKind::RateLimit => "rate_limit_error",
            FailureKind::Timeout | FailureKind::Overloaded | FailureKind::Api => "server_error",
        }
    }

    /// Codex makes room on `context_length_exceeded` and tries again on `rate_limit_exceeded`.
    pub(crate) fn openai_code(&self) -> Option<&str> {
        match self.kind {
            FailureKind::ContextTooLong => Some("context_length_exceeded"),
            FailureKind::Billing => Some("insufficient_quota"),
            FailureKind::RateLimit => Some("rate_limit_exceeded"),
            FailureKind::Overloaded => Some("server_is_overloaded"),
            FailureKind::Authentication => Some("invalid_api_key"),
            _ => self.code.as_deref(),
        }
    }
}

fn kind_of(status: Option<u16>, kind: &str, code: &str, message: &str) -> FailureKind {
    let words = |word: &str| kind.contains(word) || code.contains(word);
    let lower = message.to_ascii_lowercase();
    let context = code == "context_length_exceeded"
        || [
            "prompt is too long",
            "maximum context length",
            "context window",
        ]
        .iter()
        .any(|words| lower.contains(words));
    if context && status.is_none_or(|status| matches!(status, 400 | 413 | 422)) {
        return FailureKind::ContextTooLong;
    }
    if words("overloaded") {
        return FailureKind::Overloaded;
    }
    if words("insufficient_quota") || words("billing") {
        return FailureKind::Billing;
    }
    if let Some(status) = status {
        return match status {
            401 => FailureKind::Authentication,
            402 => FailureKind::Billing,
            403 => FailureKind::Permission,
            404 => FailureKind::NotFound,
            408 | 504 => FailureKind::Timeout,
            413 => FailureKind::TooLarge,
            429 => FailureKind::RateLimit,
            503 | 529 => FailureKind::Overloaded,
            400..=499 => FailureKind::InvalidRequest,
            _ => FailureKind::Api,
        };
    }
    let named = [
        ("rate_limit", FailureKind::RateLimit),
        ("too_large", FailureKind::TooLarge),
        ("authentication", FailureKind::Authentication),
        ("invalid_api_key", FailureKind::Authentication),
        ("permission", FailureKind::Permission),
        ("not_found", FailureKind::NotFound),
        ("timeout", FailureKind::Timeout),
        ("unavailable", FailureKind::Overloaded),
        ("invalid", FailureKind::InvalidRequest),
    ];
    named
        .iter()
        .find(|(word, _)| words(word))
        .map_or(FailureKind::Api, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests;
