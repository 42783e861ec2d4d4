//! Templates of profiles: `/api/v1/templates`.

use super::{Body, Refusal, blocking, json_response};
use clown_api::{List, Template};
use clown_core::{Core, shown_member};
use http::{Response, StatusCode};
use std::sync::Arc;

pub(super) async fn list(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || {
        let catalog = core.templates.current();
        let items = catalog.all().map(|template| {
            let members = template.members().into_iter().map(|(name, value)| {
                let shown = shown_member(&name, value);
                (name, shown)
            });
            Template {
                id: template.id.as_str().to_owned(),
                name: template.name.clone(),
                description: template.description.clone(),
                members: members.collect(),
            }
        });
        Ok(json_response(StatusCode::OK, &List::new(items.collect())))
    })
    .await?
}
