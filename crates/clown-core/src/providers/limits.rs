//! How much the manifest of a provider may have when it comes from a registry.

use super::ProviderManifest;
use crate::foreign::{Refusals, refused_count, refused_length};

/// How a refusal ends.
const REMEDY: &str = "put it into providers.d yourself if you trust it";

pub(super) fn check(manifest: &ProviderManifest) -> Result<(), String> {
    let checks = manifest.endpoints.iter().map(|it| it.check.as_ref());
    let checks = checks.chain([manifest.check.as_ref()]).flatten();
    let key = manifest.key.iter();
    let mut refusals = Refusals::default();
    for (name, count, most) in [
        ("models", manifest.models.len(), 2_000),
        ("endpoints", manifest.endpoints.len(), 64),
        ("placeholders", manifest.placeholders.len(), 32),
        ("sources", manifest.sources.len(), 64),
        ("key.also", key.clone().map(|key| key.also.len()).sum(), 32),
    ] {
        refusals.extend(refused_count(name, count, most));
    }
    let mut texts = vec![("name", manifest.name.as_str())];
    texts.extend(
        manifest
            .default_model
            .iter()
            .map(|it| ("default_model", it.as_str())),
    );
    texts.extend(manifest.models.iter().map(|it| ("models", it.id.as_str())));
    texts.extend(manifest.sources.iter().map(|it| ("sources", it.as_str())));
    texts.extend(key.flat_map(|key| key.variables().map(|it| ("key", it))));
    for endpoint in &manifest.endpoints {
        texts.extend(endpoint.name.iter().map(|it| ("endpoints", it.as_str())));
        texts.extend(endpoint.urls.values().map(|it| ("urls", it.as_str())));
    }
    for (name, placeholder) in &manifest.placeholders {
        let parts = [name, &placeholder.about, &placeholder.example];
        texts.extend(parts.map(|it| ("placeholders", it.as_str())));
    }
    for check in checks {
        let parts = check.paths.values().chain(&check.refused);
        texts.extend(parts.map(|it| ("check", it.as_str())));
    }
    refusals.extend(
        texts
            .into_iter()
            .filter_map(|(at, text)| refused_length(at, text)),
    );
    refusals.told(REMEDY)
}
