//! What a manifest for a built-in agent has to have as that one has it: all by which a key and the
//! address that it belongs to come to the agent together. One without the other goes to the vendor.

use super::files::text_of;
use super::{refusal, variables_of};
use crate::agents::{AgentManifest, ConfigFile, MemberPath, MemberValue, Template};
use crate::foreign::{Refusals, is_address};
use std::path::Path;

const REASON: &str = "a key of the profile could be sent elsewhere without it";

pub(super) fn check(manifest: &AgentManifest, known: &AgentManifest, refusals: &mut Refusals) {
    let isolation: Vec<&str> = known.isolation.keys().map(|name| name.as_str()).collect();
    for (name, template) in variables_of(known) {
        // Without the former, its configuration is not found.
        if !isolation.contains(&name) && !is_address(name) && !leads(template) {
            continue;
        }
        let mut now = variables_of(manifest)
            .filter(|(other, _)| *other == name)
            .peekable();
        if now.peek().is_none() || now.any(|(_, other)| other != template) {
            refusals.add(refusal(name, "be left out or changed", REASON));
        }
    }
    for file in &known.files {
        let is_there = |member: &MemberPath, value: &MemberValue| {
            let mut same = manifest.files.iter().filter(|other| is_same(other, file));
            same.any(|other| other.members.get(member) == Some(value))
        };
        for (member, value) in kept(file) {
            if !is_there(member, value) {
                refusals.add(refusal(&text_of(member), "be left out or changed", REASON));
            }
        }
    }
    for file in &manifest.files {
        check_added(file, known, refusals);
    }
}

/// Nothing is put in the place of what is kept, nor around or into it.
fn check_added(file: &ConfigFile, known: &AgentManifest, refusals: &mut Refusals) {
    let is_known = |member: &MemberPath, value: &MemberValue| {
        let mut same = known.files.iter().filter(|other| is_same(other, file));
        same.any(|other| other.members.get(member) == Some(value))
    };
    // However it is written: `a/./b` is `a/b`.
    let is_at =
        |other: &&ConfigFile| Path::new(other.path.as_str()) == Path::new(file.path.as_str());
    for (member, value) in &file.members {
        let mut kept = known.files.iter().filter(is_at).flat_map(kept);
        if !is_known(member, value) && kept.any(|(other, _)| meet(member, other)) {
            let reason = "it would be in the place of what brings address and key together";
            refusals.add(refusal(&text_of(member), "be set", reason));
        }
    }
}

fn is_same(one: &ConfigFile, other: &ConfigFile) -> bool {
    (&one.path, one.kind, &one.when) == (&other.path, other.kind, &other.when)
}

/// All of it where it depends on the endpoint: `model_provider = "clown"` chooses the address too.
fn kept(file: &ConfigFile) -> impl Iterator<Item = (&MemberPath, &MemberValue)> {
    let is_whole = file.when.as_ref().is_some_and(|when| leads(when.as_str()));
    let members = file.members.iter();
    members.filter(move |(member, value)| {
        let names = || member.names().iter().map(Template::as_str);
        is_whole
            || names().any(|name| is_address(name) || leads(name))
            || value_leads(value.as_toml())
    })
}

fn value_leads(value: &toml::Value) -> bool {
    match value {
        toml::Value::String(text) => leads(text),
        toml::Value::Array(items) => items.iter().any(value_leads),
        toml::Value::Table(members) => members.values().any(value_leads),
        _ => false,
    }
}

/// Whether a template names address or key, or has an address in it.
fn leads(text: &str) -> bool {
    ["endpoint", "key", "://"]
        .iter()
        .any(|part| text.contains(part))
}

/// Whether one is the other, or within it. What a template becomes is not known, so it can be any name.
fn meet(one: &MemberPath, other: &MemberPath) -> bool {
    let is_template = |name: &Template| name.as_str().contains('{');
    let mut steps = one.names().iter().zip(other.names());
    steps.all(|(one, other)| one == other || is_template(one) || is_template(other))
}
