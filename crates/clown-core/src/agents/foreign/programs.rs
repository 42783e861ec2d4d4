//! The program, what it is asked, and where people are told to get it.

use super::refusal;
use crate::agents::AgentManifest;
use crate::foreign::{Refusals, is_never_asked, is_web_address};

/// What programs are asked their version with: one of these.
const VERSION_WORDS: [&str; 3] = ["--version", "-version", "-V"];

/// What may stand beside `--version`.
const BESIDE: [&str; 2] = ["--no-color", "--no-update"];

/// What agents are installed by, each with one name behind it.
const INSTALLERS: [&str; 6] = [
    "npm install -g ",
    "pip install ",
    "pipx install ",
    "uv tool install ",
    "brew install ",
    "cargo install ",
];

pub(super) fn check(
    manifest: &AgentManifest,
    known: Option<&AgentManifest>,
    refusals: &mut Refusals,
) {
    check_args(manifest, refusals);
    for name in manifest.binaries.iter() {
        let reason = match known {
            // Profiles of a built-in agent would start it, with all that they say to that agent.
            Some(known) if !known.binaries.iter().any(|own| own == name) => {
                "profiles would start it in the place of the built-in agent's own"
            }
            None if is_never_asked(name.as_str()) => "it is no agent, and does more than tell",
            _ => continue,
        };
        refusals.add(refusal(name.as_str(), "be an agent's program", reason));
    }
    let Some(install) = &manifest.install else {
        return;
    };
    match known {
        Some(known) if known.install.as_ref() != Some(install) => refusals.add(refusal(
            "install",
            "be anything else than it is",
            "people would get another program for a built-in agent",
        )),
        None if !is_way_to_install(install) => refusals.add(refusal(
            "install",
            "be this",
            "it is an https address, or npm install -g, pip install, pipx install, uv tool install, brew install or cargo install with one name",
        )),
        _ => {}
    }
}

fn check_args(manifest: &AgentManifest, refusals: &mut Refusals) {
    let args: Vec<&str> = manifest.version.args.iter().map(String::as_str).collect();
    let strange = |arg: &&&str| !VERSION_WORDS.contains(arg) && !BESIDE.contains(arg);
    let is_good = match args.as_slice() {
        [word] => VERSION_WORDS.contains(word),
        words => {
            let others = words.iter().filter(|word| !BESIDE.contains(word));
            others.eq(["--version"].iter())
        }
    };
    if is_good {
        return;
    }
    let what = args.iter().find(strange).map(|arg| format!(": `{arg}`"));
    refusals.add(format!(
        "`version.args`{} must not be asked by a manifest of a registry: a program is asked with one of {}, or --version and {}",
        what.unwrap_or_default(),
        VERSION_WORDS.join(", "),
        BESIDE.join(", ")
    ));
}

fn is_way_to_install(text: &str) -> bool {
    let name = INSTALLERS.iter().find_map(|start| text.strip_prefix(start));
    let Some(name) = name else {
        return is_web_address(text);
    };
    // Only npm has names with a slash in them that are no place.
    let scoped = name.strip_prefix('@').filter(|_| text.starts_with("npm "));
    match scoped.and_then(|scoped| scoped.split_once('/')) {
        Some((scope, name)) => is_package(scope) && is_package(name),
        None => is_package(name),
    }
}

fn is_package(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.len() <= 100
        && name.bytes().all(fits)
}
