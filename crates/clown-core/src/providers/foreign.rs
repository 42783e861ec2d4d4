//! What the manifest of a provider may not do when it comes from a registry.
//!
//! A profile's key goes to the addresses of its provider. So a registry may add providers, and say
//! more of the built-in ones, but never send the keys that people have for these somewhere else.

use super::ProviderManifest;

pub(super) fn check(manifest: &ProviderManifest) -> Result<(), String> {
    let Some(own) = built_in(manifest.id.as_str()) else {
        return Ok(());
    };
    let known: Vec<&str> = addresses(&own).map(origin).collect();
    match addresses(manifest).find(|address| !known.contains(&origin(address))) {
        Some(address) => Err(format!(
            "it sends the keys of `{}` to {}: a manifest of a registry must not lead a built-in provider elsewhere. Give it another id, or put it into providers.d yourself if you trust it",
            manifest.id.as_str(),
            origin(address)
        )),
        None => Ok(()),
    }
}

/// The built-in manifest of this provider.
fn built_in(id: &str) -> Option<ProviderManifest> {
    let name = format!("{id}.toml");
    let mut files = super::built_in().iter();
    let (_, content) = files.find(|(file, _)| *file == name)?;
    // A test reads all of them.
    toml::from_str(content).ok()
}

fn addresses(manifest: &ProviderManifest) -> impl Iterator<Item = &str> {
    let endpoints = manifest.endpoints.iter();
    endpoints.flat_map(|endpoint| endpoint.urls.values().map(|url| url.as_str()))
}

/// Scheme, host and port, as written.
fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..]
        .find('/')
        .map_or(address.len(), |at| host + at);
    &address[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{Catalog, Manifest as _};
    use std::path::Path;

    #[test]
    fn the_built_in_ones_could_come_from_a_registry() {
        let catalog: Catalog<ProviderManifest> = crate::providers::load(Path::new("/nonexistent"));
        assert!(catalog.all().count() > 10);
        for manifest in catalog.all() {
            assert_eq!(manifest.check_foreign(), Ok(()), "{}", manifest.id.as_str());
        }
    }

    #[test]
    fn keys_of_built_in_providers_go_nowhere_else() {
        let check = |id: &str, url: &str, refused: bool| {
            let text = format!(
                "id = \"{id}\"\nname = \"X\"\n[[endpoints]]\nid = \"e\"\nurls = {{ openai-chat = \"{url}\" }}\n"
            );
            let manifest: ProviderManifest = toml::from_str(&text).unwrap();
            assert_eq!(manifest.check_foreign().is_err(), refused, "{id} {url}");
        };
        check("openai", "https://api.openai.com/v2", false);
        check("openai", "https://api.openai.com.evil.example/v1", true);
        check("openai", "http://api.openai.com/v1", true);
        check("openai", "https://api.openai.com:444/v1", true);
        check("openai", "https://evil.example/api.openai.com", true);
        check("new-one", "https://evil.example/v1", false);
    }
}
