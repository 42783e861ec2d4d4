//! One HTTP request and its answer.

use crate::connect::connect;
use crate::discovery::DaemonAddress;
use crate::error::ClientError;
use crate::token::Admission;
use bytes::Bytes;
use clown_api::{PROBLEM_CONTENT_TYPE, Problem};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::Serialize;

/// More than any answer needs; a page of history is the largest.
const ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) body: Option<Bytes>,
}

/// Asks on a connection of its own; the body of a 2xx answer.
pub(crate) async fn round_trip(
    address: &DaemonAddress,
    asked: Asked,
    admission: Admission,
) -> Result<Bytes, ClientError> {
    let Asked {
        method,
        target,
        body,
    } = asked;
    let path = without_query(&target);
    let unexpected = |what: String| ClientError::Unexpected {
        address: address.to_string(),
        path: path.clone(),
        what,
    };
    let broken = |error: hyper::Error| ClientError::Broken {
        address: address.to_string(),
        source: error.into(),
    };

    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, address.to_string())
        .header(ACCEPT, "application/json, application/problem+json");
    if let Some(token) = &admission.token {
        request = request.header(AUTHORIZATION, token.bearer());
    }
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request
        .body(Full::new(body.unwrap_or_default()))
        .map_err(|error| unexpected(format!("nothing: the request cannot be written ({error})")))?;

    let stream = connect(address, admission.trust).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // The connection is driven beside the request and dropped with it: nothing is left running.
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES)
            .collect()
            .await
            .map_err(|source| ClientError::Broken {
                address: address.to_string(),
                source,
            })?
            .to_bytes();
        Ok::<_, ClientError>((head, body))
    };
    tokio::pin!(connection, exchange);
    let (head, body) = tokio::select! {
        answer = &mut exchange => answer?,
        _ = &mut connection => exchange.await?,
    };
    if head.status.is_success() {
        return Ok(body);
    }
    match read_problem(head.headers.get(CONTENT_TYPE), &body) {
        Some(problem) => Err(ClientError::Problem(problem)),
        None => Err(unexpected(describe(head.status))),
    }
}

/// The problem in an error answer, if it is one of a daemon's.
pub(crate) fn read_problem(content_type: Option<&HeaderValue>, body: &[u8]) -> Option<Problem> {
    let content_type = content_type?.to_str().ok()?;
    let media_type = content_type.split(';').next()?.trim();
    if !media_type.eq_ignore_ascii_case(PROBLEM_CONTENT_TYPE) {
        return None;
    }
    serde_json::from_slice(body).ok()
}

/// A status as people know it: `404 Not Found`.
pub(crate) fn describe(status: StatusCode) -> String {
    format!("HTTP status {status}")
}

/// The path of a target: the query may hold what a person asked for; error texts name the path only.
pub(crate) fn without_query(target: &str) -> String {
    target.split('?').next().unwrap_or(target).to_owned()
}

pub(crate) fn encode(body: &impl Serialize) -> Bytes {
    // Requests are plain structs and values with string keys, which always have a JSON form.
    serde_json::to_vec(body).unwrap_or_default().into()
}
