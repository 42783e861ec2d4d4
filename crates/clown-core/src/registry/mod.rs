//! The registry: manifests that come from elsewhere, between the built-in ones and people's own.
//!
//! A registry is a tree of files that any web server or folder can hold. Its index names artifacts
//! by their hash, and can be signed. Nothing of it counts before signature, format, sizes and
//! hashes are checked and everything is on the disk; then it is switched to at once, in the
//! transaction of the event that tells so.

mod address;
mod build;
mod built_in;
mod ending;
mod error;
mod fetching;
mod index;
mod kept;
mod layer;
mod newest;
mod pin;
mod rows;
mod schedule;
mod service;
mod signature;
mod source;
mod status;
mod storage;
mod switch;
mod turn;

pub use address::{Address, InvalidAddress};
pub use build::{BuildError, BuildRequest, Built, Signer, build};
pub use error::RegistryError;
pub use index::{
    Artifact, Channel, Commit, FORMAT, Hash, Index, IndexError, InvalidChannel, Kind, Version,
};
pub(crate) use layer::is_json;
pub use layer::{Active, Layer, LayerFile};
pub use rows::KeptIndex;
pub use service::{Registry, RegistrySettings, SyncRequest, Synced};
pub use signature::{InvalidKey, SignatureError, VerifyingKey};
pub use status::{RegistryStatus, SignatureStatus};

#[cfg(test)]
mod tests;
