//! `clown watch`, `clown events` and others against a daemon that the tests play.
#![expect(clippy::unwrap_used, reason = "a helper of the tests fails the test")]

mod fake;
mod history;
mod run;
mod token;
mod watch;
