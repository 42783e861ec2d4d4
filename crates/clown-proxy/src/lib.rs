//! The data plane of one proxy instance.
//!
//! This crate knows neither the domain nor the daemon's server. What is here so far does no I/O and
//! has no async code: bytes come in as values and go out as values.

pub mod failure;
pub mod format;
mod json;
pub mod meter;
pub mod sse;
pub mod translate;
pub mod usage;
