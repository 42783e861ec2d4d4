#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod backoff;
mod client;
mod connect;
mod discovery;
mod error;
mod history;
mod liveness;
mod mirror;
mod peer;
mod proxies;
mod query;
mod request;
mod since;
mod stream;
mod token;
mod usage;

pub use client::Client;
pub use discovery::{DaemonAddress, Discovery, DiscoveryError};
pub use error::ClientError;
pub use history::{EventQuery, HistoryPage};
pub use mirror::Mirror;
pub use since::{ParseSinceError, Since};
pub use stream::{
    DisconnectReason, EventStream, Gap, Received, StreamItem, StreamOptions, Unreadable,
};
pub use token::{Token, TokenError};
pub use usage::UsageQuery;
