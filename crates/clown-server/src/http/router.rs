use super::body::BodyLimits;
use super::daemon::{self, About, Identity};
use super::{
    Body, Query, Refusal, agents, blocking, empty_response, events, health, keys, prices, profiles,
    providers, proxies, registry, runs, templates, usage,
};
use crate::access::Access;
use crate::activity::Activity;
use crate::connection::Caller;
use crate::health::Health;
use crate::settings::Limits;
use crate::stream::Streams;
use clown_core::Core;
use clown_events::ShutdownReason;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, VARY,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Everything that a request can reach.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) core: Arc<Core>,
    pub(crate) health: Health,
    pub(crate) identity: Identity,
    /// Set when a client wishes the daemon to stop.
    pub(crate) shutdown: watch::Sender<Option<ShutdownReason>>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) access: Access,
    pub(crate) activity: Arc<Activity>,
    /// Places for requests of others than the daemon's own user.
    pub(crate) others: Arc<Semaphore>,
    pub(crate) limits: Arc<Limits>,
}

impl Api {
    /// Answers a request, whatever it is. Who may not make it is told so before anything of it is
    /// read but its head.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
    ) -> Response<Body> {
        let _hold = self.activity.hold();
        let asked = asked_method(&request);
        let admitted = match self.access.admit(&asked, request.uri(), request.headers()) {
            Ok(admitted) => admitted,
            Err(refusal) => return refusal.into_response(),
        };
        let answered = match self.authenticate(&request, caller) {
            Ok(()) => self.route(request, caller).await,
            Err(refusal) => Err(refusal),
        };
        let mut response = answered.unwrap_or_else(Refusal::into_response);
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(Ok(page)) = admitted.page.map(HeaderValue::try_from) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
        }
        response
    }

    fn authenticate(&self, request: &Request<Incoming>, caller: &Caller) -> Result<(), Refusal> {
        // A browser asks its OPTIONS without credentials, and they do nothing.
        if request.uri().path() == "/healthz" || request.method() == Method::OPTIONS {
            return Ok(());
        }
        self.access
            .authenticate(caller.peer, request.method(), request.headers())
    }

    async fn route(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        // Allocated, as the request is handed on.
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let method = match *request.method() {
            // hyper sends the headers of an answer to HEAD and not its body.
            Method::HEAD => Method::GET,
            ref other => other.clone(),
        };
        let core = &self.core;
        let limits = self.body_limits();
        let query = request.uri().query();
        if takes_no_parameters(&segments) {
            Query::parse(query, &[])?;
        }
        match (&method, segments.as_slice()) {
            (&Method::GET, ["healthz"]) => Ok(health::get(&self.health).await),
            (&Method::GET, ["ws"]) => self.streams.open(request).await,
            (&Method::GET, ["api", "v1", "state"]) => {
                let problem = self.health.problem(false).await;
                daemon::state(core, self.about(problem)).await
            }
            (&Method::GET, ["api", "v1", "events"])
                if events::prefers_stream(request.headers()) =>
            {
                events::follow(&self.streams, &request, caller).await
            }
            (&Method::GET, ["api", "v1", "events"]) => {
                let parameters = events::Parameters::parse(query)?;
                let store = Arc::clone(&core.store);
                Ok(blocking(move || events::page(&store, &parameters)).await??)
            }
            (&Method::GET, ["api", "v1", "daemon"]) => {
                let problem = self.health.problem(true).await;
                daemon::get(core, self.about(problem)).await
            }
            (&Method::POST, ["api", "v1", "daemon", "shutdown"]) => {
                daemon::shutdown(&self.shutdown, request, limits).await
            }
            (&Method::GET, ["api", "v1", "profiles"]) => profiles::list(core).await,
            (&Method::POST, ["api", "v1", "profiles"]) => {
                profiles::create(core, request, limits).await
            }
            (&Method::GET, ["api", "v1", "profiles", alias]) => profiles::get(core, alias).await,
            (&Method::PATCH, ["api", "v1", "profiles", alias]) => {
                profiles::patch(core, alias, request, limits).await
            }
            (&Method::DELETE, ["api", "v1", "profiles", alias]) => {
                profiles::delete(core, alias, query).await
            }
            (&Method::POST, ["api", "v1", "profiles", alias, "runs"]) => {
                profiles::prepare_run(core, alias, request, limits).await
            }
            (&Method::POST, ["api", "v1", "profiles", alias, "plan"]) => {
                profiles::plan(core, alias, request, limits).await
            }
            (&Method::POST, ["api", "v1", "profiles", alias, "environment"]) => {
                profiles::environment(core, alias, request, limits).await
            }
            (&Method::PUT, ["api", "v1", "profiles", alias]) => {
                profiles::replace(core, alias, request, limits).await
            }
            (&Method::POST, ["api", "v1", "profiles", alias, "clone"]) => {
                profiles::clone(core, alias, request, limits).await
            }
            (&Method::PUT, ["api", "v1", "profiles", alias, "file"]) => {
                profiles::replace_file(core, alias, request, limits).await
            }
            (&Method::POST, ["api", "v1", "export"]) => {
                profiles::export(core, request, limits).await
            }
            (&Method::GET, ["api", "v1", "templates"]) => templates::list(core).await,
            (&Method::GET, ["api", "v1", "keys"]) => keys::list(core).await,
            (&Method::PUT, ["api", "v1", "keys", name]) => {
                keys::set(core, name, request, limits).await
            }
            (&Method::DELETE, ["api", "v1", "keys", name]) => keys::delete(core, name, query).await,
            (&Method::GET, ["api", "v1", "agents"]) => agents::list(core).await,
            (&Method::POST, ["api", "v1", "agents", "detect"]) => agents::detect(core).await,
            (&Method::GET, ["api", "v1", "agents", id]) => agents::get(core, id).await,
            (&Method::GET, ["api", "v1", "providers"]) => providers::list(core).await,
            (&Method::GET, ["api", "v1", "providers", id]) => providers::get(core, id).await,
            (&Method::POST, ["api", "v1", "providers", id, "check"]) => {
                providers::check(core, id, request, limits).await
            }
            (&Method::GET, ["api", "v1", "usage"]) => usage::report(core, query).await,
            (&Method::GET, ["api", "v1", "usage", "export"]) => usage::export(core, query).await,
            (&Method::GET, ["api", "v1", "usage", "now"]) => usage::now(core, query).await,
            (&Method::GET, ["api", "v1", "usage", "prices"]) => prices::list(core, query).await,
            (&Method::GET, ["api", "v1", "usage", "import"]) => usage::importing(core).await,
            (&Method::POST, ["api", "v1", "usage", "import"]) => {
                usage::import(core, request, limits).await
            }
            (&Method::GET, ["api", "v1", "usage", "budgets"]) => usage::budgets(core, query).await,
            (&Method::PUT, ["api", "v1", "usage", "budgets", alias, period]) => {
                usage::set_budget(core, alias, period, request, limits).await
            }
            (&Method::DELETE, ["api", "v1", "usage", "budgets", alias, period]) => {
                usage::delete_budget(core, alias, period).await
            }
            (&Method::GET, ["api", "v1", "registry"]) => registry::get(core).await,
            (&Method::POST, ["api", "v1", "registry", "sync"]) => {
                registry::sync(core, request, limits).await
            }
            (&Method::PUT, ["api", "v1", "registry", "pin"]) => {
                registry::pin(core, request, limits).await
            }
            (&Method::DELETE, ["api", "v1", "registry", "pin"]) => registry::unpin(core).await,
            (&Method::GET, ["api", "v1", "proxies"]) => proxies::list(core).await,
            (&Method::GET, ["api", "v1", "proxies", alias]) => proxies::get(core, alias).await,
            (&Method::POST, ["api", "v1", "proxies", alias, "start"]) => {
                proxies::start(core, alias, request, limits).await
            }
            (&Method::POST, ["api", "v1", "proxies", alias, "restart"]) => {
                proxies::restart(core, alias, request, limits).await
            }
            (&Method::POST, ["api", "v1", "proxies", alias, "stop"]) => {
                proxies::stop(core, alias).await
            }
            (&Method::POST, ["api", "v1", "proxies", alias, "explain"]) => {
                proxies::explain(core, alias, request, limits).await
            }
            (&Method::GET, ["api", "v1", "proxies", alias, "log"]) => {
                proxies::log(core, alias, query).await
            }
            (&Method::GET, ["api", "v1", "runs"]) => runs::list(core).await,
            (&Method::POST, ["api", "v1", "runs", id, "started"]) => {
                runs::started(core, id, request, limits).await
            }
            (&Method::POST, ["api", "v1", "runs", id, "exited"]) => {
                runs::exited(core, id, request, limits).await
            }
            (_, segments) => without_route(&request, segments),
        }
    }

    fn about(&self, database_problem: Option<String>) -> About {
        About {
            identity: self.identity,
            connections: self.streams.count(),
            database_problem,
        }
    }

    pub(super) fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            bytes: self.limits.body_bytes,
            timeout: self.limits.request_timeout,
        }
    }
}

/// The methods of each path; none for a path that there is not.
fn methods(segments: &[&str]) -> &'static [Method] {
    const READ: &[Method] = &[Method::GET, Method::HEAD];
    const WRITE: &[Method] = &[Method::POST];
    match segments {
        ["ws"] => &[Method::GET],
        ["healthz"]
        | [
            "api",
            "v1",
            "state" | "events" | "daemon" | "agents" | "providers" | "registry" | "runs" | "keys"
            | "templates" | "proxies",
        ] => READ,
        ["api", "v1", "agents", "detect"] => WRITE,
        ["api", "v1", "agents" | "providers" | "proxies", _] => READ,
        ["api", "v1", "proxies", _, "log"] => READ,
        [
            "api",
            "v1",
            "proxies",
            _,
            "start" | "stop" | "restart" | "explain",
        ] => WRITE,
        ["api", "v1", "profiles", _, "file"] => &[Method::PUT],
        ["api", "v1", "export"] => WRITE,
        ["api", "v1", "keys", _] => &[Method::PUT, Method::DELETE],
        ["api", "v1", "profiles"] => &[Method::GET, Method::HEAD, Method::POST],
        ["api", "v1", "profiles", _] => &[
            Method::GET,
            Method::HEAD,
            Method::PATCH,
            Method::PUT,
            Method::DELETE,
        ],
        ["api", "v1", "usage", "import"] => &[Method::GET, Method::POST],
        ["api", "v1", "usage"]
        | [
            "api",
            "v1",
            "usage",
            "export" | "now" | "budgets" | "prices",
        ] => &[Method::GET],
        ["api", "v1", "registry", "pin"] | ["api", "v1", "usage", "budgets", _, _] => {
            &[Method::PUT, Method::DELETE]
        }
        ["api", "v1", "daemon", "shutdown"]
        | ["api", "v1", "registry", "sync"]
        | ["api", "v1", "providers", _, "check"]
        | [
            "api",
            "v1",
            "profiles",
            _,
            "runs" | "plan" | "environment" | "clone",
        ]
        | ["api", "v1", "runs", _, "started" | "exited"] => WRITE,
        _ => &[],
    }
}

/// Routes that read their parameters themselves are left out.
fn takes_no_parameters(segments: &[&str]) -> bool {
    !matches!(
        segments,
        ["ws"]
            | ["api", "v1", "events" | "usage"]
            | [
                "api",
                "v1",
                "usage",
                "export" | "now" | "budgets" | "prices"
            ]
            | ["api", "v1", "profiles" | "keys", _]
            | ["api", "v1", "proxies", _, "log"]
    )
}

/// The answer where no route takes this method: 404, 405, or what a browser asks before a request.
fn without_route(
    request: &Request<Incoming>,
    segments: &[&str],
) -> Result<Response<Body>, Refusal> {
    let methods = methods(segments);
    let path: String = request.uri().path().chars().take(200).collect();
    if methods.is_empty() {
        let detail = format!("there is nothing at {path:?}; docs/http-api.md lists what there is");
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    let list = names.join(", ");
    let allow = HeaderValue::try_from(&list).unwrap_or(HeaderValue::from_static("GET"));
    if request.method() == Method::OPTIONS {
        let mut response = empty_response(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        headers.insert(ALLOW, allow.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allow);
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Content-Type, Authorization, Last-Event-ID"),
        );
        return Ok(response);
    }
    let detail = format!("{path:?} takes {list}, not {}", request.method());
    Err(
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            .with_header(ALLOW, allow),
    )
}

/// The method that is in question: a browser's OPTIONS asks for another.
fn asked_method(request: &Request<Incoming>) -> Method {
    let asked = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD);
    match (request.method(), asked) {
        (&Method::OPTIONS, Some(asked)) => {
            Method::from_bytes(asked.as_bytes()).unwrap_or(Method::POST)
        }
        (&Method::OPTIONS, None) => Method::GET,
        (method, _) => method.clone(),
    }
}
