//! Runs: `/api/v1/runs` and below.

use super::body::{self, BodyLimits};
use super::{Body, Refusal, blocking, json_response, resource};
use clown_api::{ExitedRun, List, StartedRun};
use clown_core::Core;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;

pub(super) async fn list(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || {
        let items = resource::recent_runs(core.runs.list()?);
        Ok(json_response(StatusCode::OK, &List::new(items)))
    })
    .await?
}

pub(super) async fn started(
    core: &Arc<Core>,
    id: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let report: StartedRun = body::json(request, limits).await?;
    let (core, id) = (Arc::clone(core), id.to_owned());
    blocking(move || {
        let run = core.runs.started(&id, report.pid)?;
        Ok(json_response(StatusCode::OK, &resource::run(run)))
    })
    .await?
}

pub(super) async fn exited(
    core: &Arc<Core>,
    id: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let report: ExitedRun = body::json(request, limits).await?;
    let (core, id) = (Arc::clone(core), id.to_owned());
    blocking(move || {
        let run = core.runs.exited(&id, report.exit_code)?;
        Ok(json_response(StatusCode::OK, &resource::run(run)))
    })
    .await?
}
