use super::{FileMerge, LaunchError, LaunchPlan, McpServer, Member, Wanted, mcp};
use crate::agents::{AgentManifest, ConfigFile, HooksFile, Template, Variables};
use crate::providers::{Endpoint, Format, ProviderManifest, Unfilled};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What a profile says about a run, and what it was resolved to.
#[derive(Clone, Copy)]
pub struct LaunchInput<'a> {
    /// The profile's name.
    pub alias: &'a str,
    /// The folder that the agent keeps its things in for this profile.
    pub home: &'a Path,
    /// One of the provider's endpoints; None is its default.
    pub endpoint_id: Option<&'a str>,
    /// The profile's model.
    pub model: Option<&'a str>,
    /// The profile's model for small and background requests.
    pub small_model: Option<&'a str>,
    /// The key itself.
    pub key: Option<&'a str>,
    /// The address of the profile's proxy, which is asked in the provider's place, with `key`.
    pub through: Option<&'a str>,
    /// The profile's own variables, which win.
    pub env: &'a BTreeMap<String, String>,
    /// The agent's arguments.
    pub args: &'a [String],
    /// Hooks in the agent's own form.
    pub hooks_config: Option<&'a Map<String, Value>>,
    /// The MCP servers that the agent is to use, by name.
    pub mcp_servers: &'a BTreeMap<String, McpServer>,
    /// The names of the variables in the caller's environment; None if they cannot be known, and
    /// then what a manifest clears by pattern stays.
    pub caller_names: Option<&'a [String]>,
    /// Every provider there is: what can be proposed.
    pub providers: &'a [Arc<ProviderManifest>],
    /// Variables of the caller's shell with keys, which are not passed on.
    pub key_variables: &'a [String],
}

/// Without the key.
impl std::fmt::Debug for LaunchInput<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LaunchInput")
            .field("alias", &self.alias)
            .field("home", &self.home)
            .field("endpoint_id", &self.endpoint_id)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// Works out how `agent` is started with `provider`. Reads and writes nothing.
pub fn plan(
    agent: &AgentManifest,
    provider: &ProviderManifest,
    input: &LaunchInput<'_>,
) -> Result<LaunchPlan, LaunchError> {
    // A profile is checked before, with what could be proposed instead.
    let mut target = Target::choose(
        agent,
        provider,
        input.endpoint_id,
        input.env,
        &[],
        input.providers,
        input.through.is_some(),
    )?;
    if let (Some(target), Some(through)) = (&mut target, input.through) {
        target.url = match target.format {
            // What its official clients take ends with the version.
            Format::OpenaiChat | Format::OpenaiResponses => format!("{through}/v1"),
            Format::AnthropicMessages | Format::Gemini => through.to_owned(),
        };
    }
    let key = if provider.is_own_login() {
        None
    } else {
        input.key
    };
    if let Some(wanted) = provider.key.as_ref()
        && wanted.required
        && key.is_none()
    {
        return Err(LaunchError::KeyMissing {
            provider: provider.id.as_str().to_owned(),
            variable: wanted.variable.clone(),
        });
    }
    let home = input
        .home
        .to_str()
        .ok_or_else(|| LaunchError::HomeNotText {
            home: input.home.to_owned(),
        })?;
    let model = effective_model(agent, provider, input.model);
    let auth = provider
        .key
        .as_ref()
        .map(|key| key.auth)
        .unwrap_or_default();
    let variables = Variables {
        alias: input.alias,
        home,
        endpoint: target.as_ref().map_or("", |target| target.url.as_str()),
        format: target.as_ref().map_or("", |target| target.format.as_str()),
        model: model.unwrap_or_default(),
        small_model: input.small_model.unwrap_or_default(),
        provider: provider.id.as_str(),
        provider_name: &provider.name,
        auth: if key.is_some() { auth.as_str() } else { "" },
        key_set: if key.is_some() { "yes" } else { "" },
        key: key.unwrap_or_default(),
        caller_names: input.caller_names,
    };
    let renderer = Renderer { agent, variables };
    Ok(LaunchPlan {
        env: renderer.env(input)?,
        args: input.args.to_vec(),
        home: input.home.to_owned(),
        folders: agent
            .folders
            .iter()
            .map(|folder| folder.as_str().to_owned())
            .collect(),
        files: renderer.files(input)?,
    })
}

/// Whether `agent` can be started with `provider` at all, and the variables of `env` make its address
/// whole; `agents` and `providers` are what can be proposed. With a proxy that translates, they need
/// have no format in common.
pub fn check(
    agent: &AgentManifest,
    provider: &ProviderManifest,
    endpoint_id: Option<&str>,
    env: &BTreeMap<String, String>,
    agents: &[Arc<AgentManifest>],
    providers: &[Arc<ProviderManifest>],
    translates: bool,
) -> Result<(), LaunchError> {
    Target::choose(
        agent,
        provider,
        endpoint_id,
        env,
        agents,
        providers,
        translates,
    )
    .map(drop)
}

/// The addresses of the provider's endpoint that `agent` would use, of each format that is spoken
/// there and whose address the variables of `env` make whole. None for the agent's own login.
pub fn addresses(
    agent: &AgentManifest,
    provider: &ProviderManifest,
    endpoint_id: Option<&str>,
    env: &BTreeMap<String, String>,
    providers: &[Arc<ProviderManifest>],
) -> Result<BTreeMap<Format, String>, LaunchError> {
    let target = Target::choose(agent, provider, endpoint_id, env, &[], providers, true)?;
    let Some(target) = target else {
        return Ok(BTreeMap::new());
    };
    let whole = |(format, url): (&Format, &crate::providers::EndpointUrl)| {
        Some((*format, url.fill(env).ok()?))
    };
    Ok(target.endpoint.urls.iter().filter_map(whole).collect())
}

/// The addresses of the endpoint that a provider is asked at by rules: its default one.
pub fn addresses_of(
    provider: &ProviderManifest,
    env: &BTreeMap<String, String>,
) -> Result<BTreeMap<Format, String>, LaunchError> {
    let mut addresses = BTreeMap::new();
    for (format, url) in provider
        .default_endpoint()
        .into_iter()
        .flat_map(|it| &it.urls)
    {
        let url = url.fill(env);
        let url = url.map_err(|unfilled| address_incomplete(provider, unfilled))?;
        addresses.insert(*format, url);
    }
    Ok(addresses)
}

/// The model of a run: the profile's, else the provider's, else the agent's own default.
pub fn effective_model<'a>(
    agent: &'a AgentManifest,
    provider: &'a ProviderManifest,
    profile: Option<&'a str>,
) -> Option<&'a str> {
    profile
        .or(provider.default_model.as_deref())
        .or(agent.default_model.as_deref())
}

/// The format that `agent` would speak with `provider`; None if they have none in common, and for
/// the agent's own login, which needs none.
pub fn shared_format(agent: &AgentManifest, provider: &ProviderManifest) -> Option<Format> {
    let endpoints = provider
        .default_endpoint()
        .into_iter()
        .chain(&provider.endpoints);
    endpoints
        .filter_map(|endpoint| best_format(agent, provider, endpoint))
        .next()
}

fn best_format(
    agent: &AgentManifest,
    provider: &ProviderManifest,
    endpoint: &Endpoint,
) -> Option<Format> {
    let mut wanted = provider.preferred_format.iter().chain(&agent.formats);
    wanted
        .find(|format| agent.formats.contains(format) && endpoint.urls.contains_key(format))
        .copied()
}

/// Where a run's requests go, and in what form.
struct Target<'p> {
    url: String,
    format: Format,
    endpoint: &'p Endpoint,
}

impl<'p> Target<'p> {
    /// None for the agent's own login.
    fn choose(
        agent: &AgentManifest,
        provider: &'p ProviderManifest,
        endpoint_id: Option<&str>,
        env: &BTreeMap<String, String>,
        agents: &[Arc<AgentManifest>],
        providers: &[Arc<ProviderManifest>],
        translates: bool,
    ) -> Result<Option<Self>, LaunchError> {
        let named = match endpoint_id {
            Some(id) => Some(find_endpoint(provider, id)?),
            None => None,
        };
        if provider.is_own_login() {
            return Ok(None);
        }
        if translates && let Some(target) = Self::translated(agent, provider, named, env) {
            return target.map(Some);
        }
        let no_shared_format = || LaunchError::NoSharedFormat {
            could_translate: Self::translated(agent, provider, named, env).is_some(),
            agent: agent.id.as_str().to_owned(),
            provider: provider.id.as_str().to_owned(),
            providers: working_providers(agent, providers),
            agents: working_agents(provider, agents),
        };
        let format = shared_format(agent, provider).ok_or_else(no_shared_format)?;
        if let Some(endpoint) = named {
            let format = best_format(agent, provider, endpoint);
            let format = format.ok_or_else(|| LaunchError::EndpointFormat {
                agent: agent.id.as_str().to_owned(),
                provider: provider.id.as_str().to_owned(),
                endpoint: endpoint.id.as_str().to_owned(),
            })?;
            return Self::at(provider, endpoint, format, env);
        }
        let mut endpoints = provider
            .default_endpoint()
            .into_iter()
            .chain(&provider.endpoints);
        let serving = endpoints.find(|endpoint| endpoint.urls.contains_key(&format));
        Self::at(provider, serving.ok_or_else(no_shared_format)?, format, env)
    }

    /// What a proxy makes of it that translates between formats, where agent and endpoint share none
    /// and both speak one of those. None where nothing needs to, or can be translated.
    fn translated(
        agent: &AgentManifest,
        provider: &'p ProviderManifest,
        named: Option<&'p Endpoint>,
        env: &BTreeMap<String, String>,
    ) -> Option<Result<Self, LaunchError>> {
        let shares = match named {
            Some(endpoint) => best_format(agent, provider, endpoint).is_some(),
            None => shared_format(agent, provider).is_some(),
        };
        let format = agent.formats.iter().find(|it| it.is_translated())?;
        let endpoint = named.or_else(|| provider.default_endpoint())?;
        let url = endpoint
            .urls
            .iter()
            .find(|(format, _)| format.is_translated())?;
        let url = url.1.fill(env);
        (!shares).then(|| {
            Ok(Self {
                url: url.map_err(|unfilled| address_incomplete(provider, unfilled))?,
                format: *format,
                endpoint,
            })
        })
    }

    fn at(
        provider: &ProviderManifest,
        endpoint: &'p Endpoint,
        format: Format,
        env: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, LaunchError> {
        let Some(url) = endpoint.urls.get(&format) else {
            return Ok(None);
        };
        let url = url
            .fill(env)
            .map_err(|unfilled| address_incomplete(provider, unfilled))?;
        Ok(Some(Self {
            url,
            format,
            endpoint,
        }))
    }
}

fn find_endpoint<'a>(
    provider: &'a ProviderManifest,
    id: &str,
) -> Result<&'a Endpoint, LaunchError> {
    provider
        .endpoint(id)
        .ok_or_else(|| LaunchError::UnknownEndpoint {
            provider: provider.id.as_str().to_owned(),
            endpoint: id.to_owned(),
            known: provider
                .endpoints
                .iter()
                .map(|endpoint| endpoint.id.as_str().to_owned())
                .collect(),
        })
}

fn address_incomplete(provider: &ProviderManifest, unfilled: Unfilled<'_>) -> LaunchError {
    let (Unfilled::Missing(variable) | Unfilled::Unfit(variable)) = unfilled;
    let explained = provider.placeholders.get(variable);
    let owned = |text: Option<&String>| text.cloned();
    LaunchError::AddressIncomplete {
        provider: provider.id.as_str().to_owned(),
        variable: variable.to_owned(),
        about: owned(explained.map(|it| &it.about))
            .unwrap_or_else(|| format!("a value for {variable}")),
        example: owned(explained.map(|it| &it.example)).unwrap_or_else(|| "VALUE".to_owned()),
        unfit: matches!(unfilled, Unfilled::Unfit(_)),
    }
}

fn working_agents(provider: &ProviderManifest, agents: &[Arc<AgentManifest>]) -> Vec<String> {
    agents
        .iter()
        .filter(|agent| shared_format(agent, provider).is_some())
        .map(|agent| agent.id.as_str().to_owned())
        .collect()
}

fn working_providers(agent: &AgentManifest, providers: &[Arc<ProviderManifest>]) -> Vec<String> {
    providers
        .iter()
        .filter(|provider| provider.is_own_login() || shared_format(agent, provider).is_some())
        .map(|provider| provider.id.as_str().to_owned())
        .collect()
}

struct Renderer<'a> {
    agent: &'a AgentManifest,
    variables: Variables<'a>,
}

impl Renderer<'_> {
    /// Later ones win: what is cleared, what isolates, what is told, what the profile says.
    fn env(
        &self,
        input: &LaunchInput<'_>,
    ) -> Result<BTreeMap<String, Option<String>>, LaunchError> {
        // The daemon's token opens everything, keys too.
        let mut env = BTreeMap::from([("CLOWN_TOKEN".to_owned(), None)]);
        env.extend(input.key_variables.iter().map(|name| (name.clone(), None)));
        for pattern in &self.agent.clears {
            match pattern.name() {
                Some(name) => drop(env.insert(name.to_owned(), None)),
                None => {
                    let names = input.caller_names.unwrap_or_default().iter();
                    let meant = names.filter(|name| pattern.matches(name));
                    env.extend(meant.map(|name| (name.clone(), None)));
                }
            }
        }
        for (name, template) in &self.agent.isolation {
            let value = self.render(template, name.as_str())?;
            if !value.is_empty() {
                env.insert(name.as_str().to_owned(), Some(value));
            }
        }
        for (name, template) in &self.agent.env {
            let value = template
                .render(&self.variables)
                .map_err(|source| self.failed(name.as_str(), source))?;
            // Without a value of ours, one of the caller's would choose in our place.
            env.insert(
                name.as_str().to_owned(),
                Some(value).filter(|value| !value.is_empty()),
            );
        }
        for (name, value) in input.env {
            env.insert(name.clone(), Some(value.clone()));
        }
        Ok(env)
    }

    fn files(&self, input: &LaunchInput<'_>) -> Result<BTreeMap<String, FileMerge>, LaunchError> {
        let mut files = BTreeMap::new();
        for file in &self.agent.files {
            self.config_file(file, &mut files)?;
        }
        match (input.hooks_config, &self.agent.hooks) {
            (Some(hooks), Some(file)) if !hooks.is_empty() => add_hooks(file, hooks, &mut files),
            (Some(hooks), None) if !hooks.is_empty() => {
                return Err(LaunchError::NoHooks {
                    agent: self.agent.id.as_str().to_owned(),
                });
            }
            _ => {}
        }
        if !input.mcp_servers.is_empty() {
            self.mcp_servers(input.mcp_servers, &mut files)?;
        }
        Ok(files)
    }

    fn mcp_servers(
        &self,
        servers: &BTreeMap<String, McpServer>,
        files: &mut BTreeMap<String, FileMerge>,
    ) -> Result<(), LaunchError> {
        let file = self.agent.mcp.as_ref().ok_or_else(|| LaunchError::NoMcp {
            agent: self.agent.id.as_str().to_owned(),
        })?;
        let members = mcp::members(self.agent, file, servers)?;
        merge_of(file.file.as_str(), file.kind, files)
            .members
            .extend(members);
        Ok(())
    }

    fn config_file(
        &self,
        file: &ConfigFile,
        files: &mut BTreeMap<String, FileMerge>,
    ) -> Result<(), LaunchError> {
        let path = file.path.as_str();
        if let Some(when) = &file.when
            && self.render(when, path)?.is_empty()
        {
            return Ok(());
        }
        for (member, value) in &file.members {
            let mut at = Vec::new();
            for name in member.names() {
                at.push(self.render(name, path)?);
            }
            let value = self.value(value.as_toml(), path)?;
            if let Some(value) = value
                && at.iter().all(|name| !name.is_empty())
            {
                let members = &mut merge_of(path, file.kind, files).members;
                if member.is_element() {
                    members.push(element(at, value));
                } else {
                    add_value(at, value, members);
                }
            }
        }
        Ok(())
    }

    /// None when a text in it renders empty.
    fn value(&self, value: &toml::Value, place: &str) -> Result<Option<Value>, LaunchError> {
        Ok(match value {
            toml::Value::String(text) => {
                let template = Template::try_from(text.clone()).map_err(|problem| {
                    let kind = minijinja::ErrorKind::SyntaxError;
                    self.failed(place, minijinja::Error::new(kind, problem))
                })?;
                let text = self.render(&template, place)?;
                (!text.is_empty()).then_some(Value::String(text))
            }
            toml::Value::Integer(number) => Some(Value::from(*number)),
            toml::Value::Float(number) => Some(Value::from(*number)),
            toml::Value::Boolean(flag) => Some(Value::Bool(*flag)),
            toml::Value::Datetime(date) => Some(Value::String(date.to_string())),
            toml::Value::Array(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.extend(self.value(item, place)?);
                }
                Some(Value::Array(list))
            }
            toml::Value::Table(table) => {
                let mut members = Map::new();
                for (name, member) in table {
                    if let Some(member) = self.value(member, place)? {
                        members.insert(name.clone(), member);
                    }
                }
                Some(Value::Object(members))
            }
        })
    }

    fn render(&self, template: &Template, place: &str) -> Result<String, LaunchError> {
        template
            .render(&self.variables)
            .map_err(|source| self.failed(place, source))
    }

    fn failed(&self, place: &str, source: minijinja::Error) -> LaunchError {
        LaunchError::Template {
            agent: self.agent.id.as_str().to_owned(),
            place: place.to_owned(),
            source,
        }
    }
}

fn merge_of<'a>(
    path: &str,
    kind: crate::agents::FileKind,
    files: &'a mut BTreeMap<String, FileMerge>,
) -> &'a mut FileMerge {
    files.entry(path.to_owned()).or_insert_with(|| FileMerge {
        kind,
        members: Vec::new(),
    })
}

/// A list under a hook's name is added to what the person has there; it replaces nothing.
fn add_hooks(
    file: &HooksFile,
    hooks: &Map<String, Value>,
    files: &mut BTreeMap<String, FileMerge>,
) {
    let merge = merge_of(file.file.as_str(), file.kind, files);
    for (name, value) in hooks {
        let at = vec![file.member.clone(), name.clone()];
        match value {
            Value::Array(elements) => merge.members.extend(
                elements
                    .iter()
                    .map(|value| element(at.clone(), value.clone())),
            ),
            value => add_value(at, value.clone(), &mut merge.members),
        }
    }
}

fn element(at: Vec<String>, value: Value) -> Member {
    Member {
        at,
        wanted: Wanted::Element(value),
        secret: false,
    }
}

/// Tables are taken apart, so that what else a person has in them stays.
pub(super) fn add_value(at: Vec<String>, value: Value, members: &mut Vec<Member>) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                let mut below = at.clone();
                below.push(name);
                add_value(below, value, members);
            }
        }
        value => members.push(Member {
            at,
            wanted: Wanted::Value(value),
            secret: false,
        }),
    }
}
