//! Templates of profiles: members to begin with, ours and people's own.

use crate::foreign::{is_address, is_place, is_plain, refused_variable};
use crate::profiles::{McpDefinition, ProfileError, merge};
use crate::providers::{Catalog, Identifier, Manifest};
use crate::registry::{Kind, Layer};
use crate::{agents, providers};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// A template: what a new profile has where its maker says nothing else.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateManifest {
    /// What it is asked for by.
    pub id: Identifier,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    agent_id: Option<String>,
    provider_id: Option<String>,
    endpoint_id: Option<String>,
    model: Option<String>,
    small_model: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    args: Vec<String>,
    working_dir: Option<String>,
    hooks_config: Option<Map<String, Value>>,
    #[serde(default)]
    mcp_servers: BTreeMap<String, McpDefinition>,
}

/// The members of a profile that a template has.
#[derive(Serialize)]
struct Members<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    small_model: &'a Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: &'a Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hooks_config: &'a Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    mcp_servers: &'a BTreeMap<String, McpDefinition>,
}

impl TemplateManifest {
    /// The members that a profile of it begins with.
    pub fn members(&self) -> Map<String, Value> {
        let members = serde_json::to_value(Members {
            agent_id: &self.agent_id,
            provider_id: &self.provider_id,
            endpoint_id: &self.endpoint_id,
            model: &self.model,
            small_model: &self.small_model,
            env: &self.env,
            args: &self.args,
            working_dir: &self.working_dir,
            hooks_config: &self.hooks_config,
            mcp_servers: &self.mcp_servers,
        });
        match members {
            Ok(Value::Object(members)) => members,
            // Maps with text keys and plain values only.
            _ => Map::new(),
        }
    }
}

impl Manifest for TemplateManifest {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn check_foreign(&self) -> Result<(), String> {
        let refused = |what: &str, reason: &str| {
            Err(format!(
                "`{what}` must not be in a template of a registry: {reason}; {REMEDY}"
            ))
        };
        let members = self.members();
        if let Some(known) = BUILT_IN_TEMPLATES.get(self.id.as_str())
            && (&known.agent_id, &known.provider_id) != (&self.agent_id, &self.provider_id)
        {
            let reason = "people know this template, and their keys would go elsewhere by it";
            return refused("provider_id", reason);
        }
        let own = NOT_FOREIGN
            .iter()
            .find(|(name, _)| members.contains_key(*name));
        if let Some((name, reason)) = own {
            return refused(name, reason);
        }
        let mut models = self.model.iter().chain(&self.small_model);
        if let Some(model) = models.find(|model| !is_plain(model)) {
            return refused(model, "some agents take its signs for more than text");
        }
        for (name, value) in &self.env {
            let reason = refused_variable(name, "").or_else(|| {
                (is_address(name)
                    || is_place(name)
                    || agents::is_minded_by_built_in(name)
                    || providers::fills_address_of_built_in(name))
                .then_some("account, address or folder of an agent can change by it")
            });
            if let Some(reason) = reason {
                return refused(name, reason);
            }
            if !is_plain(value) {
                return refused(name, "its value is more than plain text");
            }
        }
        Ok(())
    }
}

static BUILT_IN_TEMPLATES: LazyLock<Catalog<TemplateManifest>> =
    LazyLock::new(|| load(Path::new("")));

/// How a refusal ends.
const REMEDY: &str = "put it into templates.d yourself if you trust it";

/// Members of a template that are a person's own to say, and why.
const NOT_FOREIGN: [(&str, &str); 4] = [
    ("hooks_config", "programs are run by it"),
    ("mcp_servers", "programs are run by it"),
    ("args", "agents do anything by their arguments"),
    ("working_dir", "agents change what is in there"),
];

/// The built-in templates, as file name and content.
const BUILT_IN: [(&str, &str); 6] = [
    (
        "claude-api.toml",
        include_str!("../manifests/templates/claude-api.toml"),
    ),
    (
        "claude-login.toml",
        include_str!("../manifests/templates/claude-login.toml"),
    ),
    (
        "claude-openrouter.toml",
        include_str!("../manifests/templates/claude-openrouter.toml"),
    ),
    (
        "codex-api.toml",
        include_str!("../manifests/templates/codex-api.toml"),
    ),
    (
        "gemini-api.toml",
        include_str!("../manifests/templates/gemini-api.toml"),
    ),
    (
        "opencode-openrouter.toml",
        include_str!("../manifests/templates/opencode-openrouter.toml"),
    ),
];

/// The built-in templates and those of `folder` (`templates.d`), which win by id. A folder that is
/// not there holds none.
pub fn load(folder: &Path) -> Catalog<TemplateManifest> {
    Catalog::load(&BUILT_IN, folder)
}

/// The same, with those of a registry between the two.
pub fn load_over(layer: &Layer, folder: &Path) -> Catalog<TemplateManifest> {
    Catalog::load_over(&BUILT_IN, layer, Kind::Template, folder)
}

pub(crate) fn built_in() -> &'static [(&'static str, &'static str)] {
    &BUILT_IN
}

/// The members of a request over those of the template that its member `template` names, which is
/// taken out. What the request says wins; null takes a member of the template away.
pub fn fill_in(
    catalog: &Catalog<TemplateManifest>,
    mut members: Map<String, Value>,
) -> Result<Map<String, Value>, ProfileError> {
    let Some(id) = members.remove("template") else {
        return Ok(members);
    };
    let template = match id.as_str() {
        None => None,
        Some(id) => {
            let broken = catalog.check_whole(id);
            broken.map_err(|broken| ProfileError::invalid("template", broken.to_string()))?;
            catalog.get(id)
        }
    };
    let Some(template) = template else {
        let known: Vec<&str> = catalog.all().map(|known| known.id.as_str()).collect();
        return Err(ProfileError::Invalid {
            member: "template".to_owned(),
            message: format!("there is no template {id}: there are {}", known.join(", ")),
        });
    };
    let mut filled = template.members();
    for (name, value) in members {
        // A key is one thing, not a table of several.
        if name == "key" {
            filled.insert(name, value);
        } else {
            merge(&mut filled, name, value);
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;
    use crate::manifests::Manifests;
    use crate::profiles::Rules as _;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn every_built_in_template_makes_a_profile_that_can_run() {
        let nowhere = Path::new("/nonexistent");
        let rules = Catalogue {
            agents: Arc::new(Manifests::new(nowhere.to_owned(), agents::load)),
            providers: Arc::new(Manifests::new(nowhere.to_owned(), providers::load)),
        };
        let catalog = load(nowhere);
        assert_eq!(catalog.problems(), []);
        assert_eq!(catalog.all().count(), BUILT_IN.len());
        for template in catalog.all() {
            let members = template.members();
            let definition = serde_json::from_value(members.into()).unwrap();
            rules.check(&definition).unwrap();
        }
    }

    #[test]
    fn the_built_in_ones_could_come_from_a_registry() {
        for template in load(Path::new("/nonexistent")).all() {
            assert_eq!(template.check_foreign(), Ok(()), "{}", template.id.as_str());
        }
    }

    #[test]
    fn a_template_of_a_registry_runs_nothing_and_sends_nothing_elsewhere() {
        let check = |members: &str, part: Option<&str>| {
            let text = format!("id = \"t\"\nname = \"T\"\nagent_id = \"claude\"\n{members}\n");
            let template: TemplateManifest = toml::from_str(&text).unwrap();
            match (part, template.check_foreign()) {
                (None, checked) => assert_eq!(checked, Ok(()), "{text}"),
                (Some(part), Err(refused)) => assert!(
                    refused.contains(part) && refused.contains("yourself"),
                    "{part}: {refused}"
                ),
                (Some(_), Ok(())) => panic!("{text} was taken"),
            }
        };
        let env = |name: &str, part| check(&format!("env = {{ {name} = \"x\" }}"), part);
        check("model = \"m\"\nsmall_model = \"a/b:c\"", None);
        env("API_TIMEOUT_MS", None);
        check("hooks_config = { Stop = [] }", Some("`hooks_config`"));
        check(
            "mcp_servers = { x = { command = \"x\" } }",
            Some("`mcp_servers`"),
        );
        check("args = [\"--yolo\"]", Some("`args`"));
        check("working_dir = \"/\"", Some("`working_dir`"));
        check("model = \"$(reboot)\"", Some("signs"));
        // One that people know keeps who it is for.
        let known = |id: &str, provider: &str| {
            let text = format!(
                "id = \"{id}\"\nname = \"T\"\nagent_id = \"claude\"\nprovider_id = \"{provider}\"\n"
            );
            let template: TemplateManifest = toml::from_str(&text).unwrap();
            template.check_foreign().is_ok()
        };
        assert!(known("claude-api", "anthropic") && known("moon", "anthropic-api"));
        assert!(!known("claude-api", "anthropic-api"));
        check(
            "env = { API_TIMEOUT_MS = \"{'plugin': 1}\" }",
            Some("plain"),
        );
        for name in [
            "NODE_OPTIONS",
            "OPENCODE_CONFIG_CONTENT",
            "X_COMMAND",
            "ANTHROPIC_BASE_URL",
            "PARROT_API_BASE",
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_CODE_USE_BEDROCK",
            "AZURE_RESOURCE_NAME",
            "HTTPS_PROXY",
            "RUSTC",
            "CONFIG_DIR",
        ] {
            env(name, Some(name));
        }
    }

    #[test]
    fn what_is_said_wins_over_the_template() {
        let folder = tempfile::tempdir().unwrap();
        let text = "id = \"t\"\nname = \"T\"\nagent_id = \"claude\"\nmodel = \"m\"\nargs = [\"-v\"]\n\
                    env = { A = \"1\", B = \"2\" }\n";
        std::fs::write(folder.path().join("t.toml"), text).unwrap();
        std::fs::write(
            folder.path().join("bad.toml"),
            "id = \"bad\"\nname = \"B\"\nkey = 1\n",
        )
        .unwrap();
        let catalog = load(folder.path());
        assert!(catalog.problems()[0].message.contains("key"));
        let check = |members: Value, expected: Value| {
            let filled = fill_in(&catalog, members.as_object().unwrap().clone()).unwrap();
            assert_eq!(Value::Object(filled), expected);
        };
        check(json!({"agent_id": "x"}), json!({"agent_id": "x"}));
        check(
            json!({"template": "t", "model": "n", "args": null, "env": {"B": null, "C": "3"},
                   "key": {"env": "K"}}),
            json!({"agent_id": "claude", "model": "n", "env": {"A": "1", "C": "3"},
                   "key": {"env": "K"}}),
        );
        let unknown = json!({"template": "tt"});
        let refused = fill_in(&catalog, unknown.as_object().unwrap().clone());
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("\"tt\"") && refused.contains("claude-api"),
            "{refused}"
        );
    }
}
