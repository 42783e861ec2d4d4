//! How much there may be of anything.

use crate::agents::{AgentManifest, McpTemplate};
use crate::foreign::{Refusals, refused_count, refused_length};

pub(super) fn check(manifest: &AgentManifest, refusals: &mut Refusals) {
    let members = || manifest.files.iter().flat_map(|file| &file.members);
    let servers = manifest.mcp.iter().flat_map(|mcp| [&mcp.stdio, &mcp.http]);
    let servers = servers.flatten().flat_map(McpTemplate::as_toml);
    let mut texts = texts_of(manifest);
    let mut values = 0;
    for (member, value) in members() {
        let names = member.names().iter();
        texts.extend(names.map(|name| ("files.members", name.as_str())));
        add_value("files.members", value.as_toml(), &mut values, &mut texts);
    }
    for (name, value) in servers {
        texts.push(("mcp", name));
        add_value("mcp", value, &mut values, &mut texts);
    }
    let usage = manifest.usage.iter();
    let hooks = manifest.hooks.iter();
    for (name, count, most) in [
        ("version.args", manifest.version.args.len(), 4),
        ("sources", manifest.sources.len(), 64),
        ("formats", manifest.formats.len(), 16),
        ("clears", manifest.clears.len(), 1_000),
        ("isolation", manifest.isolation.len(), 64),
        ("env", manifest.env.len(), 64),
        ("folders", manifest.folders.len(), 64),
        ("files", manifest.files.len(), 64),
        ("members", members().count(), 64),
        ("members", values, 512),
        ("events", hooks.map(|hooks| hooks.events.len()).sum(), 256),
        (
            "usage.files",
            usage.map(|usage| usage.files.iter().count()).sum(),
            64,
        ),
    ] {
        refusals.extend(refused_count(name, count, most));
    }
    refusals.extend(
        texts
            .into_iter()
            .filter_map(|(at, text)| refused_length(at, text)),
    );
}

/// All but those of members and servers, each with the name of where it stands.
fn texts_of(manifest: &AgentManifest) -> Vec<(&str, &str)> {
    let mut texts = vec![("name", manifest.name.as_str())];
    let mut add = |at, text| texts.push((at, text));
    for name in manifest.binaries.iter() {
        add("binaries", name.as_str());
    }
    for text in &manifest.version.args {
        add("version.args", text);
    }
    for text in &manifest.sources {
        add("sources", text);
    }
    for text in [&manifest.install, &manifest.default_model]
        .into_iter()
        .flatten()
    {
        add("install", text);
    }
    for (name, template) in super::variables_of(manifest) {
        add("env", name);
        add(name, template);
    }
    for folder in &manifest.folders {
        add("folders", folder.as_str());
    }
    for file in &manifest.files {
        add("path", file.path.as_str());
        if let Some(when) = &file.when {
            add("when", when.as_str());
        }
    }
    if let Some(hooks) = &manifest.hooks {
        add("hooks", hooks.file.as_str());
        add("hooks", &hooks.member);
        for event in &hooks.events {
            add("hooks", event);
        }
    }
    if let Some(mcp) = &manifest.mcp {
        add("mcp", mcp.file.as_str());
        add("mcp", &mcp.member);
    }
    if let Some(usage) = &manifest.usage {
        add("usage", usage.folder.as_str());
        for pattern in usage.files.iter() {
            add("usage", pattern);
        }
    }
    texts
}

fn add_value<'a>(
    at: &'a str,
    value: &'a toml::Value,
    count: &mut usize,
    texts: &mut Vec<(&'a str, &'a str)>,
) {
    *count += 1;
    match value {
        toml::Value::String(text) => texts.push((at, text)),
        toml::Value::Array(items) => {
            for item in items {
                add_value(at, item, count, texts);
            }
        }
        toml::Value::Table(members) => {
            for (name, value) in members {
                texts.push((at, name));
                add_value(at, value, count, texts);
            }
        }
        _ => {}
    }
}
