//! Keys for providers: where a profile's key comes from, and where Clown keeps those it is given.
//!
//! A key is held in a [`Secret`], which no log and no error can show. [`KeyStore`] keeps keys in
//! the system's keyring, or in files that only their owner can read where there is no keyring.

mod command;
mod error;
mod keyring;
mod label;
mod resolve;
mod secret;
mod source;
mod store;

pub use error::KeyError;
pub use label::KeyLabel;
pub use resolve::{Environment, KeyResolver};
pub use secret::Secret;
pub use source::{InvalidKeySource, KeySource};
pub use store::{KeyPlace, KeyStore};

#[cfg(test)]
mod tests;
