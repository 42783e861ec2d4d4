//! Which request is for what.

use crate::config::Format;
use http::Method;

/// Where Messages are counted and not answered.
pub(super) const COUNT_TOKENS: &str = "/v1/messages/count_tokens";

/// A request that can be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// How it is spoken; None for what all formats have.
    pub(super) format: Option<Format>,
    /// Where to, with a doubled version folded.
    pub(super) path: String,
    /// Whether a model is asked.
    pub(super) asks_model: bool,
}

/// Why a request is for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// There is nothing at this path.
    Path,
    /// Not by this method.
    Method,
}

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let path = folded(path);
        let (post, get) = (Method::POST, Method::GET);
        let (format, asks_model, methods) = match path {
            "/v1/messages" => (Some(Format::AnthropicMessages), true, vec![post]),
            COUNT_TOKENS => (Some(Format::AnthropicMessages), false, vec![post]),
            "/v1/chat/completions" => (Some(Format::OpenaiChat), true, vec![post]),
            "/v1/responses" => (Some(Format::OpenaiResponses), true, vec![post]),
            "/v1/models" => (None, false, vec![get]),
            _ if path.starts_with("/v1/models/") => (None, false, vec![get]),
            // What was kept there, asked for again or deleted.
            _ if path.starts_with("/v1/responses/") => {
                let methods = vec![get, post, Method::DELETE];
                (Some(Format::OpenaiResponses), false, methods)
            }
            _ if path.starts_with("/v1beta/models") || path.starts_with("/v1beta/cached") => {
                let asks =
                    path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent");
                (Some(Format::Gemini), asks, vec![get, post])
            }
            _ => return Err(NoRoute::Path),
        };
        // `..` would lead elsewhere with the real key.
        if path.split('/').any(|part| matches!(part, "." | ".."))
            || path.to_ascii_lowercase().contains("%2e")
        {
            return Err(NoRoute::Path);
        }
        if !methods.contains(method) {
            return Err(NoRoute::Method);
        }
        Ok(Self {
            format,
            path: path.to_owned(),
            asks_model,
        })
    }
}

/// Clients that are given an address with the version add it once more.
fn folded(mut path: &str) -> &str {
    while path.starts_with("/v1/v1/") || path.starts_with("/v1/v1beta/") {
        path = &path["/v1".len()..];
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_each_format() {
        let check =
            |method: &str, path: &str, expected: Result<(Option<Format>, &str, bool), NoRoute>| {
                let method = method.parse().unwrap();
                let route = Route::of(&method, path);
                let told = route
                    .as_ref()
                    .map(|route| (route.format, route.path.as_str(), route.asks_model))
                    .map_err(|no| *no);
                assert_eq!(told, expected, "{method} {path}");
            };
        let messages = Some(Format::AnthropicMessages);
        check("POST", "/v1/messages", Ok((messages, "/v1/messages", true)));
        check(
            "POST",
            "/v1/v1/v1/messages",
            Ok((messages, "/v1/messages", true)),
        );
        let count = "/v1/messages/count_tokens";
        check("POST", count, Ok((messages, count, false)));
        let chat = "/v1/chat/completions";
        check("POST", chat, Ok((Some(Format::OpenaiChat), chat, true)));
        let kept = "/v1/responses/resp_1";
        check(
            "GET",
            kept,
            Ok((Some(Format::OpenaiResponses), kept, false)),
        );
        check("GET", "/v1/models", Ok((None, "/v1/models", false)));
        let gemini = "/v1beta/models/gemini-x:streamGenerateContent";
        check("POST", gemini, Ok((Some(Format::Gemini), gemini, true)));
        check("GET", "/v1/messages", Err(NoRoute::Method));
        check("POST", "/v1/messages/", Err(NoRoute::Path));
        check("POST", "/v1/messages/batches", Err(NoRoute::Path));
        check("GET", "/v1/models/../files", Err(NoRoute::Path));
        check("GET", "/v1/models/%2e%2e/files", Err(NoRoute::Path));
        check("POST", "/chat/completions", Err(NoRoute::Path));
    }
}
