//! Providers: `/api/v1/providers` and below. Never a secret.

use super::{Body, Refusal, blocking, json_response, resource};
use clown_api::List;
use clown_core::Core;
use http::{Response, StatusCode};
use std::sync::Arc;

pub(super) async fn list(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || json_response(StatusCode::OK, &List::new(resource::providers(&core)))).await
}

pub(super) async fn get(core: &Arc<Core>, id: &str) -> Result<Response<Body>, Refusal> {
    let (core, id) = (Arc::clone(core), id.to_owned());
    blocking(move || {
        let catalog = core.catalogue.providers.current();
        match catalog.get(&id) {
            Some(manifest) => Ok(json_response(StatusCode::OK, &resource::provider(manifest))),
            None => {
                let known: Vec<&str> = catalog.all().map(|manifest| manifest.id.as_str()).collect();
                let id: String = id.chars().take(80).collect();
                let detail = format!(
                    "there is no provider {id:?}: known are {}",
                    known.join(", ")
                );
                Err(Refusal::new(
                    StatusCode::NOT_FOUND,
                    "provider_not_found",
                    detail,
                ))
            }
        }
    })
    .await?
}
