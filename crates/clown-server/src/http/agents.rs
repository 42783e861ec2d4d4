//! Agents: `/api/v1/agents` and below.

use super::{Body, Refusal, blocking, json_response, resource};
use clown_api::List;
use clown_core::Core;
use clown_core::agents::AgentStatus;
use http::{Response, StatusCode};
use std::sync::Arc;

pub(super) async fn list(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || answer(&core, core.agents.list()?)).await?
}

/// Looks for agents now, and answers when that is done.
pub(super) async fn detect(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || answer(&core, core.agents.detect()?)).await?
}

pub(super) async fn get(core: &Arc<Core>, id: &str) -> Result<Response<Body>, Refusal> {
    let (core, id) = (Arc::clone(core), id.to_owned());
    blocking(move || {
        let agent = core.agents.get(&id)?;
        let profiles = core.profiles.list()?;
        Ok(json_response(
            StatusCode::OK,
            &resource::agent(&core, agent, &profiles),
        ))
    })
    .await?
}

fn answer(core: &Core, agents: Vec<AgentStatus>) -> Result<Response<Body>, Refusal> {
    let profiles = core.profiles.list()?;
    let items = agents
        .into_iter()
        .map(|agent| resource::agent(core, agent, &profiles))
        .collect();
    Ok(json_response(StatusCode::OK, &List::new(items)))
}
