//! Profiles: `/api/v1/profiles` and below.

use super::body::{self, BodyLimits};
use super::{Body, Query, Refusal, blocking, empty_response, json_response, resource};
use clown_api::{
    AskEnvironment, AskExport, CloneProfile, Environment, List, PlanRun, PrepareRun, PreparedRun,
    ReplaceFile, routes,
};
use clown_core::profiles::Change;
use clown_core::{Alias, Core, RunRequest};
use clown_events::Timestamp;
use http::header::LOCATION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) async fn list(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let core = Arc::clone(core);
    blocking(move || {
        let profiles = core.profiles.list()?;
        let items = profiles
            .into_iter()
            .map(|profile| resource::profile(&core, profile))
            .collect();
        Ok(json_response(StatusCode::OK, &List::new(items)))
    })
    .await?
}

pub(super) async fn get(core: &Arc<Core>, alias: &str) -> Result<Response<Body>, Refusal> {
    let alias: Alias = alias.parse()?;
    let core = Arc::clone(core);
    blocking(move || {
        let profile = core.profiles.get(&alias)?;
        Ok(json_response(
            StatusCode::OK,
            &resource::profile(&core, profile),
        ))
    })
    .await?
}

pub(super) async fn create(
    core: &Arc<Core>,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let mut members: Map<String, Value> = body::json(request, limits).await?;
    let alias: Alias = match members.remove("alias") {
        Some(Value::String(alias)) => alias.parse()?,
        Some(_) => return Err(invalid("alias: not a string")),
        None => return Err(invalid("alias: missing; it is the profile's name")),
    };
    let core = Arc::clone(core);
    blocking(move || {
        let profile = core.create_profile(&alias, members)?;
        let mut response = json_response(StatusCode::CREATED, &resource::profile(&core, profile));
        if let Ok(location) = HeaderValue::try_from(routes::profile(alias.as_str())) {
            response.headers_mut().insert(LOCATION, location);
        }
        Ok(response)
    })
    .await?
}

pub(super) async fn patch(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let alias: Alias = alias.parse()?;
    let expected = Query::parse(request.uri().query(), &["if_updated_at"])?
        .take_parsed("if_updated_at", str::parse::<Timestamp>)?;
    let members: Map<String, Value> = body::json(request, limits).await?;
    let core = Arc::clone(core);
    blocking(move || {
        let profile = core.profiles.patch_if(&alias, members, expected)?;
        Ok(json_response(
            StatusCode::OK,
            &resource::profile(&core, profile),
        ))
    })
    .await?
}

pub(super) async fn delete(
    core: &Arc<Core>,
    alias: &str,
    query: Option<&str>,
) -> Result<Response<Body>, Refusal> {
    let alias: Alias = alias.parse()?;
    let purge = Query::parse(query, &["purge"])?.take_flag("purge")?;
    let core = Arc::clone(core);
    blocking(move || {
        core.profiles.delete(&alias, purge)?;
        Ok(empty_response(StatusCode::NO_CONTENT))
    })
    .await?
}

pub(super) async fn prepare_run(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let alias: Alias = alias.parse()?;
    let wanted: PrepareRun = body::json(request, limits).await?;
    let run = RunRequest {
        args: wanted.args,
        cwd: full_path(wanted.cwd)?,
        path: wanted.path.into(),
        cli_pid: wanted.cli_pid,
    };
    let core = Arc::clone(core);
    blocking(move || {
        let prepared = core.prepare_run(&alias, &run)?;
        let document = PreparedRun {
            run_id: prepared.run_id,
            program: utf8(prepared.program)?,
            args: prepared.args,
            env: prepared.env,
            working_dir: utf8(prepared.working_dir)?,
        };
        Ok(json_response(StatusCode::CREATED, &document))
    })
    .await?
}

pub(super) async fn plan(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let alias: Alias = alias.parse()?;
    let wanted: PlanRun = body::json(request, limits).await?;
    let change = match (wanted.create, wanted.patch) {
        (None, None) => Change::None,
        (Some(members), None) => Change::Create(members),
        (None, Some(patch)) => Change::Patch(patch),
        (Some(_), Some(_)) => return Err(invalid("give one of create and patch, not both")),
    };
    let run = RunRequest {
        args: wanted.args,
        cwd: full_path(wanted.cwd)?,
        path: wanted.path.into(),
        cli_pid: wanted.cli_pid,
    };
    let core = Arc::clone(core);
    blocking(move || {
        let plan = core.plan_run(&alias, change, &run)?;
        Ok(json_response(
            StatusCode::OK,
            &resource::plan(&core, &alias, plan),
        ))
    })
    .await?
}

pub(super) async fn environment(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let alias: Alias = alias.parse()?;
    let wanted: AskEnvironment = body::json(request, limits).await?;
    let core = Arc::clone(core);
    blocking(move || {
        let env = core.environment(&alias, wanted.cli_pid)?;
        Ok(json_response(StatusCode::OK, &Environment { env }))
    })
    .await?
}

pub(super) async fn replace(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let alias: Alias = alias.parse()?;
    let members: Map<String, Value> = body::json(request, limits).await?;
    let core = Arc::clone(core);
    blocking(move || {
        let profile = core.profiles.replace(&alias, members)?;
        Ok(json_response(
            StatusCode::OK,
            &resource::profile(&core, profile),
        ))
    })
    .await?
}

pub(super) async fn clone(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let from: Alias = alias.parse()?;
    let wanted: CloneProfile = body::json(request, limits).await?;
    let to: Alias = wanted.alias.parse()?;
    let core = Arc::clone(core);
    blocking(move || {
        let profile = core.profiles.clone_profile(&from, &to)?;
        Ok(json_response(
            StatusCode::CREATED,
            &resource::profile(&core, profile),
        ))
    })
    .await?
}

pub(super) async fn replace_file(
    core: &Arc<Core>,
    alias: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let alias: Alias = alias.parse()?;
    let wanted: ReplaceFile = body::json(request, limits).await?;
    let core = Arc::clone(core);
    blocking(move || {
        let profile = core
            .profiles
            .replace_text(&alias, &wanted.before, &wanted.text)?;
        Ok(json_response(
            StatusCode::OK,
            &resource::profile(&core, profile),
        ))
    })
    .await?
}

pub(super) async fn export(
    core: &Arc<Core>,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let wanted: AskExport = body::json(request, limits).await?;
    let aliases: Result<Vec<Alias>, _> = wanted.aliases.iter().map(|alias| alias.parse()).collect();
    let aliases = aliases?;
    let core = Arc::clone(core);
    blocking(move || {
        let export = core.profiles.export(&aliases, wanted.with_keys)?;
        Ok(json_response(StatusCode::OK, &resource::export(export)?))
    })
    .await?
}

fn full_path(path: String) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(invalid("cwd: not a full path, beginning with /"))
    }
}

/// JSON has no other text: a path that is not UTF-8 would be another path when read.
fn utf8(path: PathBuf) -> Result<String, Refusal> {
    path.into_os_string()
        .into_string()
        .map_err(|path| invalid(&format!("the path {} is not UTF-8", path.display())))
}

fn invalid(detail: &str) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail)
}
