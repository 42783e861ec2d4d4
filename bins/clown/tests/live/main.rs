//! `clown watch` and `clown events` against a daemon that the tests play.
#![expect(clippy::unwrap_used, reason = "a helper of the tests fails the test")]

mod fake;
mod history;
mod token;
mod watch;
