//! Who serves the models: manifests of providers, ours and people's own.

mod catalog;
mod manifest;

pub use catalog::{Catalog, Manifest, Problem};
pub(crate) use catalog::{parse_foreign, parse_table, position};
pub use manifest::{
    Endpoint, EndpointUrl, Format, Identifier, KeyAuth, KeyManifest, ProviderManifest,
};

use crate::registry::{Kind, Layer};
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

/// The same, with those of a registry between the two.
pub fn load_over(layer: &Layer, folder: &Path) -> Catalog<ProviderManifest> {
    Catalog::load_over(&BUILT_IN, layer, Kind::Provider, folder)
}

pub(crate) fn built_in() -> &'static [(&'static str, &'static str)] {
    &BUILT_IN
}

#[cfg(test)]
mod tests;
