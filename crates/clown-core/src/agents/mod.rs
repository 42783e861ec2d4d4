//! The coding agents: their manifests, ours and people's own, and which of them this machine has.

mod ask;
mod find;
mod foreign;
mod manifest;
mod mcp;
mod member;
mod pattern;
mod probe;
mod rows;
mod service;
mod template;
mod trail;
mod usage;
mod version;
mod watch;

pub use find::{Fingerprint, Found, find, program};
pub(crate) use foreign::is_minded_by_built_in;
pub use manifest::{
    AgentManifest, Binaries, BinaryName, ConfigFile, FileKind, HooksFile, HooksForm, RelativePath,
    VariableName,
};
pub(crate) use mcp::McpValues;
pub use mcp::{McpFile, McpTemplate};
pub use member::{MemberPath, MemberValue};
pub use pattern::NamePattern;
pub use probe::{UNKNOWN_VERSION, probe_version};
pub use service::{AgentError, AgentSettings, AgentStatus, Agents};
pub use template::{SecretTemplate, Template, Variables};
pub use usage::{FilePattern, FilePatterns, HomePath, OwnFolder, UsageForm, UsageLogs};
pub use version::{Pattern, VersionCommand};

use crate::providers::Catalog;
use crate::registry::{Kind, Layer};
use std::path::Path;

/// The built-in manifests, as file name and content.
const BUILT_IN: [(&str, &str); 15] = [
    (
        "aider.toml",
        include_str!("../../manifests/agents/aider.toml"),
    ),
    ("amp.toml", include_str!("../../manifests/agents/amp.toml")),
    (
        "claude.toml",
        include_str!("../../manifests/agents/claude.toml"),
    ),
    (
        "codex.toml",
        include_str!("../../manifests/agents/codex.toml"),
    ),
    (
        "copilot.toml",
        include_str!("../../manifests/agents/copilot.toml"),
    ),
    (
        "crush.toml",
        include_str!("../../manifests/agents/crush.toml"),
    ),
    (
        "cursor-agent.toml",
        include_str!("../../manifests/agents/cursor-agent.toml"),
    ),
    (
        "droid.toml",
        include_str!("../../manifests/agents/droid.toml"),
    ),
    (
        "gemini.toml",
        include_str!("../../manifests/agents/gemini.toml"),
    ),
    (
        "goose.toml",
        include_str!("../../manifests/agents/goose.toml"),
    ),
    (
        "grok.toml",
        include_str!("../../manifests/agents/grok.toml"),
    ),
    (
        "kimi.toml",
        include_str!("../../manifests/agents/kimi.toml"),
    ),
    (
        "opencode.toml",
        include_str!("../../manifests/agents/opencode.toml"),
    ),
    ("pi.toml", include_str!("../../manifests/agents/pi.toml")),
    (
        "qwen.toml",
        include_str!("../../manifests/agents/qwen.toml"),
    ),
];

/// The built-in agents and those of `folder` (`agents.d`), which win by id. A folder that is not
/// there holds none.
pub fn load(folder: &Path) -> Catalog<AgentManifest> {
    Catalog::load(&BUILT_IN, folder)
}

/// The same, with those of a registry between the two.
pub fn load_over(layer: &Layer, folder: &Path) -> Catalog<AgentManifest> {
    Catalog::load_over(&BUILT_IN, layer, Kind::Agent, folder)
}

pub(crate) fn built_in() -> &'static [(&'static str, &'static str)] {
    &BUILT_IN
}

#[cfg(test)]
mod manifest_tests;
