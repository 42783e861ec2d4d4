//! How much a provider's manifest may have, and how long it takes to check.

use super::{Manifest as _, ProviderManifest};

#[test]
fn there_is_an_end_to_what_a_registry_may_have() {
    let check = |more: &str, part: Option<&str>| {
        let text = format!("id = \"moon\"\nname = \"Moon\"\n{more}\n");
        let manifest: ProviderManifest = toml::from_str(&text).unwrap();
        match (part, manifest.check_foreign()) {
            (None, checked) => assert_eq!(checked, Ok(())),
            (Some(part), Err(refused)) => assert!(
                refused.contains(part) && refused.contains("yourself"),
                "{part}: {refused}"
            ),
            (Some(part), Ok(())) => panic!("{part}: was taken"),
        }
    };
    let models = |number: usize| format!("models = [{}]", vec!["\"m\""; number].join(", "));
    check(&models(2000), None);
    check(&models(2001), Some("at most 2000"));
    let endpoints = |number: usize| {
        let one = |number| {
            format!(
                "[[endpoints]]\nid = \"e{number}\"\nurls = {{ gemini = \"https://m.example\" }}\n"
            )
        };
        (0..number).map(one).collect::<String>()
    };
    check(&endpoints(64), None);
    check(&endpoints(65), Some("at most 64"));
    let placeholders = |number: usize| {
        let one = |number| format!("A{number} = {{ about = \"a\", example = \"b\" }}\n");
        format!(
            "[placeholders]\n{}",
            (0..number).map(one).collect::<String>()
        )
    };
    check(&placeholders(33), Some("at most 32"));
    check(
        &format!("default_model = \"{}\"", "m".repeat(4097)),
        Some("4096"),
    );
}

/// Whoever has many of them waits as long for each.
#[test]
fn many_placeholders_and_endpoints_are_checked_in_one_pass() {
    let started = std::time::Instant::now();
    let number = 20_000;
    let url: String = (0..number).map(|at| format!("{{A{at}}}")).collect();
    let placeholders: String = (0..number)
        .map(|at| format!("A{at} = {{ about = \"a\", example = \"b\" }}\n"))
        .collect();
    let text = format!(
        "id = \"moon\"\nname = \"Moon\"\n[placeholders]\n{placeholders}[[endpoints]]\nid = \"e\"\nurls = {{ gemini = \"https://m.example/{url}\" }}\n"
    );
    let manifest: ProviderManifest = toml::from_str(&text).unwrap();
    assert_eq!(manifest.check(), Ok(()));
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
}
