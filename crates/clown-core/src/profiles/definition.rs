//! What a profile's file says.

use super::mcp::McpDefinition;
use crate::files::Readers;
use crate::keys::KeySource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The definition of a profile, as its file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The agent that runs.
    pub agent_id: String,
    /// The provider that answers it; `self`, the agent's own login, where the file names none.
    #[serde(default = "own_login")]
    pub provider_id: String,
    /// One of the provider's endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model of the agent's small, fast requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_model: Option<String>,
    /// Variables for the agent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Arguments before those of a run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Where the agent starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Where the key comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeySource>,
    /// Hooks in the agent's own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks_config: Option<Map<String, Value>>,
    /// Servers of the Model Context Protocol, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mcp_servers: BTreeMap<String, McpDefinition>,
    /// How the profile's proxy works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_config: Option<Map<String, Value>>,
}

/// The provider that stands for the agent's own login.
pub const OWN_LOGIN: &str = "self";

fn own_login() -> String {
    OWN_LOGIN.to_owned()
}

/// The members of a definition, in the order in which changes are told.
pub const MEMBERS: [&str; 12] = [
    "agent_id",
    "provider_id",
    "endpoint_id",
    "model",
    "small_model",
    "env",
    "args",
    "working_dir",
    "key",
    "hooks_config",
    "mcp_servers",
    "proxy_config",
];

impl Definition {
    /// Who may read a file that comes to say this in place of `before`: its owner alone, when
    /// something is put in that may be a secret.
    pub(super) fn readers(&self, before: Option<&Self>) -> Readers {
        let adds_variable = self
            .env
            .iter()
            .any(|(name, value)| before.and_then(|before| before.env.get(name)) != Some(value));
        // Not in variables and headers alone: arguments and addresses hold tokens too.
        let adds_server = self.mcp_servers.iter().any(|(name, server)| {
            before.and_then(|before| before.mcp_servers.get(name)) != Some(server)
        });
        match adds_variable || adds_server {
            true => Readers::Owner,
            false => Readers::Kept,
        }
    }

    /// The names of the members in which `self` and `other` differ, in the order of [`MEMBERS`].
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let differs = [
            self.agent_id != other.agent_id,
            self.provider_id != other.provider_id,
            self.endpoint_id != other.endpoint_id,
            self.model != other.model,
            self.small_model != other.small_model,
            self.env != other.env,
            self.args != other.args,
            self.working_dir != other.working_dir,
            self.key != other.key,
            self.hooks_config != other.hooks_config,
            self.mcp_servers != other.mcp_servers,
            self.proxy_config != other.proxy_config,
        ];
        MEMBERS
            .iter()
            .zip(differs)
            .filter(|(_, differs)| *differs)
            .map(|(name, _)| (*name).to_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_told_in_the_documented_order() {
        let base = json!({"agent_id": "claude", "provider_id": "anthropic", "model": "a"});
        let check = |patch: Value, expected: &[&str]| {
            let before: Definition = serde_json::from_value(base.clone()).unwrap();
            let mut after = base.clone();
            for (name, value) in patch.as_object().unwrap() {
                after[name] = value.clone();
            }
            let after: Definition = serde_json::from_value(after).unwrap();
            assert_eq!(before.changes(&after), expected, "{patch}");
        };
        check(json!({}), &[]);
        check(json!({"args": []}), &[]);
        check(
            json!({"hooks_config": {"Stop": []}, "model": "b"}),
            &["model", "hooks_config"],
        );
        check(
            json!({"proxy_config": {}, "mcp_servers": {"a": {"command": "x"}}, "hooks_config": {},
                   "env": {"A": "1"}, "small_model": "s", "model": "b"}),
            &[
                "model",
                "small_model",
                "env",
                "hooks_config",
                "mcp_servers",
                "proxy_config",
            ],
        );
        check(
            json!({"agent_id": "x", "provider_id": "x", "endpoint_id": "x", "model": "x",
                   "env": {"A": "1"}, "args": ["x"], "working_dir": "/x", "key": {"env": "K"},
                   "hooks_config": {}, "proxy_config": {}, "small_model": "x",
                   "mcp_servers": {"x": {"url": "http://x"}}}),
            &MEMBERS,
        );
    }
}
