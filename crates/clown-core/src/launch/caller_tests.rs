//! What of the caller's environment reaches the agents.

use super::plan_tests::{Case, KEY, check_env};
use serde_json::{Value, json};

#[test]
fn the_callers_keys_do_not_reach_the_agent() {
    let check = |agent: &str, gone: &[&str], stay: &[&str]| {
        let names = gone.iter().chain(stay).chain(&["PATH", "HOME"]);
        let names: Vec<String> = names.map(|name| (*name).to_owned()).collect();
        let mut case = Case::new();
        case.names = Some(names);
        for provider in ["self", "local"] {
            let Ok(plan) = case.plan(agent, provider, |_| ()) else {
                continue;
            };
            for name in gone {
                let value = plan.env.get(*name);
                let is_ours = |value: &String| value == KEY || value.starts_with("http://127");
                let is_gone = value.is_some_and(|value| value.as_ref().is_none_or(is_ours));
                assert!(is_gone, "{agent} with {provider}: {name}: {value:?}");
            }
            for name in stay.iter().chain(&["PATH", "HOME"]) {
                assert!(!plan.env.contains_key(*name), "{agent}: {name}");
            }
        }
    };
    let of_tools = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "CLOUDFLARE_API_TOKEN",
        "GH_TOKEN",
        "GITHUB_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_PROJECT",
    ];
    check(
        "opencode",
        &[
            "OPENAI_API_KEY",
            "HF_TOKEN",
            "NVIDIA_API_KEY",
            "DASHSCOPE_API_KEY",
            "AWS_BEARER_TOKEN_BEDROCK",
            "CF_AIG_TOKEN",
            "GOOGLE_VERTEX_PROJECT",
            "WATSONX_AI_APIKEY",
            "OF_A_PROVIDER_TO_COME_API_KEY",
        ],
        &of_tools,
    );
    check(
        "claude",
        &[
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_IDENTITY_TOKEN",
            "ANTHROPIC_TO_COME",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_USE_BEDROCK",
            "OPENAI_API_KEY",
        ],
        &of_tools,
    );
    check(
        "codex",
        &[
            "OPENAI_API_KEY",
            "OPENAI_TO_COME",
            "CODEX_API_KEY",
            "CODEX_OSS_BASE_URL",
            "AWS_BEARER_TOKEN_BEDROCK",
        ],
        &of_tools,
    );
    check(
        "gemini",
        &[
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "GOOGLE_CLOUD_ACCESS_TOKEN",
            "GOOGLE_GENAI_USE_VERTEXAI",
        ],
        &of_tools,
    );
}

#[test]
fn opencode_does_not_use_what_stays_for_tools() {
    let check = |names: Option<&[&str]>, off: Option<&[&str]>| {
        let mut case = Case::new();
        case.names = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let plan = case.plan("opencode", "self", |_| ()).unwrap();
        let content = plan.env["OPENCODE_CONFIG_CONTENT"].as_deref();
        let content = content.map(|text| serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(
            content,
            off.map(|off| json!({"disabled_providers": off})),
            "{names:?}"
        );
    };
    check(Some(&["PATH", "GH_TOKEN", "OPENAI_API_KEY"]), None);
    check(
        Some(&["AWS_PROFILE", "GITHUB_TOKEN"]),
        Some(&["amazon-bedrock", "github-copilot", "github-models"]),
    );
    check(
        Some(&["GCP_PROJECT"]),
        Some(&["google-vertex", "google-vertex-anthropic"]),
    );
    let all = [
        "amazon-bedrock",
        "cloudflare-ai-gateway",
        "cloudflare-workers-ai",
        "databricks",
        "digitalocean",
        "github-copilot",
        "github-models",
        "gitlab",
        "google-vertex",
        "google-vertex-anthropic",
    ];
    check(None, Some(&all));
}

#[test]
fn without_the_callers_names_the_known_ones_are_cleared() {
    let mut case = Case::new();
    case.names = None;
    let plan = case.plan("opencode", "self", |_| ()).unwrap();
    check_env(
        &plan,
        &[
            ("GROQ_API_KEY", None),
            ("HF_TOKEN", None),
            ("VENICE_API_KEY", None),
        ],
    );
    assert!(plan.env.keys().all(|name| !name.contains('*')));
}

#[test]
fn a_profile_can_bring_a_variable_back() {
    let mut case = Case::new();
    case.env
        .insert("LINEAR_API_KEY".to_owned(), "of-the-profile".to_owned());
    case.env
        .insert("OPENCODE_CONFIG_CONTENT".to_owned(), "{}".to_owned());
    case.names = Some(vec!["LINEAR_API_KEY".to_owned(), "GITHUB_TOKEN".to_owned()]);
    let plan = case.plan("opencode", "self", |_| ()).unwrap();
    check_env(
        &plan,
        &[
            ("LINEAR_API_KEY", Some("of-the-profile")),
            ("OPENCODE_CONFIG_CONTENT", Some("{}")),
        ],
    );
}

#[test]
fn keys_of_other_providers_and_the_daemons_token_reach_no_agent() {
    for agent in ["claude", "codex", "gemini", "opencode"] {
        let plan = Case::new().plan(agent, "self", |_| ()).unwrap();
        for name in [
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_AUTH_TOKEN",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "OPENAI_API_KEY",
            "CODEX_API_KEY",
            "OPENROUTER_API_KEY",
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "CLOWN_TOKEN",
        ] {
            assert_eq!(plan.env.get(name), Some(&None), "{agent}: {name}");
        }
    }
}
