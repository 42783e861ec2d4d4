//! `GET /healthz`.

use super::{Body, json_response};
use crate::health::Health;
use http::{Response, StatusCode};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Status<'text> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'text str>,
}

/// A daemon that cannot write still serves what it knows, so the status code is the same.
pub(super) async fn get(health: &Health) -> Response<Body> {
    let problem = health.problem(true).await;
    let status = Status {
        status: if problem.is_none() { "ok" } else { "degraded" },
        detail: problem.as_deref(),
    };
    json_response(StatusCode::OK, &status)
}
