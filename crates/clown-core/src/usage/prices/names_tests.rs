//! Names that logs have, and names that a list has.

use super::*;

#[test]
fn one_model_is_found_under_many_names() {
    // A list of these; each is found by exactly the names beside it.
    const LIST: [&str; 17] = [
        "claude-opus-4-6",
        "claude-opus-4-8",
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "vertex_ai/claude-sonnet-4-5@20250929",
        "gpt-5",
        "gpt-5.4",
        "gemini-2.5-pro",
        "gemini/gemini-2.5-pro",
        "dashscope/qwen3-coder-plus",
        "moonshot/kimi-k2.5",
        "xai/grok-4",
        "minimax/MiniMax-M2",
        "zai/glm-4.6",
        "openrouter/anthropic/claude-opus-4.6",
    ];
    let check = |model: &str, expected: Option<&str>| {
        let found = candidates(model)
            .into_iter()
            .find(|candidate| LIST.contains(&candidate.name.as_str()));
        let found = found.map(|candidate| {
            let mark = if candidate.fast { " fast" } else { "" };
            format!("{}{mark}", candidate.name)
        });
        assert_eq!(found.as_deref(), expected, "{model}");
    };
    let same = |name: &str| check(name, Some(name));
    LIST.into_iter().for_each(same);
    check("claude-opus-4-6[1m]", Some("claude-opus-4-6"));
    check(" claude-opus-4-6 ", Some("claude-opus-4-6"));
    check("claude-opus-4.6", Some("claude-opus-4-6"));
    check("claude-opus-4-6-20260205", Some("claude-opus-4-6"));
    check("claude-opus-4-6-latest", Some("claude-opus-4-6"));
    check("claude-opus-4-6-fast", Some("claude-opus-4-6 fast"));
    check("claude-opus-4.6-fast", Some("claude-opus-4-6 fast"));
    check("anthropic/claude-opus-4-6", Some("claude-opus-4-6"));
    check(
        "anthropic/claude-opus-4-6-fast",
        Some("claude-opus-4-6 fast"),
    );
    check("claude-sonnet-4-5-20251231", Some("claude-sonnet-4-5"));
    check(
        "claude-sonnet-4-5@20250929",
        Some("vertex_ai/claude-sonnet-4-5@20250929"),
    );
    check(
        "google-vertex-anthropic/claude-sonnet-4-5@20250929",
        Some("vertex_ai/claude-sonnet-4-5@20250929"),
    );
    check("claude-opus-4-8@default", Some("claude-opus-4-8"));
    check(
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        Some("anthropic.claude-sonnet-4-5-20250929-v1:0"),
    );
    check(
        "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        Some("us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    );
    check(
        "arn:aws:bedrock:us-east-1:123:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        Some("us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    );
    check(
        "global.anthropic.claude-opus-4-6-v1",
        Some("claude-opus-4-6"),
    );
    check(
        "openrouter/anthropic/claude-opus-4.6",
        Some("openrouter/anthropic/claude-opus-4.6"),
    );
    check("openai/gpt-5", Some("gpt-5"));
    check("gpt-5-2025-08-07", Some("gpt-5"));
    check("openai/gpt-5.4-2026-03-05", Some("gpt-5.4"));
    check("gpt-5-4", Some("gpt-5.4"));
    check("google/gemini-2.5-pro", Some("gemini/gemini-2.5-pro"));
    check("gemini-2.5-pro-preview-05-06", Some("gemini-2.5-pro"));
    check("models/gemini-2.5-pro", Some("gemini-2.5-pro"));
    check("qwen3-coder-plus", Some("dashscope/qwen3-coder-plus"));
    check(
        "alibaba/qwen3-coder-plus",
        Some("dashscope/qwen3-coder-plus"),
    );
    check(
        "qwen/qwen3-coder-plus-2025-09-23",
        Some("dashscope/qwen3-coder-plus"),
    );
    check("kimi-k2.5", Some("moonshot/kimi-k2.5"));
    check("moonshotai/kimi-k2-5", Some("moonshot/kimi-k2.5"));
    check("grok-4", Some("xai/grok-4"));
    check("openrouter/x-ai/grok-4", Some("xai/grok-4"));
    check("MiniMax-M2", Some("minimax/MiniMax-M2"));
    check("GLM-4.6", Some("zai/glm-4.6"));
    check("zai-coding-plan/glm-4.6", Some("zai/glm-4.6"));
    // Other models, however like they look.
    check("gpt-5.5", None);
    check("gpt-5-mini", None);
    check("gpt-5-codex", None);
    check("gpt-50", None);
    check("my-gpt-5", None);
    check("gpt", None);
    check("claude-opus-4", None);
    check("claude-opus-4-7", None);
    check("claude-opus-4-60", None);
    check("claude-opus-4-6-mini", None);
    check("claude-sonnet-4", None);
    check("grok-4-fast", None);
    check("gpt-5-fast", None);
    check("codex-auto-review", None);
    check("<synthetic>", None);
    check("", None);
    check("/", None);
    check("[1m]", None);
    check("-latest", None);
    check("模型-latest", None);
    check("é/é-20250101@é[1m]", None);
    check("é.anthropic.claude-é-v1:0", None);
    // Nobody charges for these.
    check("ollama/qwen3-coder-plus", None);
    check("lmstudio/openai/gpt-5", None);
}

#[test]
fn anthropic_has_one_name_for_a_model() {
    let check = |name: &str, expected: Option<&str>| assert_eq!(of_claude(name), expected);
    check("claude-opus-4-6", Some("claude-opus-4-6"));
    check("us.anthropic.claude-opus-4-6-v1:0", Some("claude-opus-4-6"));
    check("vertex_ai/claude-opus-4-6@1", Some("claude-opus-4-6@1"));
    check("gpt-5", None);
    check("not-claude-3", None);
}
