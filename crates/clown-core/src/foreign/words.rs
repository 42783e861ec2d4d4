//! The words of which names are made that a registry may set. What else there is, and what it makes
//! programs do, nobody can list: so a name with any other word is refused.

/// What members of agents' files are named by: models, addresses, keys, limits and looks.
const MEMBERS: &[&str] = &[
    "account",
    "api",
    "attempt",
    "attempts",
    "auth",
    "backend",
    "base",
    "bearer",
    "budget",
    "cache",
    "cached",
    "client",
    "color",
    "colors",
    "completion",
    "completions",
    "compat",
    "config",
    "connect",
    "context",
    "cost",
    "count",
    "currency",
    "custom",
    "dark",
    "data",
    "default",
    "description",
    "disable",
    "disabled",
    "display",
    "effort",
    "enable",
    "enabled",
    "endpoint",
    "env",
    "fallback",
    "family",
    "fast",
    "font",
    "format",
    "gateway",
    "header",
    "headers",
    "high",
    "host",
    "http",
    "icon",
    "id",
    "image",
    "images",
    "input",
    "interval",
    "key",
    "keys",
    "kind",
    "label",
    "language",
    "large",
    "latency",
    "length",
    "level",
    "light",
    "limit",
    "limits",
    "line",
    "list",
    "locale",
    "log",
    "logging",
    "logs",
    "low",
    "main",
    "max",
    "medium",
    "message",
    "messages",
    "min",
    "model",
    "models",
    "ms",
    "name",
    "names",
    "number",
    "option",
    "options",
    "organization",
    "output",
    "price",
    "prices",
    "primary",
    "priority",
    "privacy",
    "profile",
    "project",
    "protocol",
    "provider",
    "providers",
    "quota",
    "rate",
    "reasoning",
    "region",
    "request",
    "requests",
    "response",
    "responses",
    "retries",
    "retry",
    "secondary",
    "seconds",
    "secret",
    "security",
    "select",
    "selected",
    "selection",
    "server",
    "service",
    "session",
    "show",
    "size",
    "small",
    "stream",
    "streaming",
    "style",
    "suggestion",
    "summary",
    "team",
    "telemetry",
    "temperature",
    "theme",
    "thinking",
    "tier",
    "timeout",
    "timezone",
    "title",
    "token",
    "tokens",
    "top",
    "type",
    "ui",
    "unit",
    "update",
    "updates",
    "uri",
    "url",
    "urls",
    "usage",
    "use",
    "user",
    "value",
    "values",
    "verbosity",
    "version",
    "vision",
    "weak",
    "window",
    "wire",
];

/// What variables are named by, beside the names of agents and providers.
const VARIABLES: &[&str] = &[
    "access",
    "account",
    "ai",
    "analytics",
    "api",
    "auth",
    "backend",
    "base",
    "bearer",
    "cache",
    "color",
    "completion",
    "config",
    "context",
    "custom",
    "data",
    "default",
    "deployment",
    "dir",
    "disable",
    "effort",
    "endpoint",
    "experimental",
    "fallback",
    "fast",
    "file",
    "format",
    "home",
    "host",
    "key",
    "language",
    "large",
    "level",
    "limit",
    "locale",
    "log",
    "logs",
    "main",
    "max",
    "min",
    "model",
    "models",
    "ms",
    "name",
    "organization",
    "output",
    "project",
    "provider",
    "reasoning",
    "region",
    "request",
    "resource",
    "retries",
    "retry",
    "root",
    "seconds",
    "settings",
    "small",
    "state",
    "stream",
    "telemetry",
    "temperature",
    "theme",
    "thinking",
    "tier",
    "timeout",
    "token",
    "tokens",
    "top",
    "type",
    "uri",
    "url",
    "version",
    "weak",
    "window",
    "wire",
];

/// Agents and providers, which most names begin with.
const OWNERS: &[&str] = &[
    "aider",
    "amp",
    "anthropic",
    "azure",
    "bedrock",
    "claude",
    "clown",
    "code",
    "codex",
    "copilot",
    "crush",
    "cursor",
    "deepseek",
    "droid",
    "factory",
    "fireworks",
    "gemini",
    "goose",
    "grok",
    "groq",
    "haiku",
    "kimi",
    "litellm",
    "lmstudio",
    "minimax",
    "mistral",
    "moonshot",
    "ollama",
    "openai",
    "opencode",
    "openrouter",
    "opus",
    "pi",
    "qwen",
    "sonnet",
    "together",
    "vertex",
    "vllm",
    "xai",
    "zai",
];

/// Whether a member's name has known words only, and the words of `own`.
pub(super) fn are_members(name: &str, own: &str) -> bool {
    let own = words_of(own);
    words_of(name)
        .iter()
        .all(|word| MEMBERS.contains(&word.as_str()) || is_owner(word, &own))
}

/// Whether a variable's name has known words only, and the words of `own`, and more than those: a
/// name that is an owner's alone can mean anything.
pub(super) fn are_variables(name: &str, own: &str) -> bool {
    let own = words_of(own);
    let words = words_of(name);
    let known = |word: &String| VARIABLES.contains(&word.as_str());
    words.iter().any(known) && words.iter().all(|word| known(word) || is_owner(word, &own))
}

fn is_owner(word: &String, own: &[String]) -> bool {
    OWNERS.contains(&word.as_str()) || own.contains(word)
}

/// In lower case, without numbers at their ends: `baseURL2` is `base` and `url`.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        after_lower = letter.is_lowercase();
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words
        .iter()
        .map(|word| word.trim_end_matches(|letter: char| letter.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_every_way_of_writing() {
        let check = |name: &str, words: &[&str]| assert_eq!(words_of(name), words, "{name}");
        check("ANTHROPIC_BASE_URL", &["anthropic", "base", "url"]);
        check("baseURL2", &["base", "url"]);
        check("max-context_size", &["max", "context", "size"]);
        check("$schema", &["schema"]);
        check("2", &[]);
        check("", &[]);
    }

    #[test]
    fn lists_are_sorted_and_in_lower_case() {
        for list in [MEMBERS, VARIABLES, OWNERS] {
            assert!(list.iter().all(|word| word.to_lowercase() == **word));
            let twice = list.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None);
        }
    }
}
