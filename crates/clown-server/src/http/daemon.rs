//! The daemon itself, and everything at one moment.

use super::body::{self, BodyLimits};
use super::{Body, Refusal, blocking, json_response, resource};
use clown_api::{Counts, Daemon, Shutdown, State};
use clown_core::runs::RunState;
use clown_core::{Core, Snapshot};
use clown_events::{ShutdownReason, Timestamp};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// What the server knows of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) address: SocketAddr,
    pub(crate) started_at: Timestamp,
}

/// What an answer tells of the daemon beside its core.
#[derive(Debug)]
pub(super) struct About {
    pub(super) identity: Identity,
    /// Open event streams.
    pub(super) connections: usize,
    pub(super) database_problem: Option<String>,
}

pub(super) async fn get(core: &Arc<Core>, about: About) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || {
        let snapshot = core.snapshot()?;
        Ok(json_response(
            StatusCode::OK,
            &daemon(&core, &snapshot, about),
        ))
    })
    .await?
}

pub(super) async fn state(core: &Arc<Core>, about: About) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || {
        let snapshot = core.snapshot()?;
        let daemon = daemon(&core, &snapshot, about);
        let Snapshot {
            seq,
            profiles,
            agents,
            registry,
            runs,
            proxies,
            usage,
        } = snapshot;
        let agents = agents
            .into_iter()
            .map(|agent| resource::agent(&core, agent, &profiles))
            .collect();
        let state = State {
            seq: seq.0,
            daemon,
            agents,
            profiles: profiles
                .into_iter()
                .map(|profile| resource::profile(&core, profile))
                .collect(),
            providers: resource::providers(&core),
            registry: Some(resource::registry(&core, registry)),
            runs: resource::recent_runs(runs),
            proxies: proxies.into_iter().map(resource::proxy).collect(),
            usage: Some(resource::usage(usage)),
        };
        Ok(json_response(StatusCode::OK, &state))
    })
    .await?
}

fn daemon(core: &Core, snapshot: &Snapshot, about: About) -> Daemon {
    let identity = about.identity;
    let uptime = Timestamp::now().unix_millis() - identity.started_at.unix_millis();
    let count = |number: usize| number as u64;
    let running = |run: &&clown_core::runs::Run| run.state == RunState::Running;
    Daemon {
        version: crate::VERSION.to_owned(),
        pid: std::process::id(),
        address: identity.address.to_string(),
        started_at: identity.started_at,
        // The clock can be set back.
        uptime_secs: u64::try_from(uptime / 1_000).unwrap_or(0),
        counts: Counts {
            connections: count(about.connections),
            profiles: count(snapshot.profiles.len()),
            agents: count(
                snapshot
                    .agents
                    .iter()
                    .filter(|agent| agent.installed)
                    .count(),
            ),
            runs: count(snapshot.runs.iter().filter(running).count()),
        },
        problems: resource::problems(core, about.database_problem),
    }
}

/// Passes the wish on to whoever runs the server; it is fulfilled after the answer.
pub(super) async fn shutdown(
    wishes: &watch::Sender<Option<ShutdownReason>>,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let wish: Shutdown = body::json_or_default(request, limits).await?;
    let reason = match wish.reason.as_deref() {
        None | Some("requested") => ShutdownReason::Requested,
        Some("update") => ShutdownReason::Update,
        Some(other) => {
            let other: String = other.chars().take(80).collect();
            let detail = format!(
                "reason: {other:?} is none that can be asked for; give requested or update"
            );
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_body",
                detail,
            ));
        }
    };
    let answer = Shutdown {
        reason: Some(reason.as_str().to_owned()),
    };
    wishes.send_replace(Some(reason));
    Ok(json_response(StatusCode::ACCEPTED, &answer))
}
