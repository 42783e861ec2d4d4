//! HTTP: routes, and one file a resource.

mod agents;
mod body;
mod daemon;
mod errors;
mod events;
mod health;
mod keys;
mod prices;
mod profiles;
mod providers;
mod proxies;
mod query;
mod refusal;
mod registry;
mod resource;
mod router;
mod runs;
mod templates;
mod usage;

pub(crate) use daemon::Identity;
pub(crate) use query::Query;
pub(crate) use refusal::Refusal;
pub(crate) use router::Api;

use crate::stream::EventBody;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};
use serde::Serialize;

/// The body of an answer: all at once, or as events happen.
pub(crate) type Body = Either<Full<Bytes>, EventBody>;

pub(crate) fn bodiless() -> Body {
    whole(Bytes::new())
}

fn whole(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

/// An answer with a JSON document.
pub(crate) fn json_response(status: StatusCode, document: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(document) {
        Ok(json) => json_bytes(status, json),
        Err(error) => {
            // Only a map with keys that are no strings fails, and no resource holds one.
            tracing::error!(%error, "cannot write a resource as JSON");
            empty_response(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// An answer with JSON that is written already.
pub(crate) fn json_bytes(status: StatusCode, json: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(whole(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn empty_response(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(bodiless());
    *response.status_mut() = status;
    response
}

/// Runs `work`, which may block, on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a request's work ended before it was done");
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the daemon failed at this request; its log says more",
        )
    })
}
