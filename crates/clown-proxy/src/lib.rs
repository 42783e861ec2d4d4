//! One proxy instance: it stands between an agent and its provider, passes requests on, and writes
//! down what each has used.
//!
//! It knows nothing of profiles, databases or the daemon. What it works by reaches it over its own
//! socket ([`control`]), and what it metered goes to a file ([`spool`]). What stands between the
//! formats ([`translate`], [`meter`]) does no I/O: bytes come in as values and go out as values.
#![warn(missing_docs)]

mod breaker;
pub mod config;
pub mod control;
pub mod failure;
pub mod format;
pub mod instance;
mod json;
pub mod meter;
pub mod metering;
mod pool;
pub mod serve;
pub mod spool;
pub mod sse;
pub mod translate;
mod upstream;
pub mod usage;
