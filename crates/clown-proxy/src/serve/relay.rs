//! One request: who asks, for what, where it goes, and what comes back.

use super::answer;
use super::credential;
use super::entry::Entry;
use super::relayed::Relayed;
use super::route::{NoRoute, Route};
use super::{Active, Body, Shared};
use crate::config::{Configuration, Format};
use crate::metering::meter;
use crate::spool::Fault;
use crate::upstream::{self, Asked};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Either, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Answers a request, whatever it is.
pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() == "/health" && request.method() == Method::GET {
        let document = json!({"status": "ok", "pid": std::process::id()});
        return answer::document(StatusCode::OK, &document);
    }
    let active = shared.active();
    let guess = guessed_format(&request);
    let configuration = &active.configuration;
    if !credential::is_shown(request.headers(), configuration.local_key.expose()) {
        let message = "this proxy takes its own local key only, which `clown run` gives to the agent that it starts";
        return answer::error(guess, StatusCode::UNAUTHORIZED, message);
    }
    let route = match Route::of(request.method(), request.uri().path()) {
        Ok(route) => route,
        Err(no_route) => return without_route(guess, no_route, &request),
    };
    let format = route.format.unwrap_or_else(|| own_format(configuration));
    let mut entry = Entry::begin(&shared.spool, configuration, format, &route.path);
    entry.note(|record| record.session = session(request.headers()));
    match pass_on(&active, &mut entry, (format, &route), request).await {
        Ok((response, is_stream)) => relayed(response, is_stream, format, entry, &active),
        Err(failure) => {
            entry.note(|record| record.status = Some(failure.status.as_u16()));
            entry.finish(Some(failure.fault));
            answer::error(format, failure.status, &failure.message)
        }
    }
}

/// Why nothing can be passed back.
struct Failure {
    status: StatusCode,
    fault: Fault,
    message: String,
}

async fn pass_on(
    active: &Active,
    entry: &mut Entry,
    (format, route): (Format, &Route),
    request: Request<Incoming>,
) -> Result<(Response<Incoming>, bool), Failure> {
    let configuration = &active.configuration;
    let fail = |status, fault, message: String| Failure {
        status,
        fault,
        message,
    };
    let address = address(configuration, format, route, &request)?;
    let (parts, body) = request.into_parts();
    let body = read(body, configuration.limits.body_bytes).await?;
    if route.asks_model {
        let asked = asked(&body, &route.path);
        entry.note(|record| record.model = asked);
    }
    let headers = upstream::headers_of_request(&parts.headers, configuration, format);
    let headers = headers.ok_or_else(|| {
        let message = "the key of this profile's provider cannot stand in a header".to_owned();
        fail(StatusCode::BAD_GATEWAY, Fault::UpstreamUnreachable, message)
    })?;
    let host = address.authority().map(ToString::to_string);
    let host = host.unwrap_or_default();
    let asking = Asked {
        method: parts.method,
        address,
        headers,
        body,
    };
    let limit = configuration.limits.head;
    // Boxed, as it is much larger than all the rest.
    let answered = Box::pin(active.client.ask(asking));
    let response = match tokio::time::timeout(limit, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let reason = upstream::reason(&error);
            if upstream::is_timeout(&error) {
                let message = format!("{host} cannot be reached in time: {reason}");
                let status = StatusCode::GATEWAY_TIMEOUT;
                return Err(fail(status, Fault::UpstreamTimeout, message));
            }
            let message = if error.is_connect() {
                format!("{host} cannot be reached: {reason}")
            } else {
                format!("{host} gave no answer: {reason}")
            };
            let status = StatusCode::BAD_GATEWAY;
            return Err(fail(status, Fault::UpstreamUnreachable, message));
        }
        Err(_) => {
            let message = format!("{host} did not answer within {} s", limit.as_secs());
            let status = StatusCode::GATEWAY_TIMEOUT;
            return Err(fail(status, Fault::UpstreamTimeout, message));
        }
    };
    let is_stream = is_event_stream(response.headers());
    entry.note(|record| {
        record.status = Some(response.status().as_u16());
        record.streamed = is_stream;
    });
    Ok((response, is_stream))
}

fn relayed(
    response: Response<Incoming>,
    is_stream: bool,
    format: Format,
    entry: Entry,
    active: &Active,
) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let mut headers = upstream::passed_on(&parts.headers);
    if is_stream {
        // It may get an error event at its end.
        headers.remove(CONTENT_LENGTH);
    }
    let what = (format, is_stream, parts.status.is_success());
    let silence = active.configuration.limits.silence;
    let body = Relayed::new(body, meter(format, is_stream), entry, what, silence);
    let mut response = Response::new(Either::Right(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    response
}

fn address(
    configuration: &Configuration,
    format: Format,
    route: &Route,
    request: &Request<Incoming>,
) -> Result<Uri, Failure> {
    let query = request.uri().query();
    match upstream::address(configuration, format, &route.path, query) {
        Some(Ok(address)) => Ok(address),
        Some(Err(error)) => Err(Failure {
            status: StatusCode::BAD_GATEWAY,
            fault: Fault::UpstreamUnreachable,
            message: format!("the address of {} is none: {error}", configuration.provider),
        }),
        None => Err(Failure {
            status: StatusCode::NOT_FOUND,
            fault: Fault::NotServed,
            message: format!(
                "the provider {} of profile {} does not speak {}",
                configuration.provider,
                configuration.profile,
                format.as_str()
            ),
        }),
    }
}

async fn read(body: Incoming, limit: usize) -> Result<Bytes, Failure> {
    let too_large = || Failure {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        fault: Fault::TooLarge,
        message: format!("the request is longer than {} MiB", limit >> 20),
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Failure {
            status: StatusCode::BAD_REQUEST,
            fault: Fault::ClientLeft,
            message: "the request ended before its announced end".to_owned(),
        }),
    }
}

fn without_route(format: Format, no_route: NoRoute, request: &Request<Incoming>) -> Response<Body> {
    let path: String = request.uri().path().chars().take(200).collect();
    match no_route {
        NoRoute::Path => {
            let message = format!("this proxy has nothing at {path}");
            answer::error(format, StatusCode::NOT_FOUND, &message)
        }
        NoRoute::Method => {
            let message = format!("{path} does not take {}", request.method());
            answer::error(format, StatusCode::METHOD_NOT_ALLOWED, &message)
        }
    }
}

/// The model that is asked, from the body or, where the format has it there, the path.
fn asked(body: &[u8], path: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Asked {
        model: Option<String>,
    }
    let of_path = path.strip_prefix("/v1beta/models/");
    let of_path = of_path.and_then(|rest| rest.split(':').next());
    let of_body = || serde_json::from_slice::<Asked>(body).ok()?.model;
    of_path.map(str::to_owned).or_else(of_body)
}

/// What agents call their conversation.
fn session(headers: &HeaderMap) -> Option<String> {
    const NAMES: [&str; 4] = [
        "x-claude-code-session-id",
        "session_id",
        "session-id",
        "x-session-id",
    ];
    const LONGEST: usize = 200;
    let found = NAMES.iter().find_map(|name| headers.get(*name));
    let text = found?.to_str().ok()?;
    (!text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    kind.is_some_and(|kind| {
        kind.split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii()
            .eq_ignore_ascii_case(b"text/event-stream")
    })
}

/// How whoever asks expects to be answered, before it is known what is asked.
fn guessed_format(request: &Request<Incoming>) -> Format {
    let path = request.uri().path();
    if path.contains("/messages") || request.headers().contains_key("anthropic-version") {
        Format::AnthropicMessages
    } else if path.contains("/v1beta/") || request.headers().contains_key("x-goog-api-key") {
        Format::Gemini
    } else if path.contains("/responses") {
        Format::OpenaiResponses
    } else {
        Format::OpenaiChat
    }
}

/// The format of what all formats have, such as the list of models.
fn own_format(configuration: &Configuration) -> Format {
    let first = configuration.upstream.bases.keys().next();
    first.copied().unwrap_or(Format::OpenaiChat)
}
