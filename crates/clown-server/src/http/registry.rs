//! The registry: `/api/v1/registry` and below.

use super::body::{self, BodyLimits};
use super::{Body, Refusal, blocking, json_response, resource};
use clown_api::{PinRegistry, SyncRegistry, SyncedRegistry};
use clown_core::Core;
use clown_core::registry::{Channel, InvalidChannel, SyncRequest, Synced};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;

pub(super) async fn get(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || {
        let status = core.registry.status().map_err(Arc::new)?;
        Ok(json_response(
            StatusCode::OK,
            &resource::registry(&core, status),
        ))
    })
    .await?
}

/// Answers when the sync is done.
pub(super) async fn sync(
    core: &Arc<Core>,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let wish: SyncRegistry = body::json_or_default(request, limits).await?;
    let channel: Option<Result<Channel, InvalidChannel>> = wish.channel.as_deref().map(str::parse);
    let wish = SyncRequest {
        channel: channel.transpose()?,
        force: wish.force.unwrap_or_default(),
        offline: wish.offline.unwrap_or_default(),
    };
    let core = Arc::clone(core);
    blocking(move || Ok(answer(core.sync_registry(&wish)?))).await?
}

pub(super) async fn pin(
    core: &Arc<Core>,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let wish: PinRegistry = body::json(request, limits).await?;
    let core = Arc::clone(core);
    blocking(move || Ok(answer(core.pin_registry(&wish.commit)?))).await?
}

pub(super) async fn unpin(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || Ok(answer(core.unpin_registry()?))).await?
}

fn answer(synced: Synced) -> Response<Body> {
    let answer = SyncedRegistry {
        channel: synced.channel.as_str().to_owned(),
        commit: synced.commit.as_str().to_owned(),
        previous: synced.previous.map(|commit| commit.as_str().to_owned()),
        from_cache: synced.from_cache,
        artifacts_downloaded: synced.artifacts_downloaded,
        note: synced.note,
    };
    json_response(StatusCode::OK, &answer)
}
