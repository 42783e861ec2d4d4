//! The transport of Clown: HTTP and WebSocket, on loopback.
//!
//! It decodes a request, makes one call into `clown-core`, and encodes the answer. It decides
//! nothing of the domain, reads no environment and no configuration.

mod access;
mod activity;
mod connection;
mod health;
mod http;
mod patient;
mod peer;
mod server;
mod settings;
mod since;
mod stream;

pub use access::{AccessError, InvalidToken, Token};
pub use server::{BindError, Observer, Server};
pub use settings::{Limits, ServerSettings};

/// The version that the daemon tells.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
