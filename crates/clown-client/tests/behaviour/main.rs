//! The client against a daemon that the tests play.
#![expect(
    clippy::unwrap_used,
    reason = "the daemon that the tests play fails the test"
)]

mod fake;
mod http;
mod stream;
#[cfg(unix)]
mod token;
