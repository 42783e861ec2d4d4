//! The coding agents: their manifests, ours and people's own, and which of them this machine has.

mod find;
mod manifest;
mod mcp;
mod pattern;
mod probe;
mod rows;
mod service;
mod template;
mod watch;

pub use find::{Fingerprint, Found, find, program};
pub use manifest::{
    AgentManifest, BinaryName, ConfigFile, FileKind, HooksFile, HooksForm, MemberPath, Pattern,
    RelativePath, VariableName, VersionCommand,
};
pub(crate) use mcp::McpValues;
pub use mcp::{McpFile, McpTemplate};
pub use pattern::NamePattern;
pub use probe::{UNKNOWN_VERSION, probe_version};
pub use service::{AgentError, AgentSettings, AgentStatus, Agents};
pub use template::{SecretTemplate, Template, Variables};

use crate::providers::Catalog;
use std::path::Path;

/// The built-in manifests, as file name and content.
const BUILT_IN: [(&str, &str); 4] = [
    (
        "claude.toml",
        include_str!("../../manifests/agents/claude.toml"),
    ),
    (
        "codex.toml",
        include_str!("../../manifests/agents/codex.toml"),
    ),
    (
        "gemini.toml",
        include_str!("../../manifests/agents/gemini.toml"),
    ),
    (
        "opencode.toml",
        include_str!("../../manifests/agents/opencode.toml"),
    ),
];

/// The built-in agents and those of `folder` (`agents.d`), which win by id. A folder that is not
/// there holds none.
pub fn load(folder: &Path) -> Catalog<AgentManifest> {
    Catalog::load(&BUILT_IN, folder)
}

#[cfg(test)]
mod manifest_tests;
