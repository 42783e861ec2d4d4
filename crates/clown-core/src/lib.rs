//! The domain of Clown: what is true, how it changes, and which events follow.
//!
//! This crate knows no HTTP, reads no environment and no home folder, and prints nothing:
//! configuration comes in as values. Its services block; call them from threads that may.

pub mod agents;
mod alias;
pub mod bus;
mod composition;
pub mod fetch;
pub mod files;
mod foreign;
pub mod journal;
pub mod keys;
pub mod launch;
pub mod manifests;
mod place;
mod preparation;
pub mod process;
pub mod profiles;
mod provider_check;
pub mod providers;
pub mod proxies;
mod proxying;
pub mod registry;
mod rules;
pub mod runs;
mod seq;
pub mod store;
pub mod templates;
mod trial;
pub mod usage;

pub use alias::{Alias, InvalidAlias};
pub use clown_routes::Explained;
pub use composition::{Core, CoreError, CoreSettings, STATE_MARKS, Snapshot};
pub use preparation::{PrepareError, RunRequest};
pub use provider_check::{CheckError, CheckKey, CheckRequest, ProviderCheck};
pub use proxying::ExplainError;
pub use rules::Catalogue;
pub use seq::Seq;
pub use trial::{PlannedChange, PlannedFile, RunPlan, shown_member};
