//! What the manifest of a provider may not do when it comes from a registry.
//!
//! People have keys for built-in providers, in variables, profiles and keyrings. A registry may not
//! send those elsewhere. A provider with an id of its own gets no key unless a person gives it one.

use super::{Catalog, KeyManifest, ProviderManifest};
use crate::foreign::{
    CAPITALS, has_capitals, is_own_key_variable, is_plain, is_plain_name, refused_variable,
};
use std::path::Path;
use std::sync::LazyLock;

static BUILT_IN: LazyLock<Catalog<ProviderManifest>> =
    LazyLock::new(|| Catalog::load(&super::BUILT_IN, Path::new("")));

/// How a refusal ends.
const REMEDY: &str = "put it into providers.d yourself if you trust it";

/// Whether an address of a built-in provider names this variable in braces.
pub(crate) fn fills_address_of_built_in(variable: &str) -> bool {
    let named = |provider: &ProviderManifest| {
        urls_of(provider).any(|url| url.placeholders().any(|name| name == variable))
    };
    BUILT_IN.all().any(|provider| named(provider))
}

pub(super) fn check(manifest: &ProviderManifest) -> Result<(), String> {
    let known = BUILT_IN.get(manifest.id.as_str()).map(AsRef::as_ref);
    let id = manifest.id.as_str();
    if has_capitals(id) {
        return Err(format!(
            "`{id}` must not be an id in a manifest of a registry: {CAPITALS}; {REMEDY}"
        ));
    }
    check_texts(manifest)?;
    let plain = |name: &str| {
        name.to_lowercase()
            .replace(|sign: char| !sign.is_alphanumeric(), "")
    };
    let namesake = BUILT_IN
        .all()
        .find(|other| other.id != manifest.id && plain(&other.name) == plain(&manifest.name));
    if let Some(other) = namesake {
        return Err(format!(
            "`{}` must not be the name of another provider than {} in a manifest of a registry: people would take it for that one; {REMEDY}",
            manifest.name,
            other.id.as_str()
        ));
    }
    check_addresses(manifest, known)?;
    match &manifest.key {
        Some(key) => check_key(manifest.id.as_str(), key, known),
        None => Ok(()),
    }
}

/// They stand in agents' files.
fn check_texts(manifest: &ProviderManifest) -> Result<(), String> {
    let refused = |text: &str| {
        Err(format!(
            "`{text}` must not be a name in a manifest of a registry: some agents take its signs for more than text; {REMEDY}"
        ))
    };
    if !is_plain_name(&manifest.name) {
        return refused(&manifest.name);
    }
    let models = manifest.models.iter().map(|model| model.id.as_str());
    let mut models = models.chain(manifest.default_model.as_deref());
    match models.find(|model| !is_plain(model)) {
        Some(model) => refused(model),
        None => Ok(()),
    }
}

fn check_addresses(
    manifest: &ProviderManifest,
    known: Option<&ProviderManifest>,
) -> Result<(), String> {
    for url in urls_of(manifest).map(super::EndpointUrl::as_str) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/%{}[]".contains(&byte);
        if !url.bytes().all(fits) {
            return Err(format!(
                "`{url}` must not be an address in a manifest of a registry: some agents take its signs for more than text; {REMEDY}"
            ));
        }
        if let Some(known) = known
            && !urls_of(known).any(|own| is_same_or_below(url, own.as_str()))
        {
            let mut hosts: Vec<&str> = urls_of(known).map(|url| parts(url.as_str()).1).collect();
            hosts.sort_unstable();
            hosts.dedup();
            let hosts = match hosts.as_slice() {
                [] => "it has no address".to_owned(),
                hosts => format!("its keys go to {} and what is below", hosts.join(", ")),
            };
            return Err(format!(
                "`{url}` must not be an address of {} by a manifest of a registry: {hosts}; give the provider another id, or {REMEDY}",
                known.name
            ));
        }
    }
    Ok(())
}

/// The same host and port, or a host below it; and not in the clear where it was not.
fn is_same_or_below(url: &str, own: &str) -> bool {
    let ((scheme, host), (own_scheme, own_host)) = (parts(url), parts(own));
    let (host, own_host) = (host.to_lowercase(), own_host.to_lowercase());
    let is_below = || {
        host.strip_suffix(&own_host)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    (scheme == "https" || scheme == own_scheme) && (host == own_host || is_below())
}

/// Scheme, and host with port.
fn parts(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    (scheme, rest.split('/').next().unwrap_or_default())
}

/// Keys are sent to where the manifest says: so only what is named after it may hold one.
fn check_key(id: &str, key: &KeyManifest, known: Option<&ProviderManifest>) -> Result<(), String> {
    for name in key.variables() {
        let has = |provider: &ProviderManifest| provider.key_variables().any(|own| own == name);
        if known.is_some_and(has) {
            continue;
        }
        let reason = match BUILT_IN.all().find(|other| has(other)) {
            Some(other) => format!("it holds a key of {}", other.name),
            None if !is_own_key_variable(name, id) => format!(
                "it can hold another secret; it is one like {}_API_KEY",
                id.to_ascii_uppercase().replace(['-', '.'], "_")
            ),
            None => match refused_variable(name, id) {
                Some(reason) => reason.to_owned(),
                None => continue,
            },
        };
        return Err(format!(
            "`{name}` must not be the variable of a key by a manifest of a registry: {reason}; name another, or {REMEDY}"
        ));
    }
    Ok(())
}

fn urls_of(manifest: &ProviderManifest) -> impl Iterator<Item = &super::EndpointUrl> {
    manifest
        .endpoints
        .iter()
        .flat_map(|endpoint| endpoint.urls.values())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Manifest as _;

    #[test]
    fn the_built_in_ones_could_come_from_a_registry() {
        for manifest in BUILT_IN.all() {
            assert_eq!(manifest.check_foreign(), Ok(()), "{}", manifest.id.as_str());
        }
    }

    #[track_caller]
    fn check_text(text: &str, part: Option<&str>) {
        let manifest: ProviderManifest = toml::from_str(text).unwrap();
        match (part, manifest.check_foreign()) {
            (None, checked) => assert_eq!(checked, Ok(()), "{text}"),
            (Some(part), Err(refused)) => {
                assert!(refused.contains(part), "{part}: {refused}");
                assert!(
                    refused.contains("registry") && refused.contains("yourself"),
                    "{refused}"
                );
            }
            (Some(_), Ok(())) => panic!("{text} was taken"),
        }
    }

    #[test]
    fn what_is_built_in_keeps_its_hosts() {
        let check = |id: &str, url: &str, part: Option<&str>| {
            let text = format!(
                "id = \"{id}\"\nname = \"X\"\n[[endpoints]]\nid = \"e\"\nurls = {{ openai-chat = \"{url}\" }}\n"
            );
            check_text(&text, part);
        };
        for good in [
            "https://api.anthropic.com",
            "https://API.anthropic.com/v2",
            "https://eu.api.anthropic.com",
        ] {
            check("anthropic", good, None);
        }
        for evil in [
            "https://evil.example",
            "http://api.anthropic.com",
            "https://api.anthropic.com.evil.example",
            "https://evilapi.anthropic.com",
            "https://api.anthropic.com:8443",
            "https://api.anthropic.com.",
            "https://{ANTHROPIC}",
            "https://{X}anthropic.com",
            "http://127.0.0.1:1",
        ] {
            check("anthropic", evil, Some("api.anthropic.com"));
            check("moon", evil, None);
        }
        check(
            "Moon",
            "https://evil.example",
            Some("`Moon` must not be an id"),
        );
        check("self", "https://evil.example", Some("no address"));
        check("ollama", "http://127.0.0.1:11434/v2", None);
        check("ollama", "http://127.0.0.1:1/v2", Some("127.0.0.1:11434"));
        check(
            "azure-openai",
            "https://{AZURE_RESOURCE_NAME}.openai.azure.com/v2",
            None,
        );
        check(
            "azure-openai",
            "https://evil.openai.azure.com/v2",
            Some("openai.azure.com"),
        );
        check("moon", "https://moon.example/$(reboot)", Some("signs"));
        check("moon", "https://moon.example/`reboot`", Some("signs"));
    }

    #[test]
    fn variables_of_keys_and_names_are_its_own() {
        let check = |id: &str, key: &str, part: Option<&str>| {
            check_text(
                &format!("id = \"{id}\"\nname = \"X\"\n[key]\n{key}\n"),
                part,
            );
        };
        check(
            "moon",
            "variable = \"MOON_API_KEY\"\nalso = [\"MOON_TOKEN\"]",
            None,
        );
        check("anthropic", "variable = \"ANTHROPIC_API_KEY\"", None);
        for (key, part) in [
            ("variable = \"ANTHROPIC_API_KEY\"", "Anthropic"),
            (
                "variable = \"MOON_KEY\"\nalso = [\"OPENAI_API_KEY\"]",
                "OpenAI",
            ),
            ("variable = \"AWS_SECRET_ACCESS_KEY\"", "MOON_API_KEY"),
            ("variable = \"STRIPE_API_KEY\"", "another secret"),
            ("variable = \"MOON\"", "another secret"),
            ("variable = \"PATH\"", "`PATH`"),
        ] {
            check("moon", key, Some(part));
        }
        check("deepseek", "variable = \"OPENAI_API_KEY\"", Some("OpenAI"));
        check_text(
            "id = \"moon\"\nname = \"Moon (EU)\"\ndefault_model = \"a/b:c-1\"\n",
            None,
        );
        check_text("id = \"moon\"\nname = \"$(reboot)\"\n", Some("signs"));
        check_text(
            "id = \"anthropic-api\"\nname = \"ANTHROPIC \"\n",
            Some("people would take it"),
        );
        check_text(
            "id = \"moon\"\nname = \"M\"\ndefault_model = \"`x`\"\n",
            Some("signs"),
        );
        check_text(
            "id = \"moon\"\nname = \"M\"\nmodels = [\"${X}\"]\n",
            Some("signs"),
        );
    }
}
