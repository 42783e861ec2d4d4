//! Proxies of profiles: `/api/v1/proxies` and below.

use super::body::{self, BodyLimits};
use super::{Body, Query, Refusal, blocking, json_response, resource};
use clown_api::{ExplainRoute, List, ProxyRequest, StartProxy};
use clown_core::proxies::Proxy;
use clown_core::{Alias, Core, PrepareError};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;

/// How many requests are told of where nobody says.
const LINES: usize = 50;

/// How many at most.
const MOST_LINES: usize = 1_000;

pub(super) async fn list(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || {
        let items = core.proxies()?.into_iter().map(resource::proxy).collect();
        Ok(json_response(StatusCode::OK, &List::new(items)))
    })
    .await?
}

pub(super) async fn get(core: &Arc<Core>, alias: &str) -> Result<Response<Body>, Refusal> {
    let (core, alias) = (Arc::clone(core), alias.parse::<Alias>()?);
    blocking(move || {
        let mut proxy = resource::proxy(core.proxy(&alias)?);
        let health = core.proxies.health(&alias);
        proxy.targets = health.targets.into_iter().map(resource::target).collect();
        Ok(json_response(StatusCode::OK, &proxy))
    })
    .await?
}

/// Asks nobody.
pub(super) async fn explain(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let question: ExplainRoute = body::json(request, limits).await?;
    let (core, alias) = (Arc::clone(core), alias.parse::<Alias>()?);
    blocking(move || {
        let headers: Vec<(String, String)> = question.headers.into_iter().collect();
        let asked = question.request.to_string();
        let explained = core.explain_route(&alias, asked.as_bytes(), &headers)?;
        Ok(json_response(
            StatusCode::OK,
            &resource::explained(explained),
        ))
    })
    .await?
}

/// Answers when it takes requests.
pub(super) async fn start(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let wish: StartProxy = body::json_or_default(request, limits).await?;
    answer(core, alias, move |core, alias| {
        core.start_proxy(alias, wish.cli_pid)
    })
    .await
}

/// Answers when another one takes requests.
pub(super) async fn restart(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let wish: StartProxy = body::json_or_default(request, limits).await?;
    answer(core, alias, move |core, alias| {
        core.restart_proxy(alias, wish.cli_pid)
    })
    .await
}

/// Answers when it is gone.
pub(super) async fn stop(core: &Arc<Core>, alias: &str) -> Result<Response<Body>, Refusal> {
    answer(core, alias, |core, alias| core.stop_proxy(alias)).await
}

async fn answer(
    core: &Arc<Core>,
    alias: &str,
    work: impl FnOnce(&Core, &Alias) -> Result<Proxy, PrepareError> + Send + 'static,
) -> Result<Response<Body>, Refusal> {
    let (core, alias) = (Arc::clone(core), alias.parse::<Alias>()?);
    blocking(move || {
        let proxy = work(&core, &alias)?;
        Ok(json_response(StatusCode::OK, &resource::proxy(proxy)))
    })
    .await?
}

pub(super) async fn log(
    core: &Arc<Core>,
    alias: &str,
    query: Option<&str>,
) -> Result<Response<Body>, Refusal> {
    let mut query = Query::parse(query, &["lines", "after"])?;
    let lines = query.take_parsed("lines", |text| match text.parse() {
        Ok(lines) if (1..=MOST_LINES).contains(&lines) => Ok(lines),
        _ => Err(format!("give a number from 1 to {MOST_LINES}")),
    })?;
    let after = query.take("after");
    let (core, alias) = (Arc::clone(core), alias.parse::<Alias>()?);
    blocking(move || {
        core.profiles.get(&alias)?;
        let log = core
            .proxies
            .log(&alias, lines.unwrap_or(LINES), after.as_deref());
        let log = log.map_err(PrepareError::from)?.into_iter();
        // A line of another version that is not understood is left out.
        let items: Vec<ProxyRequest> = log
            .filter_map(|line| serde_json::from_value(line).ok())
            .collect();
        Ok(json_response(StatusCode::OK, &List::new(items)))
    })
    .await?
}
