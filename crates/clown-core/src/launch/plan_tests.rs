use super::{LaunchError, LaunchInput, LaunchPlan, McpServer, Wanted, plan};
use crate::agents::AgentManifest;
use crate::providers::{Catalog, ProviderManifest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub const KEY: &str = "sk-secret-1234";

pub struct Case {
    pub agents: Catalog<AgentManifest>,
    pub providers: Vec<Arc<ProviderManifest>>,
    pub env: BTreeMap<String, String>,
    /// Of the caller's variables.
    pub names: Option<Vec<String>>,
    hooks: Value,
    pub mcp_servers: BTreeMap<String, McpServer>,
    args: Vec<String>,
}

impl Case {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            std::fs::write(folder.path().join(name), content).unwrap();
        };
        write(
            "local.toml",
            "id = \"local\"\nname = \"Local\"\n[[endpoints]]\nid = \"chat\"\nurls = { openai-chat = \"http://127.0.0.1:1/v1\" }\n[[endpoints]]\nid = \"messages\"\nurls = { anthropic-messages = \"http://127.0.0.1:2\" }\n",
        );
        Self {
            agents: crate::agents::load(Path::new("/nonexistent")),
            providers: crate::providers::load(folder.path())
                .all()
                .cloned()
                .collect(),
            env: BTreeMap::new(),
            names: Some(Vec::new()),
            hooks: json!({}),
            mcp_servers: BTreeMap::new(),
            args: Vec::new(),
        }
    }

    pub fn plan(
        &self,
        agent: &str,
        provider: &str,
        change: impl FnOnce(&mut LaunchInput<'_>),
    ) -> Result<LaunchPlan, LaunchError> {
        self.plan_of(self.agents.get(agent).unwrap(), provider, change)
    }

    pub fn agents(&self) -> impl Iterator<Item = &Arc<AgentManifest>> {
        self.agents.all()
    }

    /// Replaces the one with the same id.
    pub fn add_provider(&mut self, manifest: &str) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("added.toml"), manifest).unwrap();
        let known = crate::providers::load(folder.path());
        assert_eq!(known.problems(), []);
        let added: ProviderManifest = toml::from_str(manifest).unwrap();
        self.providers.retain(|provider| provider.id != added.id);
        self.providers.push(Arc::new(added));
    }

    /// The plan of an agent of a person's own, with its own login.
    pub fn plan_own(&self, folder: &Path, agent: &str) -> Result<LaunchPlan, LaunchError> {
        let agents = crate::agents::load(folder);
        assert_eq!(agents.problems(), []);
        self.plan_of(agents.get(agent).unwrap(), "self", |_| ())
    }

    fn plan_of(
        &self,
        agent: &AgentManifest,
        provider: &str,
        change: impl FnOnce(&mut LaunchInput<'_>),
    ) -> Result<LaunchPlan, LaunchError> {
        let mut providers = self.providers.iter();
        let provider = providers
            .find(|found| found.id.as_str() == provider)
            .unwrap();
        let key_variables: Vec<String> = self
            .providers
            .iter()
            .flat_map(|provider| provider.key_variables())
            .map(ToOwned::to_owned)
            .collect();
        let mut input = LaunchInput {
            alias: "work",
            home: Path::new("/state/homes/work"),
            endpoint_id: None,
            model: None,
            small_model: None,
            key: Some(KEY),
            through: None,
            env: &self.env,
            args: &self.args,
            hooks_config: self.hooks.as_object(),
            mcp_servers: &self.mcp_servers,
            caller_names: self.names.as_deref(),
            providers: &self.providers,
            key_variables: &key_variables,
        };
        change(&mut input);
        plan(agent, provider, &input)
    }
}

/// The members of the only file of a plan, with dots between names.
pub fn file(plan: &LaunchPlan) -> (String, BTreeMap<String, Value>) {
    let [(path, merge)] = plan.files.iter().collect::<Vec<_>>()[..] else {
        panic!("{:?}", plan.files);
    };
    let members = merge.members.iter().map(|member| {
        let Wanted::Value(value) = &member.wanted else {
            panic!("{member:?}");
        };
        (member.at.join(" "), value.clone())
    });
    (path.clone(), members.collect())
}

#[track_caller]
pub fn check_env(plan: &LaunchPlan, expected: &[(&str, Option<&str>)]) {
    for (name, value) in expected {
        let found = plan
            .env
            .get(*name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(found.as_deref(), *value, "{name}");
    }
}

#[test]
fn claude_with_anthropic() {
    let plan = Case::new().plan("claude", "anthropic", |_| ()).unwrap();
    check_env(
        &plan,
        &[
            ("CLAUDE_CONFIG_DIR", Some("/state/homes/work/claude")),
            ("ANTHROPIC_BASE_URL", Some("https://api.anthropic.com")),
            ("ANTHROPIC_API_KEY", Some(KEY)),
            ("ANTHROPIC_MODEL", Some("claude-sonnet-5-5")),
            ("ANTHROPIC_AUTH_TOKEN", None),
            ("ANTHROPIC_DEFAULT_HAIKU_MODEL", None),
            ("CLAUDE_CODE_OAUTH_TOKEN", None),
            ("OPENAI_API_KEY", None),
        ],
    );
    assert!(plan.files.is_empty());
}

#[test]
fn claude_with_a_gateway() {
    let set_model = |input: &mut LaunchInput<'_>| input.model = Some("moonshot/kimi");
    let plan = Case::new().plan("claude", "openrouter", set_model).unwrap();
    check_env(
        &plan,
        &[
            ("ANTHROPIC_BASE_URL", Some("https://openrouter.ai/api")),
            ("ANTHROPIC_API_KEY", None),
            ("ANTHROPIC_AUTH_TOKEN", Some(KEY)),
            ("ANTHROPIC_MODEL", Some("moonshot/kimi")),
            ("ANTHROPIC_DEFAULT_HAIKU_MODEL", Some("moonshot/kimi")),
            ("OPENROUTER_API_KEY", None),
        ],
    );
}

#[test]
fn claude_with_a_server_that_wants_no_key() {
    let no_key = |input: &mut LaunchInput<'_>| input.key = None;
    let plan = Case::new().plan("claude", "local", no_key).unwrap();
    check_env(
        &plan,
        &[
            ("ANTHROPIC_BASE_URL", Some("http://127.0.0.1:2")),
            ("ANTHROPIC_AUTH_TOKEN", Some("none")),
            ("ANTHROPIC_API_KEY", None),
            ("ANTHROPIC_MODEL", None),
        ],
    );
}

#[test]
fn codex_with_openai() {
    let plan = Case::new().plan("codex", "openai", |_| ()).unwrap();
    check_env(
        &plan,
        &[
            ("CODEX_HOME", Some("/state/homes/work/codex")),
            ("OPENAI_API_KEY", Some(KEY)),
            ("OPENAI_BASE_URL", None),
            ("CODEX_API_KEY", None),
            ("ANTHROPIC_API_KEY", None),
        ],
    );
    let (path, members) = file(&plan);
    assert_eq!(path, "codex/config.toml");
    let expected = json!({
        "model": "gpt-6.1-sol",
        "model_provider": "clown",
        "model_providers clown base_url": "https://api.openai.com/v1",
        "model_providers clown env_key": "OPENAI_API_KEY",
        "model_providers clown name": "OpenAI",
        "model_providers clown wire_api": "responses",
    });
    assert_eq!(json!(members), expected);
    assert_eq!(plan.folders, ["codex"]);
}

#[test]
fn opencode_by_format() {
    let check = |provider: &str, npm: &str, url: &str, key_option: &str| {
        let set_model = |input: &mut LaunchInput<'_>| input.model = Some("a/b-1.5");
        let plan = Case::new().plan("opencode", provider, set_model).unwrap();
        let (path, members) = file(&plan);
        assert_eq!(path, "opencode/opencode.json");
        assert_eq!(members["provider clown npm"], npm);
        assert_eq!(members["provider clown options baseURL"], url);
        let key = &members[&format!("provider clown options {key_option}")];
        assert_eq!(key, "{env:CLOWN_API_KEY}");
        assert_eq!(members["provider clown models a/b-1.5"], json!({}));
        assert_eq!(members["model"], "clown/a/b-1.5");
        assert_eq!(members["enabled_providers"], json!(["clown"]));
        assert_eq!(members.len(), 8);
        check_env(
            &plan,
            &[
                ("CLOWN_API_KEY", Some(KEY)),
                ("XDG_DATA_HOME", Some("/state/homes/work/share")),
            ],
        );
        assert!(!plan.env.contains_key("XDG_CONFIG_HOME"));
        assert!(!plan.env.contains_key("HOME"));
    };
    check(
        "anthropic",
        "@ai-sdk/anthropic",
        "https://api.anthropic.com/v1",
        "apiKey",
    );
    check(
        "openai",
        "@ai-sdk/openai",
        "https://api.openai.com/v1",
        "apiKey",
    );
    check(
        "openrouter",
        "@ai-sdk/openai-compatible",
        "https://openrouter.ai/api/v1",
        "apiKey",
    );
    check(
        "local",
        "@ai-sdk/openai-compatible",
        "http://127.0.0.1:1/v1",
        "apiKey",
    );
    check(
        "gemini",
        "@ai-sdk/google",
        "https://generativelanguage.googleapis.com/v1beta",
        "apiKey",
    );
}

#[test]
fn gemini_with_gemini() {
    let plan = Case::new().plan("gemini", "gemini", |_| ()).unwrap();
    check_env(
        &plan,
        &[
            ("GEMINI_CLI_HOME", Some("/state/homes/work/gemini")),
            ("GEMINI_API_KEY", Some(KEY)),
            (
                "GOOGLE_GEMINI_BASE_URL",
                Some("https://generativelanguage.googleapis.com"),
            ),
            ("GEMINI_MODEL", Some("gemini-3.8-flash")),
            ("GOOGLE_API_KEY", None),
        ],
    );
    let (path, members) = file(&plan);
    assert_eq!(path, "gemini/.gemini/settings.json");
    assert_eq!(
        json!(members),
        json!({"advanced ignoreLocalEnv": true, "security auth selectedType": "gemini-api-key"})
    );
}

#[test]
fn the_agents_own_login_gets_no_endpoint_and_no_key() {
    for agent in ["claude", "codex", "gemini", "opencode"] {
        let plan = Case::new().plan(agent, "self", |_| ()).unwrap();
        if agent == "gemini" {
            let (_, members) = file(&plan);
            assert_eq!(json!(members), json!({"advanced ignoreLocalEnv": true}));
        } else {
            assert!(plan.files.is_empty(), "{agent}: {:?}", plan.files);
        }
        let values: Vec<&String> = plan.env.values().flatten().collect();
        let is_path = |value: &&String| value.starts_with("/state/homes/work/");
        assert!(values.iter().all(is_path), "{agent}: {values:?}");
        assert!(plan.env.values().any(Option::is_none), "{agent}");
    }
}

#[test]
fn a_key_is_in_the_environment_only() {
    let case = Case::new();
    for provider in &case.providers {
        for agent in case.agents.all() {
            let id = agent.id.as_str();
            let Ok(plan) = case.plan(id, provider.id.as_str(), |_| ()) else {
                continue;
            };
            assert!(!format!("{:?}", plan.files).contains(KEY), "{id}");
            assert!(!format!("{plan:?}").contains(KEY), "{id}");
        }
    }
}

#[test]
fn the_profile_wins() {
    let mut case = Case::new();
    case.env
        .insert("ANTHROPIC_MODEL".to_owned(), "mine".to_owned());
    case.env
        .insert("CLAUDE_CODE_USE_BEDROCK".to_owned(), "1".to_owned());
    case.args = vec!["-p".to_owned(), "x".to_owned()];
    let plan = case.plan("claude", "anthropic", |_| ()).unwrap();
    check_env(
        &plan,
        &[
            ("ANTHROPIC_MODEL", Some("mine")),
            ("CLAUDE_CODE_USE_BEDROCK", Some("1")),
        ],
    );
    assert_eq!(plan.args, ["-p", "x"]);
}

#[test]
fn hooks_are_added_element_by_element() {
    let mut case = Case::new();
    case.hooks = json!({"Stop": [{"hooks": []}, 2], "off": true});
    let plan = case.plan("claude", "self", |_| ()).unwrap();
    let members = &plan.files["claude/settings.json"].members;
    let at: Vec<(String, Wanted)> = members
        .iter()
        .map(|member| (member.at.join(" "), member.wanted.clone()))
        .collect();
    assert_eq!(
        at,
        [
            (
                "hooks Stop".to_owned(),
                Wanted::Element(json!({"hooks": []}))
            ),
            ("hooks Stop".to_owned(), Wanted::Element(json!(2))),
            ("hooks off".to_owned(), Wanted::Value(json!(true))),
        ]
    );
}

#[test]
fn refusals_say_what_to_do() {
    let check = |agent: &str, provider: &str, change: &dyn Fn(&mut LaunchInput<'_>), text: &str| {
        let mut case = Case::new();
        case.hooks = json!({"Stop": []});
        let change = |input: &mut LaunchInput<'_>| {
            input.hooks_config = None;
            change(input);
        };
        let error = case.plan(agent, provider, change).unwrap_err();
        assert_eq!(error.to_string(), text);
    };
    check(
        "claude",
        "openai",
        &|_| (),
        "claude cannot use the provider openai: they have no wire format in common; claude works with anthropic, azure-openai, bedrock, deepseek, fireworks, litellm, lmstudio, local and 7 more. A proxy of the profile translates between them: proxy_config.enabled=true",
    );
    check(
        "gemini",
        "anthropic",
        &|_| (),
        "gemini cannot use the provider anthropic: they have no wire format in common; gemini works with gemini, litellm, self",
    );
    check(
        "claude",
        "local",
        &|input| input.endpoint_id = Some("x"),
        "the provider local has no endpoint `x`: it has chat, messages",
    );
    check(
        "claude",
        "local",
        &|input| input.endpoint_id = Some("chat"),
        "claude cannot use the endpoint `chat` of local: they have no wire format in common; choose another endpoint, or none",
    );
    check(
        "codex",
        "openai",
        &|input| input.key = None,
        "the provider openai needs a key and this profile has none: set one, for example with --key-env OPENAI_API_KEY",
    );
}

#[test]
fn an_agent_without_hooks_refuses_them() {
    let mut case = Case::new();
    case.hooks = json!({"Stop": [1]});
    let error = case.plan("opencode", "self", |_| ()).unwrap_err();
    assert!(matches!(error, LaunchError::NoHooks { .. }));
}

#[test]
fn with_a_proxy_an_agent_is_told_of_that_and_of_nothing_else() {
    let case = Case::new();
    let check = |agent: &str, provider: &str, expected: &[(&str, &str)]| {
        let plan = case.plan(agent, provider, |input| {
            input.through = Some("http://127.0.0.1:8081");
            input.key = Some("clown-local-1");
        });
        let plan = plan.unwrap();
        let told = format!("{:?} {:?}", plan.env, plan.files);
        for (name, value) in expected {
            let set = plan.env.get(*name).cloned().flatten();
            assert!(
                set.as_deref() == Some(*value) || (set.is_none() && told.contains(value)),
                "{agent} {provider} {name}: {told}"
            );
        }
        for provider in &case.providers {
            for url in provider.endpoints.iter().flat_map(|it| it.urls.values()) {
                let url = url.fill(&BTreeMap::new()).unwrap_or_default();
                assert!(url.is_empty() || !told.contains(&url), "{url} in {told}");
            }
        }
    };
    let root = "http://127.0.0.1:8081";
    check(
        "claude",
        "anthropic",
        &[
            ("ANTHROPIC_BASE_URL", root),
            ("ANTHROPIC_API_KEY", "clown-local-1"),
        ],
    );
    check(
        "codex",
        "openai",
        &[
            ("base_url", "http://127.0.0.1:8081/v1"),
            ("OPENAI_API_KEY", "clown-local-1"),
        ],
    );
    check("gemini", "gemini", &[("GEMINI_API_KEY", "clown-local-1")]);
    // It wants no key of its own, and the proxy does.
    check(
        "opencode",
        "local",
        &[
            ("CLOWN_API_KEY", "clown-local-1"),
            ("baseURL", "http://127.0.0.1:8081/v1"),
        ],
    );
    // Its own login asks whom it likes.
    let plan = case.plan("claude", "self", |input| input.through = Some(root));
    assert!(!format!("{plan:?}").contains("8081"));
}

#[test]
fn the_addresses_of_an_endpoint_are_all_that_it_serves() {
    let case = Case::new();
    let check = |agent: &str, provider: &str, endpoint: Option<&str>, expected: &[&str]| {
        let agent = case.agents.get(agent).unwrap();
        let found = case.providers.iter().find(|it| it.id.as_str() == provider);
        let env = BTreeMap::new();
        let found = super::addresses(agent, found.unwrap(), endpoint, &env, &case.providers);
        let found = found.unwrap();
        let told: Vec<String> = found
            .iter()
            .map(|(format, url)| format!("{format} {url}"))
            .collect();
        assert_eq!(told, expected, "{provider} {endpoint:?}");
    };
    check("claude", "self", None, &[]);
    let messages = "anthropic-messages https://api.anthropic.com";
    check("claude", "anthropic", None, &[messages]);
    let responses = "openai-responses https://api.openai.com/v1";
    let chat = "openai-chat https://api.openai.com/v1";
    check("codex", "openai", None, &[responses, chat]);
    // The one that serves what the agent speaks.
    let local = "anthropic-messages http://127.0.0.1:2";
    check("claude", "local", None, &[local]);
    let local = "openai-chat http://127.0.0.1:1/v1";
    check("opencode", "local", Some("chat"), &[local]);
}
