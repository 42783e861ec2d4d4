//! `GET /api/v1/events`: history, or the stream as Server-Sent Events.

use super::{Body, Query, Refusal, json_bytes};
use crate::connection::Caller;
use crate::since::Since;
use crate::stream::{Streams, passes};
use clown_core::Seq;
use clown_core::bus::Slice;
use clown_core::journal::{self, PAGE_EVENTS};
use clown_core::store::{Store, StoreError};
use clown_events::Filter;
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use std::sync::Arc;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 10_000;
/// The most bytes of one answer, whatever its limit.
const MAX_BYTES: usize = 8 << 20;
const PAGE_BYTES: usize = 256 << 10;

/// What part of history is asked for.
#[derive(Debug)]
pub(super) struct Parameters {
    since: Since,
    until: Option<Since>,
    limit: usize,
    filter: Filter,
}

impl Parameters {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut query = Query::parse(query, &["since", "until", "limit", "events", "profile"])?;
        Ok(Self {
            since: query
                .take_parsed("since", Since::parse)?
                .unwrap_or(Since::Seq(Seq::START)),
            until: query.take_parsed("until", Since::parse)?,
            limit: query
                .take_parsed("limit", parse_limit)?
                .unwrap_or(DEFAULT_LIMIT),
            filter: query.take_filter()?,
        })
    }
}

fn parse_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(format!("{text:?} is no number from 1 to {MAX_LIMIT}")),
    }
}

/// Events after `since` and up to `until`, oldest first, and where to go on. Blocks.
pub(super) fn page(
    store: &Arc<Store>,
    parameters: &Parameters,
) -> Result<Response<Body>, StoreError> {
    let until = match parameters.until {
        Some(until) => until.resolve(store)?,
        None => store.head(),
    };
    let mut cursor = parameters.since.resolve(store)?;
    let mut items = 0;
    let mut json = b"{\"items\":[".to_vec();
    'pages: while cursor < until {
        let page = journal::page(store, cursor, PAGE_EVENTS, PAGE_BYTES)?;
        let Some(segment) = page.segment else {
            cursor = until;
            break;
        };
        let slice = Slice::whole(Arc::new(segment));
        for (index, entry) in slice.entries().iter().enumerate() {
            if entry.seq > until {
                cursor = until;
                break 'pages;
            }
            if passes(&parameters.filter, entry) {
                if items == parameters.limit || json.len() >= MAX_BYTES {
                    break 'pages;
                }
                if items > 0 {
                    json.push(b',');
                }
                json.extend_from_slice(&slice.json(index, true));
                items += 1;
            }
            cursor = entry.seq;
        }
    }
    json.extend_from_slice(format!("],\"next\":{cursor}}}").as_bytes());
    Ok(json_bytes(StatusCode::OK, json))
}

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: &str = "last-event-id";

/// Whether the client would rather have a stream than a page: whether it names that, and not JSON
/// with more weight (RFC 9110, section 12.5.1).
pub(super) fn prefers_stream(headers: &HeaderMap) -> bool {
    let weight = |wanted: &str| {
        let ranges = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','));
        let named = ranges.filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next()?;
            kind.eq_ignore_ascii_case(wanted).then_some(())?;
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok());
            Some(weight.unwrap_or(1.0))
        });
        named.fold(0.0_f32, f32::max)
    };
    let stream = weight(EVENT_STREAM);
    stream > 0.0 && stream >= weight("application/json")
}

/// Answers with a stream that ends when the client leaves or the daemon stops.
pub(super) async fn follow(
    streams: &Streams,
    request: &Request<Incoming>,
    caller: &Caller,
) -> Result<Response<Body>, Refusal> {
    let last_id = last_id(request.headers())?;
    let (body, slot) = streams.follow(request.uri().query(), last_id).await?;
    caller.move_to(slot);
    let mut response = Response::new(Either::Right(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Behind the stream there is nothing more to ask on this connection.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(response)
}

/// Where a client that comes back stood; an empty id is none.
fn last_id(headers: &HeaderMap) -> Result<Option<Since>, Refusal> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    match Since::parse(text) {
        Ok(since @ Since::Seq(_)) => Ok(Some(since)),
        _ => {
            let shown: String = text.chars().take(80).collect();
            Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "invalid_last_event_id",
                format!("Last-Event-ID is {shown:?}, which is no number of an event"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_must_be_asked_for_by_name() {
        let check = |accept: &str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(prefers_stream(&headers), expected, "{accept}");
        };
        check("text/event-stream", true);
        check("Text/Event-Stream; charset=utf-8", true);
        check("text/html, text/event-stream;q=0.5", true);
        check("application/json, text/event-stream", true);
        check("application/json, text/event-stream;q=0.9", false);
        check("text/event-stream;q=0", false);
        check("application/json", false);
        check("text/*", false);
        check("*/*", false);
        check("", false);
        assert!(!prefers_stream(&HeaderMap::new()));
    }
}
