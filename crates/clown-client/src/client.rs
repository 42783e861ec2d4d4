use crate::connect::Trust;
use crate::discovery::Discovery;
use crate::error::ClientError;
use crate::history::{EventQuery, HistoryPage};
use crate::query::{Target, segment};
use crate::request::{Asked, encode, round_trip, without_query};
use crate::stream::{Gap, probe};
use bytes::Bytes;
use clown_api::{
    Agent, AskEnvironment, AskExport, CheckProvider, CloneProfile, CreateProfile, Daemon,
    Environment, ExitedRun, Export, KeyInput, List, PinRegistry, Plan, PlanRun, PrepareRun,
    PreparedRun, Profile, Provider, ProviderCheck, Registry, ReplaceFile, Run, SetKey, Shutdown,
    StartedRun, State, StoredKey, SyncRegistry, SyncedRegistry, Template, routes,
};
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::time::Duration;

/// How long an answer may take. Looking for agents runs programs, which is what takes longest.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// The daemon's HTTP API, one method a route.
///
/// Each request finds the daemon anew and uses a connection of its own, so a `Client` stays good
/// when the daemon is started again on another port.
///
/// ```no_run
/// use clown_client::{Client, Discovery};
///
/// # async fn example() -> Result<(), clown_client::ClientError> {
/// let client = Client::new(Discovery::at("127.0.0.1:8765".parse()?));
/// println!("clownd {}", client.daemon().await?.version);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    discovery: Discovery,
    limit: Duration,
}

impl Client {
    /// A client of the daemon that `discovery` finds. Connects to nothing yet.
    pub fn new(discovery: Discovery) -> Self {
        Self {
            discovery,
            limit: REQUEST_LIMIT,
        }
    }

    /// The same client with another time limit for each request; the default is 30 s.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How this client finds the daemon.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// `GET /healthz`: whether the daemon serves.
    ///
    /// # Errors
    /// [`ClientError`], as from every method here; this one has no [`ClientError::Decode`].
    pub async fn health(&self) -> Result<(), ClientError> {
        self.send(
            Method::GET,
            routes::HEALTH.to_owned(),
            None,
            Trust::Ordinary,
        )
        .await
        .map(drop)
    }

    /// `GET /api/v1/state`: one consistent snapshot of everything. A stream from its `seq`
    /// ([`Since::Seq`](crate::Since::Seq)) continues exactly from it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn state(&self) -> Result<State, ClientError> {
        self.get(routes::STATE.to_owned()).await
    }

    /// `GET /api/v1/events`: one page of history, each event with the text in which it came.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn events(&self, query: &EventQuery) -> Result<HistoryPage, ClientError> {
        self.get(query.target(routes::EVENTS)).await
    }

    /// Whether events after `seq` are no longer retained, or the number is of another journal:
    /// what a stream from there would begin with. History itself does not tell.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn gap_after(&self, seq: u64) -> Result<Option<Gap>, ClientError> {
        probe::gap_after(&self.discovery, seq).await
    }

    /// `GET /api/v1/daemon`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn daemon(&self) -> Result<Daemon, ClientError> {
        self.get(routes::DAEMON.to_owned()).await
    }

    /// `POST /api/v1/daemon/shutdown`: asks the daemon to stop. It answers before it has.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn shutdown(&self, request: &Shutdown) -> Result<(), ClientError> {
        let body = encode(request);
        let path = routes::SHUTDOWN.to_owned();
        self.send(Method::POST, path, Some(body), Trust::Ordinary)
            .await
            .map(drop)
    }

    /// `GET /api/v1/profiles`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn profiles(&self) -> Result<Vec<Profile>, ClientError> {
        self.list(routes::PROFILES).await
    }

    /// `GET /api/v1/profiles/{alias}`.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_not_found`; else as any [`ClientError`].
    pub async fn profile(&self, alias: &str) -> Result<Profile, ClientError> {
        self.get(routes::profile(&segment(alias))).await
    }

    /// `POST /api/v1/profiles`. A key's value is sent only to the own user's daemon on this
    /// machine.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_exists` or what is wrong with the request;
    /// [`ClientError::NotLocal`] for a key's value to another machine; else as any [`ClientError`].
    pub async fn create_profile(&self, request: &CreateProfile) -> Result<Profile, ClientError> {
        let trust = match request.key {
            Some(KeyInput::Value(_)) => Trust::Secret,
            _ if !request.mcp_servers.is_empty() => Trust::Secret,
            _ => Trust::Ordinary,
        };
        self.post(routes::PROFILES.to_owned(), request, trust).await
    }

    /// `PATCH /api/v1/profiles/{alias}` with an RFC 7396 merge patch: members that are there
    /// replace, null removes.
    ///
    /// # Errors
    /// As [`Client::create_profile`], and `profile_not_found`.
    pub async fn update_profile(&self, alias: &str, patch: &Value) -> Result<Profile, ClientError> {
        let path = routes::profile(&segment(alias));
        self.exchange(Method::PATCH, path, Some(encode(patch)), trust_for(patch))
            .await
    }

    /// As [`Client::update_profile`], refused if the profile has changed since `seen` was read.
    ///
    /// # Errors
    /// As [`Client::update_profile`], and [`ClientError::Problem`] with `profile_changed`.
    pub async fn update_profile_as_seen(
        &self,
        seen: &Profile,
        patch: &Value,
    ) -> Result<Profile, ClientError> {
        let target = Target::new(&routes::profile(&segment(&seen.alias)))
            .with("if_updated_at", &seen.updated_at.to_string())
            .into_string();
        self.exchange(Method::PATCH, target, Some(encode(patch)), trust_for(patch))
            .await
    }

    /// `DELETE /api/v1/profiles/{alias}`. `purge` also removes what its agent has kept for it.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_not_found` or `profile_running`; else as any
    /// [`ClientError`].
    pub async fn delete_profile(&self, alias: &str, purge: bool) -> Result<(), ClientError> {
        let mut target = Target::new(&routes::profile(&segment(alias)));
        if purge {
            target = target.with("purge", "true");
        }
        let target = target.into_string();
        self.send(Method::DELETE, target, None, Trust::Ordinary)
            .await
            .map(drop)
    }

    /// `POST /api/v1/profiles/{alias}/runs`: what to start for a run of this profile. The answer
    /// can hold the profile's key and names a program to start, so it is asked only of the own
    /// user's daemon on this machine.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_not_found`, `agent_not_installed` and what else keeps
    /// a profile from running; else as any [`ClientError`].
    pub async fn prepare_run(
        &self,
        alias: &str,
        request: &PrepareRun,
    ) -> Result<PreparedRun, ClientError> {
        self.post(
            routes::profile_runs(&segment(alias)),
            request,
            Trust::Secret,
        )
        .await
    }

    /// `POST /api/v1/profiles/{alias}/plan`: what a run would set, write and start. Nothing is
    /// done. A new key's value is sent only to the own user's daemon on this machine.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with what is wrong with the profile or the change; else as any
    /// [`ClientError`].
    pub async fn plan_run(&self, alias: &str, request: &PlanRun) -> Result<Plan, ClientError> {
        let members = request.create.as_ref().or(request.patch.as_ref());
        let trust = members.map_or(Trust::Ordinary, trust_of);
        self.post(routes::profile_plan(&segment(alias)), request, trust)
            .await
    }

    /// `POST /api/v1/profiles/{alias}/environment`: the environment of a run, with the key, so it
    /// is asked only of the own user's daemon on this machine.
    ///
    /// # Errors
    /// As [`Client::prepare_run`].
    pub async fn environment(
        &self,
        alias: &str,
        request: AskEnvironment,
    ) -> Result<Environment, ClientError> {
        let path = routes::profile_environment(&segment(alias));
        self.post(path, &request, Trust::Secret).await
    }

    /// `POST /api/v1/runs/{id}/started`. Reporting the same again does no harm.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run_started(&self, run_id: &str, report: StartedRun) -> Result<(), ClientError> {
        let path = routes::run_started(&segment(run_id));
        let body = encode(&report);
        self.send(Method::POST, path, Some(body), Trust::Ordinary)
            .await
            .map(drop)
    }

    /// `POST /api/v1/runs/{id}/exited`. Reporting the same again does no harm.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run_exited(&self, run_id: &str, report: ExitedRun) -> Result<(), ClientError> {
        let path = routes::run_exited(&segment(run_id));
        let body = encode(&report);
        self.send(Method::POST, path, Some(body), Trust::Ordinary)
            .await
            .map(drop)
    }

    /// `GET /api/v1/runs`: runs that are not over, and the most recent that are.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn runs(&self) -> Result<Vec<Run>, ClientError> {
        self.list(routes::RUNS).await
    }

    /// `GET /api/v1/agents`: all agents that are known, installed or not.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn agents(&self) -> Result<Vec<Agent>, ClientError> {
        self.list(routes::AGENTS).await
    }

    /// `GET /api/v1/agents/{id}`.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `agent_not_found`; else as any [`ClientError`].
    pub async fn agent(&self, id: &str) -> Result<Agent, ClientError> {
        self.get(routes::agent(&segment(id))).await
    }

    /// `POST /api/v1/agents/detect`: looks for agents now, and answers when done.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn detect_agents(&self) -> Result<Vec<Agent>, ClientError> {
        let path = routes::DETECT.to_owned();
        let list: List<Agent> = self
            .exchange(Method::POST, path, None, Trust::Ordinary)
            .await?;
        Ok(list.items)
    }

    /// `GET /api/v1/providers`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn providers(&self) -> Result<Vec<Provider>, ClientError> {
        self.list(routes::PROVIDERS).await
    }

    /// `GET /api/v1/providers/{id}`.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `provider_not_found`; else as any [`ClientError`].
    pub async fn provider(&self, id: &str) -> Result<Provider, ClientError> {
        self.get(routes::provider(&segment(id))).await
    }

    /// `POST /api/v1/providers/{id}/check`. It waits for the provider, and for a command that prints
    /// a key: give it more time than the default ([`Client::with_time_limit`]). A key's value is sent
    /// only to the own user's daemon on this machine.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `provider_not_found`, or what is wrong with the request;
    /// [`ClientError::NotLocal`] for a key's value to another machine; else as any [`ClientError`].
    pub async fn check_provider(
        &self,
        id: &str,
        request: &CheckProvider,
    ) -> Result<ProviderCheck, ClientError> {
        let trust = match request.key {
            Some(KeyInput::Value(_)) => Trust::Secret,
            _ => Trust::Ordinary,
        };
        self.post(routes::provider_check(&segment(id)), request, trust)
            .await
    }

    /// `GET /api/v1/registry`: which registry is in use.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn registry(&self) -> Result<Registry, ClientError> {
        self.get(routes::REGISTRY.to_owned()).await
    }

    /// `POST /api/v1/registry/sync`: fetches what is new, and answers when it is in use. That can
    /// take minutes, so give such a client [another time limit](Client::with_time_limit).
    ///
    /// # Errors
    /// [`ClientError::Problem`] with what is wrong with the registry; else as any [`ClientError`].
    pub async fn sync_registry(
        &self,
        request: &SyncRegistry,
    ) -> Result<SyncedRegistry, ClientError> {
        self.post(routes::REGISTRY_SYNC.to_owned(), request, Trust::Ordinary)
            .await
    }

    /// `PUT /api/v1/registry/pin`: uses this commit until it is unpinned; fetches it where it is
    /// not kept.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `commit_not_found` and what else is wrong; else as any
    /// [`ClientError`].
    pub async fn pin_registry(&self, commit: &str) -> Result<SyncedRegistry, ClientError> {
        let pin = PinRegistry {
            commit: commit.to_owned(),
        };
        let path = routes::REGISTRY_PIN.to_owned();
        self.exchange(Method::PUT, path, Some(encode(&pin)), Trust::Ordinary)
            .await
    }

    /// `DELETE /api/v1/registry/pin`: uses the newest commit that is kept.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unpin_registry(&self) -> Result<SyncedRegistry, ClientError> {
        let path = routes::REGISTRY_PIN.to_owned();
        self.exchange(Method::DELETE, path, None, Trust::Ordinary)
            .await
    }

    /// `PUT /api/v1/profiles/{alias}`: makes it be what these members say and nothing else.
    ///
    /// # Errors
    /// As [`Client::update_profile`].
    pub async fn replace_profile(
        &self,
        alias: &str,
        members: &Map<String, Value>,
    ) -> Result<Profile, ClientError> {
        let path = routes::profile(&segment(alias));
        let trust = trust_of(members);
        self.exchange(Method::PUT, path, Some(encode(members)), trust)
            .await
    }

    /// `POST /api/v1/profiles` with members as an export has them, the alias among them.
    ///
    /// # Errors
    /// As [`Client::create_profile`].
    pub async fn create_profile_of(
        &self,
        members: &Map<String, Value>,
    ) -> Result<Profile, ClientError> {
        let trust = trust_of(members);
        self.post(routes::PROFILES.to_owned(), members, trust).await
    }

    /// `POST /api/v1/profiles/{alias}/clone`: another profile with the same members.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_exists`; else as any [`ClientError`].
    pub async fn clone_profile(
        &self,
        alias: &str,
        request: &CloneProfile,
    ) -> Result<Profile, ClientError> {
        let path = routes::profile_clone(&segment(alias));
        self.post(path, request, Trust::Ordinary).await
    }

    /// `PUT /api/v1/profiles/{alias}/file`: an edited text in place of the one that was edited.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with what is wrong with the text, or `profile_changed`; else as any
    /// [`ClientError`].
    pub async fn replace_profile_file(
        &self,
        alias: &str,
        request: &ReplaceFile,
    ) -> Result<Profile, ClientError> {
        let path = routes::profile_file(&segment(alias));
        self.exchange(Method::PUT, path, Some(encode(request)), Trust::Secret)
            .await
    }

    /// `POST /api/v1/export`: profiles to be carried elsewhere, with their keys if asked for.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export(&self, request: &AskExport) -> Result<Export, ClientError> {
        self.post(routes::EXPORT.to_owned(), request, Trust::Secret)
            .await
    }

    /// `GET /api/v1/templates`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn templates(&self) -> Result<Vec<Template>, ClientError> {
        self.list(routes::TEMPLATES).await
    }

    /// `GET /api/v1/keys`: the keys that Clown keeps, without their values.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn keys(&self) -> Result<Vec<StoredKey>, ClientError> {
        self.list(routes::KEYS).await
    }

    /// `PUT /api/v1/keys/{name}`: stores a key, or gives it another value. It is sent only to the
    /// own user's daemon on this machine.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `key_of_other_provider`, or `provider_missing` for a new key
    /// without one; else as any [`ClientError`].
    pub async fn set_key(&self, name: &str, request: &SetKey) -> Result<StoredKey, ClientError> {
        let path = routes::key(&segment(name));
        self.exchange(Method::PUT, path, Some(encode(request)), Trust::Secret)
            .await
    }

    /// `DELETE /api/v1/keys/{name}`; with `force` also while profiles refer to it.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `key_not_found` or `key_in_use`; else as any [`ClientError`].
    pub async fn delete_key(&self, name: &str, force: bool) -> Result<(), ClientError> {
        let mut target = Target::new(&routes::key(&segment(name)));
        if force {
            target = target.with("force", "true");
        }
        self.send(Method::DELETE, target.into_string(), None, Trust::Ordinary)
            .await
            .map(drop)
    }

    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Vec<T>, ClientError> {
        self.get::<List<T>>(path.to_owned())
            .await
            .map(|list| list.items)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, target: String) -> Result<T, ClientError> {
        self.exchange(Method::GET, target, None, Trust::Ordinary)
            .await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: String,
        body: &impl Serialize,
        trust: Trust,
    ) -> Result<T, ClientError> {
        self.exchange(Method::POST, path, Some(encode(body)), trust)
            .await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        target: String,
        body: Option<Bytes>,
        trust: Trust,
    ) -> Result<T, ClientError> {
        let path = without_query(&target);
        let answer = self.send(method, target, body, trust).await?;
        serde_json::from_slice(&answer).map_err(|source| ClientError::Decode { path, source })
    }

    /// Sends one request and gives back the body of a 2xx answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: String,
        body: Option<Bytes>,
        trust: Trust,
    ) -> Result<Bytes, ClientError> {
        let address = self.discovery.find()?;
        let path = without_query(&target);
        let asked = Asked {
            method,
            target,
            body,
        };
        let answered = self.discovery.with_token_if_needed(trust, |admission| {
            round_trip(&address, asked.clone(), admission)
        });
        tokio::time::timeout(self.limit, answered)
            .await
            .unwrap_or_else(|_| {
                Err(ClientError::Timeout {
                    address: address.to_string(),
                    path,
                    limit: self.limit,
                })
            })
    }
}

fn trust_for(patch: &Value) -> Trust {
    patch.as_object().map_or(Trust::Ordinary, trust_of)
}

/// What holds a key, or tokens of MCP servers, goes to the own user's daemon only.
fn trust_of(members: &Map<String, Value>) -> Trust {
    let key = members.get("key").and_then(|key| key.get("value"));
    if key.is_some() || members.get("mcp_servers").is_some_and(Value::is_object) {
        Trust::Secret
    } else {
        Trust::Ordinary
    }
}
