//! The check of a provider, with the key of a profile or with one that is given for it.

use crate::composition::Slot;
use crate::keys::{KeyError, KeyResolver, KeySource, Secret};
use crate::process::ProcessIdentity;
use crate::profiles::{ProfileError, Published};
use crate::providers::{self, Checked, Endpoint, ProviderManifest};
use crate::{Alias, Core};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many checks there may be at once: each asks several addresses.
const MAX_CHECKS: usize = 4;

/// A check is asked for.
#[derive(Debug, Default)]
pub struct CheckRequest {
    /// The profile whose endpoint, variables and key are used, unless others are given.
    pub profile: Option<Alias>,
    /// The endpoint; the profile's, or the provider's default, if none is named.
    pub endpoint: Option<String>,
    /// Every endpoint of the provider.
    pub all_endpoints: bool,
    /// The key.
    pub key: Option<CheckKey>,
    /// What fills the placeholders of addresses, before what the profile says.
    pub env: BTreeMap<String, String>,
    /// Whose variables a key may be in.
    pub cli_pid: Option<u32>,
}

/// A key for one check.
#[derive(Debug)]
pub enum CheckKey {
    /// The key itself. It is kept nowhere.
    Value(Secret),
    /// Where it is.
    Source(KeySource),
}

/// What a check found.
#[derive(Debug)]
pub struct ProviderCheck {
    /// Endpoint by endpoint, format by format.
    pub checked: Vec<Checked>,
}

/// A check cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// There is no such provider.
    #[error("there is no provider {id:?}: known are {}", known.join(", "))]
    NotFound {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The person's own manifest of it cannot be used.
    #[error(transparent)]
    Broken(#[from] providers::Broken),
    /// There is nothing to ask.
    #[error("{0} is the agent's own login: it has no address that could be checked")]
    OwnLogin(String),
    /// There is no such endpoint.
    #[error("the provider {provider} has no endpoint {endpoint:?}: it has {}", known.join(", "))]
    UnknownEndpoint {
        /// The provider's id.
        provider: String,
        /// What was asked for.
        endpoint: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The profile is another provider's.
    #[error(
        "the profile {alias} uses the provider {uses}, not {provider}: its key is not sent to another one"
    )]
    OtherProvider {
        /// The profile.
        alias: Alias,
        /// Its provider.
        uses: String,
        /// What was asked for.
        provider: String,
    },
    /// The profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The profile's key.
    #[error(transparent)]
    ProfileKey(#[from] KeyError),
    /// The key that was given for this check.
    #[error("there is no key to try: {0}")]
    Key(String),
    /// Enough is under way.
    #[error("too many checks are under way: try again shortly")]
    Busy,
}

impl Core {
    /// Asks a provider's addresses, with a key if there is one. Blocks, up to a minute if the key
    /// comes from a command and the addresses hang.
    pub fn check_provider(
        &self,
        id: &str,
        request: &CheckRequest,
    ) -> Result<ProviderCheck, CheckError> {
        let provider = self.provider_to_check(id)?;
        let profile = self.profile_to_check(&provider, request)?;
        let definition = profile.as_ref().map(|profile| &profile.definition);
        let named = request.endpoint.as_deref();
        let named = named.or_else(|| definition.and_then(|it| it.endpoint_id.as_deref()));
        let endpoints = endpoints(&provider, named, request.all_endpoints)?;
        let _slot = Slot::take(&self.checks, MAX_CHECKS).ok_or(CheckError::Busy)?;
        let key = self.key_to_check(&provider, profile.as_ref(), request)?;
        let mut variables = definition.map(|it| it.env.clone()).unwrap_or_default();
        variables.extend(request.env.clone());
        Ok(ProviderCheck {
            checked: providers::check(
                &*self.fetch,
                &provider,
                &endpoints,
                &variables,
                key.as_ref(),
            ),
        })
    }

    fn provider_to_check(&self, id: &str) -> Result<Arc<ProviderManifest>, CheckError> {
        let catalog = self.catalogue.providers.current();
        catalog.check_whole(id)?;
        let provider = catalog.get(id).cloned();
        let provider = provider.ok_or_else(|| CheckError::NotFound {
            id: id.chars().take(80).collect(),
            known: catalog.all().map(|it| it.id.as_str().to_owned()).collect(),
        })?;
        if provider.is_own_login() {
            return Err(CheckError::OwnLogin(id.to_owned()));
        }
        Ok(provider)
    }

    fn profile_to_check(
        &self,
        provider: &ProviderManifest,
        request: &CheckRequest,
    ) -> Result<Option<Published>, CheckError> {
        let Some(alias) = &request.profile else {
            return Ok(None);
        };
        let published = self.profiles.get(alias)?.published;
        let uses = &published.definition.provider_id;
        if uses != provider.id.as_str() {
            return Err(CheckError::OtherProvider {
                alias: alias.clone(),
                uses: uses.clone(),
                provider: provider.id.as_str().to_owned(),
            });
        }
        Ok(Some(published))
    }

    fn key_to_check(
        &self,
        provider: &ProviderManifest,
        profile: Option<&Published>,
        request: &CheckRequest,
    ) -> Result<Option<Secret>, CheckError> {
        let is_for_this = |source: &KeySource| match source {
            KeySource::Store(name) => self.keys.check_provider(name, provider.id.as_str()),
            _ => Ok(()),
        };
        let caller = request.cli_pid.and_then(ProcessIdentity::of);
        let resolver = |caller| KeyResolver {
            store: &self.keys,
            environment: &self.environment,
            caller,
        };
        match (&request.key, profile) {
            (Some(CheckKey::Value(key)), _) => match key.flaw() {
                None => Ok(Some(key.clone())),
                Some(flaw) => Err(CheckError::Key(flaw.to_owned())),
            },
            (Some(CheckKey::Source(source)), _) => {
                is_for_this(source)?;
                let key = resolver(caller).resolve_alone(source);
                key.map(Some).map_err(CheckError::Key)
            }
            (None, Some(profile)) => match &profile.definition.key {
                Some(source) => {
                    is_for_this(source)?;
                    Ok(Some(resolver(caller).resolve(&profile.alias, source)?))
                }
                None => Ok(None),
            },
            (None, None) => Ok(None),
        }
    }
}

fn endpoints<'a>(
    provider: &'a ProviderManifest,
    named: Option<&str>,
    all: bool,
) -> Result<Vec<&'a Endpoint>, CheckError> {
    if all {
        return Ok(provider.endpoints.iter().collect());
    }
    match named {
        None => Ok(provider.default_endpoint().into_iter().collect()),
        Some(id) => match provider.endpoint(id) {
            Some(endpoint) => Ok(vec![endpoint]),
            None => Err(CheckError::UnknownEndpoint {
                provider: provider.id.as_str().to_owned(),
                endpoint: id.chars().take(80).collect(),
                known: provider
                    .endpoints
                    .iter()
                    .map(|it| it.id.as_str().to_owned())
                    .collect(),
            }),
        },
    }
}
