//! From what the domain knows to what the contract says.

use super::Refusal;
use super::errors::with_causes;
use clown_api::{
    Agent, AgentHooks, CatalogueProblem, Endpoint, Export, ExportedKey, KeptCommit, KeyStatus,
    McpServer, Model, Placeholder, Plan, PlannedChange, PlannedFile, Profile, ProfileFault,
    ProfileUsage, Provider, Proxy, ProxyState, ProxyTarget, Registry, RegistryArtifacts,
    RegistryFailure, RegistrySignature, ReplacedArtifact, RouteExplained, RouteVerdict, Run,
    RunState, StoredKey, UsageTotals,
};
use clown_core::agents::{AgentStatus, HooksForm};
use clown_core::keys::{KeyPlace, KeySource};
use clown_core::profiles::McpDefinition;
use clown_core::providers::ProviderManifest;
use clown_core::registry::{Kind, RegistryStatus, SignatureStatus};
use clown_core::store::StoreError;
use clown_core::{Alias, Core, Explained, RunPlan, profiles, proxies, runs, usage};
use clown_mask::{self as mask, MASK};
use http::StatusCode;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// How many runs that are over are told.
const RECENT_RUNS: usize = 100;

pub(super) fn profile(core: &Core, profile: profiles::Profile) -> Profile {
    let published = profile.published;
    let definition = published.definition;
    Profile {
        alias: published.alias.to_string(),
        agent_id: definition.agent_id,
        provider_id: definition.provider_id,
        endpoint_id: definition.endpoint_id,
        model: definition.model,
        small_model: definition.small_model,
        env: definition.env,
        args: definition.args,
        working_dir: definition.working_dir,
        key: definition
            .key
            .map(|source| key(core, &published.alias, &source)),
        hooks_config: definition.hooks_config,
        mcp_servers: definition
            .mcp_servers
            .into_iter()
            .map(|(name, server)| (name, mcp_server(server)))
            .collect(),
        proxy_config: definition.proxy_config,
        created_at: published.created_at,
        updated_at: published.updated_at,
        last_used: published.last_used,
        fault: profile.fault.map(|fault| ProfileFault {
            path: text(&fault.path),
            line: fault.place.map(|(line, _)| line),
            column: fault.place.map(|(_, column)| column),
            message: fault.message,
        }),
    }
}

/// Its variables, its headers and its query may hold secrets, and answers are read by many.
fn mcp_server(server: McpDefinition) -> McpServer {
    let masked = |named: BTreeMap<String, String>| {
        named
            .into_keys()
            .map(|name| (name, MASK.to_owned()))
            .collect()
    };
    match server {
        McpDefinition::Command { command, args, env } => McpServer {
            command: Some(command),
            args,
            env: masked(env),
            ..McpServer::default()
        },
        McpDefinition::Url { url, headers } => McpServer {
            url: Some(mask::address(&url)),
            headers: masked(headers),
            ..McpServer::default()
        },
    }
}

pub(super) fn stored_key(key: profiles::StoredKey) -> StoredKey {
    let source = match key.place {
        KeyPlace::Keyring => "keyring",
        KeyPlace::SecretsFile(_) => "secrets",
    };
    StoredKey {
        name: key.name.to_string(),
        provider_id: key.label.provider_id,
        source: source.to_owned(),
        profiles: key.profiles.iter().map(Alias::to_string).collect(),
        set_at: key.label.set_at,
    }
}

pub(super) fn export(export: profiles::Export) -> Result<Export, Refusal> {
    let mut told = Export {
        format: 1,
        profiles: Vec::new(),
        keys: Vec::new(),
        left_out: export.left_out,
    };
    for (alias, definition) in export.profiles {
        let mut members = Map::new();
        members.insert("alias".to_owned(), alias.to_string().into());
        match serde_json::to_value(definition) {
            Ok(Value::Object(definition)) => members.extend(definition),
            _ => {
                let detail = format!("the profile {alias} cannot be written as JSON");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return Err(Refusal::new(status, "internal_error", detail));
            }
        }
        told.profiles.push(members);
    }
    told.keys
        .extend(export.keys.into_iter().map(|key| ExportedKey {
            name: key.name.to_string(),
            provider_id: key.provider_id,
            value: key.value.expose().to_owned(),
        }));
    Ok(told)
}

pub(super) fn plan(core: &Core, alias: &Alias, plan: RunPlan) -> Plan {
    Plan {
        alias: alias.to_string(),
        profile_file: plan.profile.map(planned_file),
        files: plan.files.into_iter().map(planned_file).collect(),
        env: plan.env,
        program: plan.program.as_deref().map(text),
        args: plan.args,
        working_dir: plan.working_dir.as_deref().map(text),
        key: plan.key.map(|source| key(core, alias, &source)),
        problems: plan.problems.iter().map(with_causes).collect(),
    }
}

fn planned_file(file: clown_core::PlannedFile) -> PlannedFile {
    let changes = file.changes.into_iter().map(|change| PlannedChange {
        member: change.member,
        before: change.before,
        after: change.after,
    });
    PlannedFile {
        path: text(&file.path),
        is_new: file.is_new,
        changes: changes.collect(),
    }
}

fn key(core: &Core, alias: &Alias, source: &KeySource) -> KeyStatus {
    let (source, set) = match source {
        // Whoever runs the profile has the variable, or not; that shows only then.
        KeySource::Env(_) => ("env", true),
        KeySource::Command(_) => ("command", true),
        KeySource::File(path) => ("file", path.is_file()),
        KeySource::Store(name) => match core.keys.status(name) {
            Ok(Some(KeyPlace::Keyring)) => ("keyring", true),
            Ok(Some(KeyPlace::SecretsFile(_))) => ("secrets", true),
            Ok(None) => ("secrets", false),
            Err(error) => {
                tracing::warn!(%alias, error = &error as &dyn std::error::Error, "cannot look for a stored key");
                ("secrets", false)
            }
        },
    };
    KeyStatus {
        source: source.to_owned(),
        set,
    }
}

pub(super) fn agent(core: &Core, agent: AgentStatus, profiles: &[profiles::Profile]) -> Agent {
    let uses = |profile: &&profiles::Profile| profile.published.definition.agent_id == agent.id;
    let users = profiles.iter().filter(uses);
    let manifest = core.agents.manifest(&agent.id);
    Agent {
        profiles: users
            .map(|profile| profile.published.alias.to_string())
            .collect(),
        install_hint: manifest
            .as_ref()
            .and_then(|manifest| manifest.install.clone()),
        hooks: manifest.as_ref().and_then(|manifest| {
            let file = manifest.hooks.as_ref()?;
            let form = match file.form {
                HooksForm::Groups => "groups",
                HooksForm::Own => "own",
            };
            Some(AgentHooks {
                form: form.to_owned(),
                events: file.events.clone(),
            })
        }),
        binary_path: agent.binary_path.as_deref().map(text),
        id: agent.id,
        name: agent.name,
        installed: agent.installed,
        version: agent.version,
    }
}

pub(super) fn provider(manifest: &ProviderManifest, from_registry: bool) -> Provider {
    let endpoint = |endpoint: &clown_core::providers::Endpoint| Endpoint {
        id: endpoint.id.as_str().to_owned(),
        name: endpoint.name.clone(),
        urls: endpoint
            .urls
            .iter()
            .map(|(format, url)| (format.as_str().to_owned(), url.as_str().to_owned()))
            .collect(),
    };
    Provider {
        id: manifest.id.as_str().to_owned(),
        name: manifest.name.clone(),
        endpoints: manifest.endpoints.iter().map(endpoint).collect(),
        default_endpoint: manifest
            .default_endpoint()
            .map(|endpoint| endpoint.id.as_str().to_owned()),
        key_env: manifest.key.as_ref().map(|key| key.variable.clone()),
        key_required: manifest.key.as_ref().is_some_and(|key| key.required),
        default_model: manifest.default_model.clone(),
        models: manifest.models.iter().map(|it| it.id.clone()).collect(),
        model_details: manifest.models.iter().map(model).collect(),
        placeholders: manifest.placeholders.iter().map(placeholder).collect(),
        from_registry,
    }
}

fn model(model: &clown_core::providers::Model) -> Model {
    Model {
        id: model.id.clone(),
        context: model.context,
    }
}

fn placeholder((variable, meant): (&String, &clown_core::providers::Placeholder)) -> Placeholder {
    Placeholder {
        variable: variable.clone(),
        about: meant.about.clone(),
        example: meant.example.clone(),
    }
}

/// All providers, by id.
pub(super) fn providers(core: &Core) -> Vec<Provider> {
    let catalog = core.catalogue.providers.current();
    catalog
        .all()
        .map(|manifest| provider(manifest, catalog.is_foreign(manifest.id.as_str())))
        .collect()
}

pub(super) fn registry(core: &Core, status: RegistryStatus) -> Registry {
    let replaced = core.replaced_in_registry(&status);
    let count = |kind: Kind| status.counts.get(&kind).map_or(0, |count| *count as u64);
    Registry {
        url: status.address,
        channel: status.channel,
        commit: status.commit.as_str().to_owned(),
        serial: status.active.as_ref().map(|index| index.serial),
        created_at: status.active.as_ref().map(|index| index.created_at),
        signature: match status.signature {
            SignatureStatus::BuiltIn => RegistrySignature::BuiltIn,
            SignatureStatus::Verified => RegistrySignature::Verified,
            SignatureStatus::NotSigned => RegistrySignature::NotSigned,
        },
        pinned: status.pin.map(|commit| commit.as_str().to_owned()),
        artifacts: RegistryArtifacts {
            agents: count(Kind::Agent),
            providers: count(Kind::Provider),
            templates: count(Kind::Template),
            prices: count(Kind::Prices),
        },
        syncing: status.is_syncing,
        last_sync: status.synced_at,
        last_failure: status
            .failure
            .map(|(at, error)| RegistryFailure { at, error }),
        kept: status
            .kept
            .into_iter()
            .map(|index| KeptCommit {
                commit: index.commit.as_str().to_owned(),
                channel: index.channel,
                serial: index.serial,
                created_at: index.created_at,
                fetched_at: index.fetched_at,
            })
            .collect(),
        replaced: replaced
            .into_iter()
            .map(|(kind, id, path)| ReplacedArtifact {
                kind: kind.as_str().to_owned(),
                id,
                path: text(&path),
            })
            .collect(),
        problems: of_registry(core),
    }
}

/// What of the registry cannot be used.
fn of_registry(core: &Core) -> Vec<CatalogueProblem> {
    let lost = core.registry.problem().map(|message| CatalogueProblem {
        path: "registry".to_owned(),
        line: None,
        column: None,
        message,
    });
    let layer = core.registry.active().layer();
    let of_artifacts = layer.problems().iter().map(of_manifest);
    lost.into_iter().chain(of_artifacts).collect()
}

fn of_manifest(problem: &clown_core::providers::Problem) -> CatalogueProblem {
    CatalogueProblem {
        path: text(&problem.path),
        line: Some(problem.line),
        column: Some(problem.column),
        message: problem.message.clone(),
    }
}

pub(super) fn run(run: runs::Run) -> Run {
    Run {
        id: run.id,
        profile: run.profile.to_string(),
        state: match run.state {
            runs::RunState::Prepared => RunState::Prepared,
            runs::RunState::Running => RunState::Running,
            runs::RunState::Exited => RunState::Exited,
            runs::RunState::Abandoned => RunState::Abandoned,
        },
        pid: run.pid,
        exit_code: run.exit_code,
        prepared_at: run.prepared_at,
        started_at: run.started_at,
        ended_at: run.ended_at,
    }
}

/// Runs that are not over, and the most recent that are; the latest first.
pub(super) fn recent_runs(runs: Vec<runs::Run>) -> Vec<Run> {
    let mut over = 0;
    let told = runs.into_iter().filter(|run| {
        over += usize::from(!run.state.is_open());
        run.state.is_open() || over <= RECENT_RUNS
    });
    told.map(run).collect()
}

pub(super) fn proxy(proxy: proxies::Proxy) -> Proxy {
    Proxy {
        profile: proxy.profile.to_string(),
        state: match proxy.instance {
            Some(_) => ProxyState::Running,
            None => ProxyState::Stopped,
        },
        port: proxy.instance.map(|instance| instance.port),
        pid: proxy.instance.map(|instance| instance.pid),
        exit_code: proxy.exit_code,
        error: proxy.error,
        started_at: proxy.started_at,
        stopped_at: proxy.stopped_at,
        targets: Vec::new(),
    }
}

pub(super) fn target(health: proxies::TargetHealth) -> ProxyTarget {
    ProxyTarget {
        target: health.target,
        state: health.state,
        seconds: health.seconds,
        error: health.error,
    }
}

pub(super) fn explained(explained: Explained) -> RouteExplained {
    let verdicts = explained.verdicts.into_iter();
    RouteExplained {
        rule: explained.rule,
        targets: explained.targets.iter().map(ToString::to_string).collect(),
        verdicts: verdicts
            .map(|verdict| RouteVerdict {
                rule: verdict.rule,
                when: verdict.when,
                holds: verdict.holds,
                seen: verdict.seen,
                is_late: verdict.is_late,
            })
            .collect(),
    }
}

pub(super) fn usage(totals: Vec<usage::Total>) -> UsageTotals {
    let total = |total: usage::Total| ProfileUsage {
        profile: total.profile.to_string(),
        tokens: total.tokens,
        cost: total.cost,
    };
    UsageTotals {
        profiles: totals.into_iter().map(total).collect(),
    }
}

/// What is wrong with files that people own, and with the database.
pub(super) fn problems(core: &Core, database: Option<String>) -> Vec<CatalogueProblem> {
    let of_profile = |fault: profiles::Fault| CatalogueProblem {
        path: text(&fault.path),
        line: fault.place.map(|(line, _)| line),
        column: fault.place.map(|(_, column)| column),
        message: fault.message,
    };
    let mut problems = of_database(core, database);
    problems.extend(of_registry(core));
    problems.extend(core.profiles.faults().into_iter().map(of_profile));
    problems.extend(core.templates.current().problems().iter().map(of_manifest));
    problems.extend(
        core.catalogue
            .agents
            .current()
            .problems()
            .iter()
            .map(of_manifest),
    );
    problems.extend(
        core.catalogue
            .providers
            .current()
            .problems()
            .iter()
            .map(of_manifest),
    );
    problems
}

fn of_database(core: &Core, unwritable: Option<String>) -> Vec<CatalogueProblem> {
    let problem = |path: String, message: String| CatalogueProblem {
        path,
        line: None,
        column: None,
        message,
    };
    let unwritable = unwritable.map(|message| {
        let path = core
            .store
            .read(|connection| Ok::<_, StoreError>(connection.path().map(str::to_owned)));
        let path = path.ok().flatten().unwrap_or_else(|| "clown.db".to_owned());
        problem(path, message)
    });
    let damaged = core.store.set_aside().map(|path| {
        problem(
            text(path),
            "the database was damaged when the daemon started: it was moved to this name, and a new one was made. Profiles were read from their files again; history and runs begin anew".to_owned(),
        )
    });
    damaged.into_iter().chain(unwritable).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
