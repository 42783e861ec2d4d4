//! The registry's prices count from its sync on, and after a start.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_core::fetch::Offline;
use clown_core::journal::Retention;
use clown_core::registry::{
    Address, BuildRequest, Channel, RegistrySettings, SyncRequest, Version, build,
};
use clown_core::store::StoreSettings;
use clown_core::usage::{PriceOrigin, Rates, dollars};
use clown_core::{Core, CoreSettings};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn open(root: &Path) -> Core {
    let own = Rates {
        input: dollars(7.0),
        output: dollars(8.0),
        ..Rates::default()
    };
    let core = Core::open(CoreSettings {
        config_dir: root.join("config"),
        state_dir: root.join("state"),
        environment: Vec::new(),
        keyring: false,
        store: StoreSettings::default(),
        retention: Retention::default(),
        fetch: Arc::new(Offline),
        launcher: Arc::new(clown_core::proxies::NoLauncher),
        first_proxy_port: 0,
        registry: RegistrySettings {
            address: Some(Address::parse(&root.join("public").display().to_string()).unwrap()),
            ..RegistrySettings::default()
        },
        usage_sources: Vec::new(),
        usage_timezone: None,
        prices: BTreeMap::from([("own-1".to_owned(), own)]),
    });
    core.unwrap()
}

/// Builds a registry with these prices of input; its commit.
fn publish(root: &Path, prices: &[(&str, &str)]) -> String {
    let source = root.join("source");
    let _ = fs::remove_dir_all(&source);
    fs::create_dir_all(source.join("prices")).unwrap();
    let entries: Vec<String> = prices
        .iter()
        .map(|(model, input)| {
            format!(
                "\"{model}\": {{\"input_cost_per_token\": {input}, \"output_cost_per_token\": 0}}"
            )
        })
        .collect();
    let table = format!("{{{}}}", entries.join(","));
    fs::write(source.join("prices/2026.json"), table).unwrap();
    let built = build(&BuildRequest {
        folder: &source,
        out: &root.join("public"),
        channel: Channel::stable(),
        minimum_version: Version::own(),
        signer: None,
    });
    built.unwrap().index.commit.as_str().to_owned()
}

fn check(core: &Core, model: &str, expected: Option<(f64, &str)>) {
    let found = core.usage.price_of(model).map(|price| {
        let input = price.schedule.usual.standard.input.unwrap();
        let origin = match price.origin {
            PriceOrigin::Own => "own".to_owned(),
            PriceOrigin::Registry { artifact } => artifact,
            PriceOrigin::BuiltIn { version } => version,
        };
        (input.nanos() as f64 / 1e9, origin)
    });
    let found = found
        .as_ref()
        .map(|(input, origin)| (*input, origin.as_str()));
    assert_eq!(found, expected, "{model}");
}

#[test]
fn a_sync_brings_prices_and_they_stay() {
    let root = tempfile::tempdir().unwrap();
    let first = publish(root.path(), &[("moon-1", "1e-6"), ("own-1", "1e-6")]);
    let core = open(root.path());
    check(&core, "moon-1", None);
    check(&core, "gpt-5.4", Some((2.5, "1.110.2")));
    core.sync_registry(&SyncRequest::default()).unwrap();
    check(&core, "moon-1", Some((1.0, "2026")));
    check(&core, "own-1", Some((7.0, "own")));
    check(&core, "gpt-5.4", Some((2.5, "1.110.2")));

    publish(root.path(), &[("moon-1", "2e-6"), ("gpt-5.4", "3e-6")]);
    core.sync_registry(&SyncRequest::default()).unwrap();
    check(&core, "moon-1", Some((2.0, "2026")));
    check(&core, "openai/gpt-5.4", Some((3.0, "2026")));
    // What is said of one edition goes before what is said of the model, whoever says it.
    check(&core, "gpt-5.4-2026-03-05", Some((2.5, "1.110.2")));
    core.pin_registry(&first).unwrap();
    check(&core, "moon-1", Some((1.0, "2026")));
    check(&core, "gpt-5.4", Some((2.5, "1.110.2")));
    core.unpin_registry().unwrap();
    check(&core, "moon-1", Some((2.0, "2026")));

    drop(core);
    check(&open(root.path()), "moon-1", Some((2.0, "2026")));
}
