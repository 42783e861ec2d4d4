//! Who serves the models: manifests of providers, ours and people's own.

mod catalog;
mod check;
mod foreign;
mod limits;
mod manifest;
mod model;
mod url;

pub use catalog::{Broken, Catalog, Manifest, Problem};
pub(crate) use catalog::{parse_foreign, parse_table};
pub use check::{AddressVerdict, Checked, KeyVerdict, check};
pub(crate) use foreign::fills_address_of_built_in;
pub use manifest::{
    CheckManifest, Endpoint, Format, Identifier, KeyAuth, KeyManifest, Placeholder,
    ProviderManifest,
};
pub use model::Model;
pub use url::{EndpointUrl, Unfilled};

use crate::registry::{Kind, Layer};
use std::path::Path;

/// A built-in manifest, as file name and content.
macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$((
            concat!($name, ".toml"),
            include_str!(concat!("../../manifests/providers/", $name, ".toml")),
        )),*]
    };
}

/// The built-in manifests.
const BUILT_IN: [(&str, &str); 20] = built_in![
    "anthropic",
    "azure-openai",
    "bedrock",
    "deepseek",
    "fireworks",
    "gemini",
    "groq",
    "litellm",
    "lmstudio",
    "minimax",
    "mistral",
    "moonshot",
    "ollama",
    "openai",
    "openrouter",
    "self",
    "together",
    "vertex",
    "vllm",
    "zai",
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
mod check_tests;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod tests;
