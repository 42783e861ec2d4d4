//! Paths of the HTTP API, so that no path is spelt twice.
//!
//! ```
//! use clown_api::routes;
//!
//! assert_eq!(routes::STATE, "/api/v1/state");
//! assert_eq!(routes::profile_runs("work"), "/api/v1/profiles/work/runs");
//! assert_eq!(routes::run_exited("r1"), "/api/v1/runs/r1/exited");
//! ```

/// Liveness; needs no credential.
pub const HEALTH: &str = "/healthz";
/// The event stream.
pub const EVENT_STREAM: &str = "/ws";
/// One consistent snapshot of everything.
pub const STATE: &str = "/api/v1/state";
/// History of events.
pub const EVENTS: &str = "/api/v1/events";
/// The daemon itself.
pub const DAEMON: &str = "/api/v1/daemon";
/// Asks the daemon to stop.
pub const SHUTDOWN: &str = "/api/v1/daemon/shutdown";
/// All profiles.
pub const PROFILES: &str = "/api/v1/profiles";
/// All agents.
pub const AGENTS: &str = "/api/v1/agents";
/// Looks for agents again.
pub const DETECT: &str = "/api/v1/agents/detect";
/// All providers.
pub const PROVIDERS: &str = "/api/v1/providers";
/// The registry in use.
pub const REGISTRY: &str = "/api/v1/registry";
/// Syncs the registry.
pub const REGISTRY_SYNC: &str = "/api/v1/registry/sync";
/// The commit that stays in use.
pub const REGISTRY_PIN: &str = "/api/v1/registry/pin";
/// Profiles to be carried elsewhere.
pub const EXPORT: &str = "/api/v1/export";
/// Templates of profiles.
pub const TEMPLATES: &str = "/api/v1/templates";
/// All keys that Clown keeps.
pub const KEYS: &str = "/api/v1/keys";
/// All runs that are known.
pub const RUNS: &str = "/api/v1/runs";

/// All proxies of profiles.
pub const PROXIES: &str = "/api/v1/proxies";

/// What was used.
pub const USAGE: &str = "/api/v1/usage";
/// What was used, for other programs.
pub const USAGE_EXPORT: &str = "/api/v1/usage/export";
/// What is used at this moment.
pub const USAGE_NOW: &str = "/api/v1/usage/now";
/// Counts what agents have used without a profile.
pub const USAGE_IMPORT: &str = "/api/v1/usage/import";
/// What models cost.
pub const USAGE_PRICES: &str = "/api/v1/usage/prices";
/// All budgets.
pub const USAGE_BUDGETS: &str = "/api/v1/usage/budgets";

/// The budget of a profile for a `day`, a `week` or a `month`.
pub fn usage_budget(profile: &str, period: &str) -> String {
    format!("{USAGE_BUDGETS}/{profile}/{period}")
}

/// One profile. An alias needs no escaping: it holds none but letters, digits, `.`, `_` and `-`.
pub fn profile(alias: &str) -> String {
    format!("{PROFILES}/{alias}")
}

/// Where a run of a profile is prepared.
pub fn profile_runs(alias: &str) -> String {
    format!("{PROFILES}/{alias}/runs")
}

/// What a run of a profile would do.
pub fn profile_plan(alias: &str) -> String {
    format!("{PROFILES}/{alias}/plan")
}

/// The environment of a run of a profile.
pub fn profile_environment(alias: &str) -> String {
    format!("{PROFILES}/{alias}/environment")
}

/// One stored key.
pub fn key(name: &str) -> String {
    format!("{KEYS}/{name}")
}

/// Where a profile is copied.
pub fn profile_clone(alias: &str) -> String {
    format!("{PROFILES}/{alias}/clone")
}

/// A profile's file.
pub fn profile_file(alias: &str) -> String {
    format!("{PROFILES}/{alias}/file")
}

/// The proxy of a profile.
pub fn proxy(alias: &str) -> String {
    format!("{PROXIES}/{alias}")
}

/// Where a profile's proxy is started.
pub fn proxy_start(alias: &str) -> String {
    format!("{PROXIES}/{alias}/start")
}

/// Where a profile's proxy is stopped.
pub fn proxy_stop(alias: &str) -> String {
    format!("{PROXIES}/{alias}/stop")
}

/// Where a profile's proxy is started anew.
pub fn proxy_restart(alias: &str) -> String {
    format!("{PROXIES}/{alias}/restart")
}

/// The requests that a profile's proxy has taken.
pub fn proxy_log(alias: &str) -> String {
    format!("{PROXIES}/{alias}/log")
}

/// Who takes a request of a profile, and why.
pub fn proxy_explain(alias: &str) -> String {
    format!("{PROXIES}/{alias}/explain")
}

/// One agent.
pub fn agent(id: &str) -> String {
    format!("{AGENTS}/{id}")
}

/// One provider.
pub fn provider(id: &str) -> String {
    format!("{PROVIDERS}/{id}")
}

/// Where a provider's addresses and a key are tried.
pub fn provider_check(id: &str) -> String {
    format!("{PROVIDERS}/{id}/check")
}

/// Where the pid of a run is reported.
pub fn run_started(id: &str) -> String {
    format!("{RUNS}/{id}/started")
}

/// Where the exit code of a run is reported.
pub fn run_exited(id: &str) -> String {
    format!("{RUNS}/{id}/exited")
}
