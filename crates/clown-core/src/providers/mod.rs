//! Who serves the models: manifests of providers, ours and people's own.

mod catalog;
mod manifest;

pub use catalog::{Catalog, Manifest, Problem};
pub use manifest::{
    Endpoint, EndpointUrl, Format, Identifier, KeyAuth, KeyManifest, ProviderManifest,
};

use std::path::Path;

/// The built-in manifests, as file name and content.
const BUILT_IN: [(&str, &str); 5] = [
    (
        "anthropic.toml",
        include_str!("../../manifests/providers/anthropic.toml"),
    ),
    (
        "gemini.toml",
        include_str!("../../manifests/providers/gemini.toml"),
    ),
    (
        "openai.toml",
        include_str!("../../manifests/providers/openai.toml"),
    ),
    (
        "openrouter.toml",
        include_str!("../../manifests/providers/openrouter.toml"),
    ),
    (
        "self.toml",
        include_str!("../../manifests/providers/self.toml"),
    ),
];

/// The built-in providers and those of `folder` (`providers.d`), which win by id. A folder that is
/// not there holds none.
pub fn load(folder: &Path) -> Catalog<ProviderManifest> {
    Catalog::load(&BUILT_IN, folder)
}

#[cfg(test)]
mod tests;
