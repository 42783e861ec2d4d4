//! Stored keys: `/api/v1/keys` and below.

use super::body::{self, BodyLimits};
use super::{Body, Query, Refusal, blocking, empty_response, json_response, resource};
use clown_api::{List, SetKey};
use clown_core::keys::Secret;
use clown_core::{Alias, Core};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;

pub(super) async fn list(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || {
        let keys = core.profiles.stored_keys()?;
        let items = keys.into_iter().map(resource::stored_key).collect();
        Ok(json_response(StatusCode::OK, &List::new(items)))
    })
    .await?
}

pub(super) async fn set(
    core: &Arc<Core>,
    name: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let name = key_name(name)?;
    let wanted: SetKey = body::json(request, limits).await?;
    let secret = Secret::new(wanted.value);
    let core = Arc::clone(core);
    blocking(move || {
        let key = core.set_stored_key(&name, wanted.provider_id.as_deref(), &secret)?;
        Ok(json_response(StatusCode::OK, &resource::stored_key(key)))
    })
    .await?
}

pub(super) async fn delete(
    core: &Arc<Core>,
    name: &str,
    query: Option<&str>,
) -> Result<Response<Body>, Refusal> {
    let name = key_name(name)?;
    let force = Query::parse(query, &["force"])?.take_flag("force")?;
    let core = Arc::clone(core);
    blocking(move || {
        core.profiles.delete_stored_key(&name, force)?;
        Ok(empty_response(StatusCode::NO_CONTENT))
    })
    .await?
}

/// The same letters as an alias, and said so of a key.
fn key_name(name: &str) -> Result<Alias, Refusal> {
    name.parse().map_err(|_| {
        Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_key_name",
            "a key's name is 1 to 64 letters, digits, `.`, `_` and `-`, and begins with a letter or digit",
        )
    })
}
