//! The request to an upstream: the agent's own, or a translated one.

use super::failure::Failure;
use super::route::Route;
use super::targets::Candidate;
use crate::config::{Format, Secret};
use crate::spool::Fault;
use crate::translate::{self, Dialect, Replay, Reply};
use crate::upstream::{self, Asked};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What goes to an upstream, as often as it must.
pub(super) struct Outgoing {
    format: Format,
    address: Uri,
    body: Bytes,
    /// How what comes back is translated; None where it passes as it is.
    pub reply: Option<Reply>,
    /// Whether the agent wants a stream; None where that is not known.
    pub stream: bool,
}

impl Outgoing {
    pub fn new(
        candidate: &Candidate<'_>,
        route: &Route,
        format: Format,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Self, Failure> {
        if candidate.upstream.bases.contains_key(&format) {
            return Ok(Self {
                format,
                address: address(candidate, format, &route.path, parts.uri.query())?,
                body: match &candidate.model {
                    Some(model) => with_model(body, model)?,
                    None => body.clone(),
                },
                reply: None,
                stream: false,
            });
        }
        let Some((caller, upstream, target)) = translation(candidate, route, format) else {
            return Err(not_served(candidate, format));
        };
        let dialect = dialect_of(candidate.provider);
        let model = candidate.model.as_deref();
        let translated = translate::request(caller, upstream, body, model, &dialect)
            .map_err(|error| Failure::of_request(error.failure()))?;
        let path = upstream.path();
        Ok(Self {
            format: target,
            address: address(candidate, target, path, None)?,
            body: translated.body.into(),
            reply: Some(translated.reply),
            stream: translated.stream,
        })
    }

    /// The request with this key.
    pub fn request(
        &self,
        candidate: &Candidate<'_>,
        key: Option<&Secret>,
        parts: &Parts,
    ) -> Result<Asked, Failure> {
        let auth = candidate.upstream.auth;
        let headers = match &self.reply {
            None => upstream::headers_of_request(&parts.headers, key, auth, self.format),
            Some(_) => upstream::headers_of_translated(&parts.headers, key, auth, self.format),
        };
        let headers = headers.ok_or_else(|| {
            let message = format!(
                "the key of the provider {} cannot stand in a header",
                candidate.provider
            );
            Failure::new(StatusCode::BAD_GATEWAY, Fault::UpstreamUnreachable, message)
        })?;
        Ok(Asked {
            method: parts.method.clone(),
            address: self.address.clone(),
            headers,
            body: self.body.clone(),
        })
    }

    /// Who is asked, for people.
    pub fn host(&self) -> &str {
        self.address
            .authority()
            .map_or("", |authority| authority.as_str())
    }
}

fn address(
    candidate: &Candidate<'_>,
    format: Format,
    path: &str,
    query: Option<&str>,
) -> Result<Uri, Failure> {
    match upstream::address(candidate.upstream, format, path, query) {
        Some(Ok(address)) => Ok(address),
        Some(Err(error)) => Err(Failure::new(
            StatusCode::BAD_GATEWAY,
            Fault::UpstreamUnreachable,
            format!("the address of {} is none: {error}", candidate.provider),
        )),
        None => Err(not_served(candidate, format)),
    }
}

fn not_served(candidate: &Candidate<'_>, format: Format) -> Failure {
    let message = format!(
        "the provider {} does not speak {}, and this cannot be translated for it",
        candidate.provider,
        format.as_str()
    );
    Failure::new(StatusCode::NOT_FOUND, Fault::NotServed, message)
}

/// From which format to which a request is translated, if it can be.
fn translation(
    candidate: &Candidate<'_>,
    route: &Route,
    format: Format,
) -> Option<(crate::format::Format, crate::format::Format, Format)> {
    let caller = format.translatable()?;
    // Nothing else than what asks a model has a counterpart everywhere.
    if !route.asks_model {
        return None;
    }
    // Responses keep what a model has thought; Chat is what most speak.
    let order = match format {
        Format::AnthropicMessages => [Format::OpenaiResponses, Format::OpenaiChat],
        Format::OpenaiResponses => [Format::OpenaiChat, Format::AnthropicMessages],
        Format::OpenaiChat => [Format::AnthropicMessages, Format::OpenaiResponses],
        Format::Gemini => return None,
    };
    let spoken = |format: &&Format| candidate.upstream.bases.contains_key(*format);
    let target = *order.iter().find(spoken)?;
    Some((caller, target.translatable()?, target))
}

/// What is known of providers beyond their formats.
fn dialect_of(provider: &str) -> Dialect {
    let usual = Dialect::default();
    match provider {
        "openai" | "azure-openai" => Dialect {
            own_members: true,
            replay: Replay::None,
            ..usual
        },
        "groq" | "mistral" | "together" | "fireworks" => Dialect {
            replay: Replay::None,
            ..usual
        },
        "openrouter" => Dialect {
            replay: Replay::ReasoningDetails,
            cache_control: true,
            ..usual
        },
        _ => usual,
    }
}

/// The body with another model's name in it, and nothing else changed.
fn with_model(body: &Bytes, model: &str) -> Result<Bytes, Failure> {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow)]
        model: Option<&'a RawValue>,
    }
    let unreadable = |error: serde_json::Error| {
        let message = format!("the request's body is no JSON object: {error}");
        Failure::new(StatusCode::BAD_REQUEST, Fault::BadRequest, message)
    };
    let asked: Asked<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    let name = serde_json::to_string(model).map_err(unreadable)?;
    let Some(written) = asked.model else {
        let message = "the request names no model".to_owned();
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            Fault::BadRequest,
            message,
        ));
    };
    let written = written.get();
    let start = written.as_ptr() as usize - body.as_ptr() as usize;
    let mut changed = BytesMut::with_capacity(body.len() + name.len());
    changed.extend_from_slice(&body[..start]);
    changed.extend_from_slice(name.as_bytes());
    changed.extend_from_slice(&body[start + written.len()..]);
    Ok(changed.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_model_is_all_that_changes() {
        let check = |body: &str, expected: Option<&str>| {
            let changed = with_model(&Bytes::copy_from_slice(body.as_bytes()), "a\"b").ok();
            let changed = changed.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
            assert_eq!(changed.as_deref(), expected, "{body}");
        };
        check(
            "{\"x\": {\"model\":1}, \"model\" :  \"m\u{e9}\" ,\"y\":[ ]}",
            Some("{\"x\": {\"model\":1}, \"model\" :  \"a\\\"b\" ,\"y\":[ ]}"),
        );
        check("{\"model\":\"m\"}", Some("{\"model\":\"a\\\"b\"}"));
        check("{}", None);
        check("[", None);
    }
}
