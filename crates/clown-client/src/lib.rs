#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod backoff;
mod client;
mod connect;
mod discovery;
mod error;
mod peer;
mod query;
mod since;
mod stream;

pub use client::{Client, EventQuery};
pub use discovery::{DaemonAddress, Discovery, DiscoveryError};
pub use error::ClientError;
pub use since::{ParseSinceError, Since};
pub use stream::{DisconnectReason, EventStream, Received, StreamItem, StreamOptions};
