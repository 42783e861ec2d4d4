//! The HTTP contract of Clown's daemon: resources, requests, problem details and route names.
//!
//! Pure types, no I/O. The daemon serialises these, `clown` and other programs read them. All
//! JSON members are `snake_case`, times are RFC 3339 in UTC.
//!
//! ```
//! use clown_api::{CreateProfile, routes};
//!
//! let mut request = CreateProfile::new("work", "claude");
//! request.provider_id = Some("anthropic".to_owned());
//! let body = serde_json::to_string(&request)?;
//! assert_eq!(body, r#"{"alias":"work","agent_id":"claude","provider_id":"anthropic"}"#);
//! assert_eq!(routes::profile("work"), "/api/v1/profiles/work");
//! # Ok::<(), serde_json::Error>(())
//! ```
#![warn(missing_docs)]

mod agent;
mod daemon;
mod export;
mod history;
mod key;
mod plan;
mod price;
mod problem;
mod profile;
mod provider;
mod provider_check;
mod proxy;
mod registry;
pub mod routes;
mod run;
mod state;
mod template;
mod usage;

pub use agent::{Agent, AgentHooks, CatalogueProblem};
pub use daemon::{Counts, Daemon, DaemonFile, Shutdown};
pub use export::{AskExport, CloneProfile, Export, ExportedKey, ReplaceFile};
pub use history::EventPage;
pub use key::{SetKey, StoredKey};
pub use plan::{AskEnvironment, Environment, Plan, PlanRun, PlannedChange, PlannedFile};
pub use price::{ModelPrice, Price, PriceCharge, PriceSource, PriceStep, TokenPrices};
pub use problem::{PROBLEM_CONTENT_TYPE, Problem};
pub use profile::{CreateProfile, KeyInput, KeyStatus, McpServer, Profile, ProfileFault};
pub use provider::{Endpoint, Model, Placeholder, Provider};
pub use provider_check::{AddressState, CheckProvider, FormatCheck, KeyState, ProviderCheck};
pub use proxy::{
    ExplainRoute, Proxy, ProxyRequest, ProxyState, ProxyTarget, ProxyTokens, RouteExplained,
    RouteVerdict, StartProxy,
};
pub use registry::{
    KeptCommit, PinRegistry, Registry, RegistryArtifacts, RegistryFailure, RegistrySignature,
    ReplacedArtifact, SyncRegistry, SyncedRegistry,
};
pub use run::{ExitedRun, PrepareRun, PreparedRun, Run, RunState, StartedRun};
pub use state::State;
pub use template::Template;
pub use usage::{
    ImportUsage, ImportedUsage, ModelUsage, ProfileUsage, SetBudget, UsageAmount, UsageBlock,
    UsageBudget, UsageImporting, UsageNow, UsageReport, UsageRow, UsageSession, UsageTotals,
};

use serde::{Deserialize, Serialize};

/// A list answer: `{"items":[…]}`.
///
/// ```
/// let list: clown_api::List<u8> = serde_json::from_str(r#"{"items":[1,2]}"#)?;
/// assert_eq!(list.items, [1, 2]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// The members of the list, in the order that the route documents.
    pub items: Vec<T>,
}

impl<T> List<T> {
    /// Wraps `items`.
    pub fn new(items: Vec<T>) -> Self {
        Self { items }
    }
}
