use crate::{Agent, Daemon, Profile, Provider, Proxy, Registry, Run, UsageTotals};
use serde::{Deserialize, Serialize};

/// One consistent snapshot: `GET /api/v1/state`. `/ws?since=<seq>` goes on exactly from it.
///
/// ```
/// # fn show(state: &clown_api::State) {
/// println!("{} profiles at {}", state.profiles.len(), state.seq);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The number of the last event that the snapshot reflects.
    pub seq: u64,
    /// The daemon.
    pub daemon: Daemon,
    /// Profiles, by alias.
    pub profiles: Vec<Profile>,
    /// Agents, by id.
    pub agents: Vec<Agent>,
    /// Providers, by id.
    pub providers: Vec<Provider>,
    /// The registry in use; null from daemons that are older than it.
    pub registry: Option<Registry>,
    /// Runs that are not over, and the most recent that are.
    pub runs: Vec<Run>,
    /// Proxy instances.
    pub proxies: Vec<Proxy>,
    /// What profiles have used; null from a daemon that counts none.
    pub usage: Option<UsageTotals>,
}
