//! One request: who asks, for what, where it goes, and what comes back.

use super::answer;
use super::attempts::{Answered, Asking, Done};
use super::credential;
use super::entry::Entry;
use super::failure::Failure;
use super::relayed::Relayed;
use super::route::{COUNT_TOKENS, NoRoute, Route};
use super::targets::{Choice, NoChoice};
use super::translated::Translated;
use super::{Active, Body, Shared};
use crate::config::{Configuration, Format};
use crate::metering::{Reading, meter};
use crate::spool::Fault;
use crate::upstream;
use bytes::Bytes;
use clown_routes::Facts;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
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
    match pass_on(&shared, &active, &mut entry, (format, &route), request).await {
        Ok(done) => given(done, format, entry, &active),
        Err(failure) => {
            let mut response = failure.answer(format);
            if let Some(label) = entry.label() {
                response.headers_mut().insert(X_CLOWN_ROUTE, label);
            }
            entry.note(|record| record.status = Some(response.status().as_u16()));
            entry.finish(Some(failure.fault));
            response
        }
    }
}

/// Who has answered.
const X_CLOWN_ROUTE: HeaderName = HeaderName::from_static("x-clown-route");

async fn pass_on(
    shared: &Shared,
    active: &Active,
    entry: &mut Entry,
    (format, route): (Format, &Route),
    request: Request<Incoming>,
) -> Result<Done, Failure> {
    let (parts, body) = request.into_parts();
    let body = read(body, active.configuration.limits.body_bytes).await?;
    let asked = match route.asks_model {
        true => asked(&body, &route.path),
        false => None,
    };
    entry.note(|record| record.model.clone_from(&asked));
    if let Some(counted) = counted(active, format, route, &body) {
        return counted;
    }
    let choice = Choice::of(active, format, route, &parts.headers, &body);
    let choice = choice.map_err(|no_choice| match no_choice {
        NoChoice::Unreadable(message) => {
            Failure::new(StatusCode::BAD_REQUEST, Fault::BadRequest, message)
        }
        NoChoice::Refused(rule) => {
            let message = format!(
                "the rule {rule} of the profile {} refuses this request",
                active.configuration.profile
            );
            Failure::new(StatusCode::FORBIDDEN, Fault::Refused, message)
        }
        NoChoice::Unknown(provider) => {
            let message = format!("a rule names the provider {provider}, which is not there");
            Failure::new(StatusCode::BAD_GATEWAY, Fault::NotServed, message)
        }
    })?;
    let session = session(&parts.headers);
    let asking = Asking {
        shared,
        active,
        route,
        format,
        parts: &parts,
        body,
        asked: asked.as_deref(),
        session: session.as_deref(),
    };
    asking.answer(&choice, entry).await
}

/// The length of a prompt, where nobody else can count it: Claude Code wants to know.
fn counted(
    active: &Active,
    format: Format,
    route: &Route,
    body: &[u8],
) -> Option<Result<Done, Failure>> {
    let upstream = &active.configuration.upstream;
    if route.path != COUNT_TOKENS || upstream.bases.contains_key(&format) {
        return None;
    }
    Some(match Facts::of(body, [], None) {
        Ok(facts) => Ok(Done {
            answered: Answered::Own(json!({"input_tokens": facts.tokens})),
            label: "target=estimate".to_owned(),
        }),
        Err(error) => {
            let status = StatusCode::BAD_REQUEST;
            Err(Failure::new(status, Fault::BadRequest, error.to_string()))
        }
    })
}

fn given(done: Done, format: Format, mut entry: Entry, active: &Active) -> Response<Body> {
    let silence = active.configuration.limits.silence;
    let mut response = match done.answered {
        Answered::Untouched(response) => {
            let is_stream = is_event_stream(response.headers());
            entry.note(|record| {
                record.status = Some(response.status().as_u16());
                record.streamed = is_stream;
            });
            relayed(response, is_stream, format, entry, active)
        }
        Answered::Own(document) => {
            entry.note(|record| record.status = Some(200));
            entry.finish(None);
            answer::document(StatusCode::OK, &document)
        }
        Answered::Whole(body, outcome) => {
            entry.note(|record| record.status = Some(200));
            entry.first_byte();
            entry.read(Reading::of(&outcome));
            entry.finish(None);
            answer::json(StatusCode::OK, body)
        }
        Answered::Stream(upstream, stream, first) => {
            entry.note(|record| {
                record.status = Some(200);
                record.streamed = true;
            });
            let keep_alive = format.translatable().map_or(&b""[..], |it| it.keep_alive());
            let body = Translated::new(upstream, stream, first, entry, keep_alive, silence);
            let mut response = Response::new(Either::Right(Either::Right(Box::new(body))));
            let events = HeaderValue::from_static("text/event-stream; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, events);
            let fresh = HeaderValue::from_static("no-cache");
            response.headers_mut().insert(CACHE_CONTROL, fresh);
            response
        }
    };
    if let Ok(label) = HeaderValue::try_from(done.label) {
        response.headers_mut().insert(X_CLOWN_ROUTE, label);
    }
    response
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
    let mut response = Response::new(Either::Right(Either::Left(body)));
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    response
}

async fn read(body: Incoming, limit: usize) -> Result<Bytes, Failure> {
    let too_large = || {
        let message = format!("the request is longer than {} MiB", limit >> 20);
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Fault::TooLarge, message)
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => {
            let message = "the request ended before its announced end".to_owned();
            let status = StatusCode::BAD_REQUEST;
            Err(Failure::new(status, Fault::ClientLeft, message))
        }
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
