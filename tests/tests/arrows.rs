//! The arrows between the rooms run one way, and some rooms stay small.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a crate depends on in a normal build.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .join(folder)
        .join("Cargo.toml");
    let text = fs::read_to_string(&path).expect("the crate is there");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let mut names = BTreeSet::new();
    let mut collect = |table: &toml::Table| {
        for section in ["dependencies", "build-dependencies"] {
            if let Some(section) = table.get(section).and_then(toml::Value::as_table) {
                names.extend(section.keys().cloned());
            }
        }
    };
    collect(&manifest);
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        targets
            .values()
            .filter_map(toml::Value::as_table)
            .for_each(collect);
    }
    names
}

fn own(folder: &str) -> Vec<String> {
    dependencies(folder)
        .into_iter()
        .filter(|name| name.starts_with("clown"))
        .collect()
}

#[test]
fn each_room_knows_only_the_rooms_it_may() {
    let check = |folder: &str, may_know: &[&str]| {
        assert_eq!(own(folder), may_know, "{folder}");
    };
    check("crates/clown-events", &[]);
    check("crates/clown-api", &["clown-events"]);
    check("crates/clown-client", &["clown-api", "clown-events"]);
    // What may be a secret, and the language of rules: both know nothing but texts.
    check("crates/clown-mask", &[]);
    check("crates/clown-routes", &[]);
    check(
        "crates/clown-core",
        &["clown-events", "clown-mask", "clown-routes"],
    );
    check(
        "crates/clown-server",
        &["clown-api", "clown-core", "clown-events", "clown-mask"],
    );
    check("crates/clown-connect", &[]);
    check("crates/clown-fetch", &["clown-connect", "clown-core"]);
    check(
        "crates/clown-proxy",
        &["clown-connect", "clown-events", "clown-routes"],
    );
    check(
        "bins/clownd",
        &[
            "clown-core",
            "clown-events",
            "clown-fetch",
            "clown-proxy",
            "clown-server",
        ],
    );
    check(
        "bins/clown",
        &["clown-api", "clown-client", "clown-events", "clown-mask"],
    );
    check("examples", &["clown-api", "clown-client", "clown-events"]);
}

#[test]
fn the_contract_needs_next_to_nothing() {
    let names: Vec<String> = dependencies("crates/clown-events").into_iter().collect();
    assert_eq!(names, ["serde", "serde_json", "time"]);
}

#[test]
fn the_domain_knows_no_transport_and_nobody_uses_what_was_ruled_out() {
    let core = dependencies("crates/clown-core");
    for name in [
        "hyper",
        "hyper-util",
        "hyper-rustls",
        "rustls",
        "http",
        "tokio-tungstenite",
        "clap",
        "anyhow",
    ] {
        assert!(!core.contains(name), "clown-core uses {name}");
    }
    for folder in [
        "crates/clown-server",
        "bins/clown",
        "bins/clownd",
        "crates/clown-client",
    ] {
        let names = dependencies(folder);
        for name in ["axum", "chrono", "rusqlite"] {
            assert!(!names.contains(name), "{folder} uses {name}");
        }
    }
}
