//! One proxy instance: it stands between an agent and its provider, passes requests on, and writes
//! down what each has used.
//!
//! It knows nothing of profiles, databases or the daemon. What it works by reaches it over its own
//! socket ([`control`]), and what it metered goes to a file ([`spool`]).
#![warn(missing_docs)]

pub mod config;
pub mod control;
pub mod instance;
pub mod metering;
pub mod serve;
pub mod spool;
mod upstream;
