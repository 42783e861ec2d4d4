//! What agents and providers say about a profile's definition.

use crate::agents::AgentManifest;
use crate::launch::{self, LaunchError};
use crate::manifests::Manifests;
use crate::profiles::{Definition, McpDefinition, ProfileError, Rules};
use crate::providers::{Broken, Catalog, Manifest, ProviderManifest};
use crate::proxies::ProxyDefinition;
use clown_mask as mask;
use std::sync::Arc;

/// What is told where neither profile, provider nor agent names a model: the agent chooses.
const AGENTS_CHOICE: &str = "default";

/// The manifests of agents and providers.
#[derive(Debug)]
pub struct Catalogue {
    /// Agents.
    pub agents: Arc<Manifests<AgentManifest>>,
    /// Providers.
    pub providers: Arc<Manifests<ProviderManifest>>,
}

impl Catalogue {
    /// The two manifests that a definition names, if they are what their person wants.
    pub fn of(
        &self,
        definition: &Definition,
    ) -> Result<(Arc<AgentManifest>, Arc<ProviderManifest>), ProfileError> {
        let broken =
            |member| move |broken: Broken| ProfileError::invalid(member, broken.to_string());
        let agents = self.agents.current();
        agents
            .check_whole(&definition.agent_id)
            .map_err(broken("agent_id"))?;
        let providers = self.providers.current();
        providers
            .check_whole(&definition.provider_id)
            .map_err(broken("provider_id"))?;
        self.find(definition)
    }

    fn find(
        &self,
        definition: &Definition,
    ) -> Result<(Arc<AgentManifest>, Arc<ProviderManifest>), ProfileError> {
        let agents = self.agents.current();
        let agent = agents.get(&definition.agent_id).cloned();
        let agent = agent.ok_or_else(|| {
            unknown("agent", &definition.agent_id, &agents, |manifest| {
                manifest.id.as_str()
            })
        })?;
        let providers = self.providers.current();
        let provider = providers.get(&definition.provider_id).cloned();
        let provider = provider.ok_or_else(|| {
            unknown(
                "provider",
                &definition.provider_id,
                &providers,
                |manifest| manifest.id.as_str(),
            )
        })?;
        Ok((agent, provider))
    }
}

impl Catalogue {
    /// Refuses a provider that there is not, or that wants no key.
    pub fn check_takes_key(&self, provider_id: &str) -> Result<(), ProfileError> {
        let providers = self.providers.current();
        let Some(provider) = providers.get(provider_id) else {
            return Err(unknown("provider", provider_id, &providers, |manifest| {
                manifest.id.as_str()
            }));
        };
        if provider.key.is_none() {
            return Err(ProfileError::Invalid {
                member: "provider_id".to_owned(),
                message: format!("{} takes no key", provider.name),
            });
        }
        Ok(())
    }
}

impl Rules for Catalogue {
    fn fixed(&self) -> Arc<dyn Rules> {
        Arc::new(Self {
            agents: Arc::new(self.agents.fixed()),
            providers: Arc::new(self.providers.fixed()),
        })
    }

    fn check(&self, definition: &Definition) -> Result<(), ProfileError> {
        let (agent, provider) = self.of(definition)?;
        self.check_proxy(definition, &provider)?;
        if definition.hooks_config.is_some() && agent.hooks.is_none() {
            return Err(ProfileError::Invalid {
                member: "hooks_config".to_owned(),
                message: format!(
                    "{} has no hooks that Clown could set: leave it out",
                    agent.name
                ),
            });
        }
        if definition.small_model.is_some() && !agent.takes_small_model() {
            return Err(ProfileError::Invalid {
                member: "small_model".to_owned(),
                message: format!(
                    "{} has no model for small requests that Clown could set: leave it out",
                    agent.name
                ),
            });
        }
        let agents: Vec<_> = self.agents.current().all().cloned().collect();
        check_mcp(definition, &agent)?;
        let providers: Vec<_> = self.providers.current().all().cloned().collect();
        launch::check(
            &agent,
            &provider,
            definition.endpoint_id.as_deref(),
            &definition.env,
            &agents,
            &providers,
            ProxyDefinition::of(definition).enabled,
        )
        .map_err(|error| ProfileError::Invalid {
            member: match error {
                LaunchError::AddressIncomplete { .. } => "env".to_owned(),
                _ => "provider_id".to_owned(),
            },
            message: error.to_string(),
        })
    }

    fn model_in_effect(&self, definition: &Definition) -> String {
        let own = definition.model.as_deref();
        let model = match self.find(definition) {
            Ok((agent, provider)) => {
                launch::effective_model(&agent, &provider, own).map(str::to_owned)
            }
            Err(_) => own.map(str::to_owned),
        };
        model.unwrap_or_else(|| AGENTS_CHOICE.to_owned())
    }
}

impl Catalogue {
    fn check_proxy(
        &self,
        definition: &Definition,
        provider: &ProviderManifest,
    ) -> Result<(), ProfileError> {
        let Some(members) = &definition.proxy_config else {
            return Ok(());
        };
        let proxy = ProxyDefinition::read(members).map_err(|wrong| ProfileError::Invalid {
            member: wrong.member,
            message: wrong.message,
        })?;
        if proxy.enabled && provider.is_own_login() {
            return Err(ProfileError::Invalid {
            member: "proxy_config.enabled".to_owned(),
            message: "with the agent's own login there is no address that a proxy could stand before: name a provider"
                .to_owned(),
        });
        }
        let providers = self.providers.current();
        let is_there = |id: &str| providers.get(id).is_some_and(|it| !it.is_own_login());
        let rules = proxy.rules.check(is_there);
        rules.map_err(|error| {
            ProfileError::invalid(format!("proxy_config.{}", error.place), error.message)
        })?;
        if let Some(unknown) = proxy.keys.keys().find(|id| !is_there(id)) {
            return Err(ProfileError::invalid(
                format!("proxy_config.keys.{unknown}"),
                "there is no such provider: `clown providers list` shows those that there are",
            ));
        }
        for id in proxy.rules.providers() {
            let other = match providers.get(id) {
                Some(other) if id != definition.provider_id => other,
                _ => continue,
            };
            let place =
                |broken: Broken| ProfileError::invalid("proxy_config.routes", broken.to_string());
            providers.check_whole(id).map_err(place)?;
            if let Some(wanted) = other.key.as_ref().filter(|wanted| wanted.required)
                && !proxy.keys.contains_key(id)
            {
                return Err(ProfileError::invalid(
                    format!("proxy_config.keys.{id}"),
                    format!(
                        "a rule names {id}, which wants a key: say where it is, such as {{ env = \"{}\" }} or {{ store = \"NAME\" }}",
                        wanted.variable
                    ),
                ));
            }
            launch::addresses_of(other, &definition.env)
                .map_err(|error| ProfileError::invalid("env", error.to_string()))?;
        }
        Ok(())
    }
}

fn check_mcp(definition: &Definition, agent: &AgentManifest) -> Result<(), ProfileError> {
    let invalid = |member: String, message: String| Err(ProfileError::Invalid { member, message });
    if definition.mcp_servers.is_empty() {
        return Ok(());
    }
    let Some(file) = &agent.mcp else {
        let message = format!(
            "{} takes no MCP servers that Clown could set: leave it out",
            agent.name
        );
        return invalid("mcp_servers".to_owned(), message);
    };
    for (name, server) in &definition.mcp_servers {
        let (is_taken, kind) = match server {
            McpDefinition::Command { .. } => (file.stdio.is_some(), "command"),
            McpDefinition::Url { .. } => (file.http.is_some(), "url"),
        };
        if !is_taken {
            let message = format!("{} takes no MCP servers with `{kind}`", agent.name);
            return invalid(format!("mcp_servers.{name}"), message);
        }
        // Where an address stands, it is shown: by the agent, in lists of processes, in logs.
        if let McpDefinition::Url { url, .. } = server
            && mask::names_who_asks(url)
        {
            let message = "an address holds no user name and no password: give them in a header, such as Authorization (`clown mcp add … --header-env Authorization=VARIABLE`)";
            return invalid(format!("mcp_servers.{name}.url"), message.to_owned());
        }
    }
    Ok(())
}

fn unknown<M: Manifest>(
    what: &str,
    id: &str,
    catalog: &Catalog<M>,
    id_of: impl Fn(&M) -> &str,
) -> ProfileError {
    let known: Vec<&str> = catalog.all().map(|manifest| id_of(manifest)).collect();
    ProfileError::Invalid {
        member: format!("{what}_id"),
        message: format!("there is no {what} {id:?}: there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_of_a_server_tells_nobody_who_asks() {
        let nowhere = std::path::PathBuf::from("/nonexistent");
        let rules = Catalogue {
            agents: Arc::new(Manifests::new(nowhere.clone(), crate::agents::load)),
            providers: Arc::new(Manifests::new(nowhere, crate::providers::load)),
        };
        let check = |url: &str, is_good: bool| {
            let definition = json!({"agent_id": "claude", "mcp_servers": {"m": {"url": url}}});
            // It reads, so that one which was kept before is told and not lost.
            let definition = serde_json::from_value(definition).unwrap();
            match rules.check(&definition) {
                Ok(()) => assert!(is_good, "{url}"),
                Err(error) => {
                    assert!(!is_good, "{url}: {error}");
                    let text = error.to_string();
                    assert!(text.contains("mcp_servers.m.url"), "{text}");
                    assert!(text.contains("--header-env"), "{text}");
                    assert!(!text.contains("s3cret"), "{text}");
                }
            }
        };
        check("https://x/mcp?token=s3cret", true);
        check("https://x/@scope", true);
        check("https://me:s3cret@x/mcp", false);
        check("https://s3cret@x", false);
    }
}
