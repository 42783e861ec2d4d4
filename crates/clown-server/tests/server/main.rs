//! A whole server in this process, and what clients see of it over real sockets.

#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]

mod access;
mod client;
mod framing;
mod health;
mod http;
mod model;
mod resources;
mod server_sent;
mod stream;
mod support;
