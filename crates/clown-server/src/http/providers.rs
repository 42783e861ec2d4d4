//! Providers: `/api/v1/providers` and below. Never a secret.

use super::body::{self, BodyLimits};
use super::{Body, Refusal, blocking, json_response, resource};
use clown_api::{
    AddressState, CheckProvider, FormatCheck, KeyInput, KeyState, List, ProviderCheck,
};
use clown_core::keys::{KeySource, Secret};
use clown_core::providers::{AddressVerdict, Checked, KeyVerdict};
use clown_core::{CheckKey, CheckRequest, Core};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
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
            Some(manifest) => Ok(json_response(
                StatusCode::OK,
                &resource::provider(manifest, catalog.is_foreign(&id)),
            )),
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

pub(super) async fn check(
    core: &Arc<Core>,
    id: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let wanted: CheckProvider = body::json(request, limits).await?;
    let profile = wanted.profile.map(|alias| alias.parse()).transpose()?;
    let request = CheckRequest {
        profile,
        endpoint: wanted.endpoint_id,
        all_endpoints: wanted.all_endpoints,
        key: wanted.key.map(key).transpose()?,
        env: wanted.env,
        cli_pid: wanted.cli_pid,
    };
    let (core, id) = (Arc::clone(core), id.to_owned());
    blocking(move || {
        let found = core.check_provider(&id, &request)?;
        let document = ProviderCheck {
            provider_id: id,
            well: found.checked.iter().all(Checked::is_well),
            checks: found.checked.into_iter().map(format_check).collect(),
        };
        Ok(json_response(StatusCode::OK, &document))
    })
    .await?
}

fn key(input: KeyInput) -> Result<CheckKey, Refusal> {
    let (kind, text) = match input {
        KeyInput::Value(value) => return Ok(CheckKey::Value(Secret::new(value))),
        KeyInput::Env(name) => ("env", name),
        KeyInput::Command(line) => ("command", line),
        KeyInput::File(path) => ("file", path),
        KeyInput::Store(name) => ("store", name),
    };
    let source = KeySource::from_member(kind, &text);
    source.map(CheckKey::Source).map_err(|error| {
        Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_body",
            format!("key: {error}"),
        )
    })
}

fn format_check(checked: Checked) -> FormatCheck {
    FormatCheck {
        endpoint_id: checked.endpoint,
        format: checked.format.as_str().to_owned(),
        url: checked.url,
        address: match checked.address {
            AddressVerdict::Answers => AddressState::Answers,
            AddressVerdict::Incomplete => AddressState::Incomplete,
            AddressVerdict::UnknownHost => AddressState::UnknownHost,
            AddressVerdict::Refused => AddressState::Refused,
            AddressVerdict::Unreachable => AddressState::Unreachable,
            AddressVerdict::TimedOut => AddressState::TimedOut,
            AddressVerdict::Tls => AddressState::Tls,
            AddressVerdict::Wrong => AddressState::Wrong,
            AddressVerdict::Failing => AddressState::Failing,
        },
        status: checked.status,
        millis: checked
            .took
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        key: match checked.key {
            KeyVerdict::Works => KeyState::Works,
            KeyVerdict::Refused => KeyState::Refused,
            KeyVerdict::Limited => KeyState::Limited,
            KeyVerdict::NoCredit => KeyState::NoCredit,
            KeyVerdict::Missing => KeyState::Missing,
            KeyVerdict::NotNeeded => KeyState::NotNeeded,
            KeyVerdict::NotTried => KeyState::NotTried,
        },
        message: checked.message,
    }
}
