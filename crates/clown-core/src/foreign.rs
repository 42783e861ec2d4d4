//! What manifests of a registry may not say, whatever they describe: names by which programs run
//! something else than what they are, or send things to elsewhere, and texts that are more than text.

use regex_lite::Regex;
use std::sync::LazyLock;

/// Parts of names by which agents and what they start run other things, or ask less before they do.
/// Sought in any case of letters.
const WORDS: [(&str, &str); 42] = [
    ("command", RUNS),
    ("cmd", RUNS),
    ("exec", RUNS),
    ("shell", RUNS),
    ("bash", RUNS),
    ("script", RUNS),
    ("program", RUNS),
    ("binary", RUNS),
    ("launcher", RUNS),
    ("wrapper", RUNS),
    ("interpreter", RUNS),
    ("editor", RUNS),
    ("pager", RUNS),
    ("browser", RUNS),
    ("askpass", RUNS),
    ("fsmonitor", RUNS),
    ("hook", "programs are run at events by it"),
    ("notify", "programs are run at events by it"),
    ("statusline", "programs are run for a line by it"),
    ("helper", "programs are run for keys by it"),
    ("refresh", "programs are run for keys by it"),
    ("credential", "programs are run for keys by it"),
    ("formatter", "programs are run over files by it"),
    ("lint", "programs are run over files by it"),
    ("lsp", "language servers are started by it"),
    ("mcp", "servers are started by it"),
    ("tool", "tools are added or allowed by it"),
    ("plugin", LOADS),
    ("extension", LOADS),
    ("npm", LOADS),
    ("preload", LOADS),
    ("module", LOADS),
    ("path", "programs and code are found by it"),
    ("permission", ASKS_LESS),
    ("approv", ASKS_LESS),
    ("sandbox", ASKS_LESS),
    ("trust", ASKS_LESS),
    ("bypass", ASKS_LESS),
    ("yolo", ASKS_LESS),
    ("always", ASKS_LESS),
    ("instruction", "models are told by it what to do"),
    ("prompt", "models are told by it what to do"),
];
const RUNS: &str = "programs are run by it";
const LOADS: &str = "code is loaded by it";
const ASKS_LESS: &str = "agents ask less by it before they act";

/// Tables of variables, in which any name could stand.
const TABLES_OF_VARIABLES: [&str; 4] = ["env", "environment", "set_env", "setenv"];

/// Variables by which loaders, shells and interpreters run other code, find other programs, or let
/// others listen.
const VARIABLES: [&str; 18] = [
    "PATH",
    "HOME",
    "SHELL",
    "IFS",
    "ENV",
    "PROMPT_COMMAND",
    "NODE_OPTIONS",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYLIB",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "VISUAL",
    "GIT_SSH",
    "GIT_EXTERNAL_DIFF",
    "RUSTC_WRAPPER",
];
const PREFIXES: [&str; 6] = [
    "LD_",
    "DYLD_",
    "GIT_CONFIG",
    "CLOWN_PROFILE",
    "CLOWN_TOKEN",
    "XDG_CONFIG",
];
/// Parts of names of variables alone.
const PARTS: [(&str, &str); 5] = [
    ("config_content", "configuration is carried by it"),
    ("proxy", "what is sent passes through another machine by it"),
    ("_ca_", "other machines are trusted by it"),
    ("cert", "other machines are trusted by it"),
    ("tls_", "other machines are trusted by it"),
];

/// Why this name of a member may not be set; None if it may.
pub fn refused_member(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if TABLES_OF_VARIABLES.contains(&lower.as_str()) {
        return Some("variables are set by it");
    }
    // Some files of agents hold variables.
    is_loaders(name)
        .then_some(LOADS)
        .or_else(|| reason(&WORDS, &lower))
}

/// Why this variable may not be set; None if it may.
pub fn refused_variable(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    is_loaders(name)
        .then_some("other programs could be run by it")
        .or_else(|| reason(&PARTS, &lower))
        .or_else(|| reason(&WORDS, &lower))
}

/// Whether the name says that an address stands there.
pub fn is_address(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    [
        "url", "uri", "host", "endpoint", "api_base", "apibase", "server", "gateway",
    ]
    .iter()
    .any(|part| lower.contains(part))
}

/// Whether the text is a name for people, and plain.
pub fn is_plain_name(text: &str) -> bool {
    is_plain(&text.replace(['(', ')', '&', '\''], ""))
}

/// Whether the text can stand in any file and variable and is nothing but itself there: some agents
/// run what stands in `$(…)`, and read files for `{file:…}`.
pub fn is_plain(text: &str) -> bool {
    has_plain_signs(text) && !text.contains("://")
}

fn has_plain_signs(text: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || " ._/@,:+=-".contains(letter);
    text.chars().all(plain)
}

fn is_loaders(name: &str) -> bool {
    VARIABLES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn reason(parts: &[(&str, &'static str)], lower: &str) -> Option<&'static str> {
    let part = parts.iter().find(|(part, _)| lower.contains(part));
    part.map(|(_, reason)| *reason)
}

/// What an expression of a template may be. Anything else could put texts together that do not
/// stand there.
static EXPRESSION: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^\s*(?:[a-z_]+(?: or [a-z_]+)?",
        r"|[a-z_]+ if [a-z_]+ else '[A-Za-z0-9_-]*'",
        r"|\{(?:\s*'[a-z-]+'\s*:\s*'[A-Za-z0-9_/-]*'\s*,?)*\s*\}\[format\](?:\s*\|\s*default\('[A-Za-z0-9_-]*'\))?",
        r")\s*$"
    ))
});

/// Variables that texts name, as agents' own files do it.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\$\{([A-Z][A-Z0-9_]*)\}|\$([A-Z][A-Z0-9_]*)|\{env:([A-Z][A-Z0-9_]*)\}")
});

fn regex(pattern: &str) -> Regex {
    #[allow(
        clippy::expect_used,
        reason = "both patterns are above, and tests use them"
    )]
    Regex::new(pattern).expect("a pattern of this file")
}

/// Why a template may not stand where it does; None if it may. `is_own` knows the variables that the
/// manifest itself sets, which are all that it may name.
pub fn refused_template(text: &str, is_own: impl Fn(&str) -> bool) -> Option<&'static str> {
    if text.contains(['"', '\n', '\r']) {
        return Some("it has a double quote or a line break, as only configuration does");
    }
    let Some(literals) = without_tags(text) else {
        return Some("its template does more than fill in, choose and leave out");
    };
    let mut named = NAMED.captures_iter(&literals);
    let own = |found: regex_lite::Captures<'_>| {
        // A tag behind it could make it another name.
        let end = found.get(0).map_or(0, |whole| whole.end());
        let is_whole = found.get(2).is_none() || !literals[end..].starts_with(TAG);
        let name = (1..=3).find_map(|group| found.get(group));
        is_whole && name.is_some_and(|name| is_own(name.as_str()))
    };
    if !named.all(own) {
        return Some("it names a variable that the manifest does not set");
    }
    let literals = NAMED.replace_all(&literals, "").replace(TAG, "");
    if !has_plain_signs(&literals) {
        return Some("it has signs that some agents take for more than text");
    }
    // With anything between them: what stands there may come out empty.
    let is_address = literals
        .split_once(':')
        .is_some_and(|(_, behind)| behind.contains('/'));
    is_address.then_some("it has an address of its own, where only `{{ endpoint }}` may be one")
}

/// Whether the template is the endpoint, perhaps with a path behind it.
pub fn is_endpoint(text: &str) -> bool {
    let text = text
        .strip_prefix("{% if endpoint %}")
        .map_or(text, |inner| {
            inner.strip_suffix("{% endif %}").unwrap_or(inner)
        });
    let path = text.strip_prefix("{{ endpoint }}");
    path.is_some_and(|path| path.is_empty() || (path.starts_with('/') && is_plain(path)))
}

/// In the place of a tag; no template has it.
const TAG: char = '\n';

/// What stands between the tags; None if one of them is not simple.
fn without_tags(text: &str) -> Option<String> {
    let mut literals = String::new();
    let mut rest = text;
    while let Some(at) = rest
        .find("{{")
        .into_iter()
        .chain(rest.find("{%"))
        .chain(rest.find("{#"))
        .min()
    {
        literals.push_str(&rest[..at]);
        let (kind, inner) = rest[at..].split_at(2);
        let end = match kind {
            "{{" => "}}",
            "{%" => "%}",
            _ => return None,
        };
        let (tag, behind) = inner.split_once(end)?;
        let tag = tag.trim_matches('-').trim();
        let is_simple = match kind {
            "{{" => EXPRESSION.is_match(tag),
            _ => {
                tag == "else"
                    || tag == "endif"
                    || tag.starts_with("if ")
                    || tag.starts_with("elif ")
            }
        };
        if !is_simple {
            return None;
        }
        literals.push(TAG);
        rest = behind;
    }
    literals.push_str(rest);
    Some(literals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_run_or_load_something_are_known_in_any_case() {
        for name in [
            "apiKeyHelper",
            "hooks",
            "statusLine",
            "notify",
            "mcp_servers",
            "plugin",
            "npm",
            "awsAuthRefresh",
            "ENV",
            "env",
            "AIDER_LINT_CMD",
            "LD_PRELOAD",
            "permissions",
            "LSP",
            "sandbox_mode",
            "zsh_path",
        ] {
            assert!(refused_member(name).is_some(), "{name}");
        }
        for name in [
            "PATH",
            "LD_PRELOAD",
            "GIT_CONFIG_GLOBAL",
            "OPENCODE_CONFIG_CONTENT",
            "BASH_ENV",
            "GIT_SSH_COMMAND",
            "npm_config_registry",
            "HTTPS_PROXY",
            "NODE_EXTRA_CA_CERTS",
            "CLOWN_TOKEN",
            "PYTHONPATH",
            "EDITOR",
            "GOOSE_ALWAYS",
        ] {
            assert!(refused_variable(name).is_some(), "{name}");
        }
        for name in [
            "model",
            "providers",
            "clown",
            "base_url",
            "env_key",
            "X_KEY",
            "API_TIMEOUT_MS",
        ] {
            assert_eq!(refused_member(name), None, "{name}");
            assert_eq!(refused_variable(name), None, "{name}");
        }
    }

    #[test]
    fn a_template_fills_in_and_chooses_and_does_nothing_else() {
        let check = |text: &str, part: Option<&str>| {
            let refused = refused_template(text, |name| name == "X_KEY");
            match part {
                None => assert_eq!(refused, None, "{text}"),
                Some(part) => assert!(
                    refused.is_some_and(|it| it.contains(part)),
                    "{text}: {refused:?}"
                ),
            }
        };
        for good in [
            "",
            "1",
            "{{ model }}",
            "{{ small_model or model }}",
            "x/{{- model -}}",
            "{% if auth == 'own' %}{{ key }}{% endif %}",
            "{% if endpoint %}{{ key if key else 'none' }}{% else %}no{% endif %}",
            "{{ {'openai-chat': 'openai/', 'gemini': 'google'}[format] }}",
            "{{ {'gemini': 'google'}[format] | default('') }}",
            "${X_KEY}",
            "Bearer $X_KEY",
            "{env:X_KEY}",
            "custom:clown",
        ] {
            check(good, None);
        }
        check("{\"a\": 1}", Some("quote"));
        check("a\nb", Some("line break"));
        for code in [
            "{{ {'a': 'b'} }}",
            "{{ [model] }}",
            "{{ model | tojson }}",
            "{{ 'a' ~ 'b' }}",
            "{{ endpoint[:8] }}",
            "{% set a = 1 %}",
            "{# #}",
            "{% raw %}{{ x }}{% endraw %}",
            "{{ model",
            "{{ model * 2 }}",
            "{{ '\\x24' }}",
        ] {
            check(code, Some("more than fill in"));
        }
        check("https://evil.example", Some("address"));
        check("{{ model }}$AWS_SECRET_ACCESS_KEY", Some("does not set"));
        check("{env:GITHUB_TOKEN}", Some("does not set"));
        check("$X_KEY{{ model }}", Some("does not set"));
        check(
            "https:/{% if not alias %}x{% endif %}/evil",
            Some("address"),
        );
        for odd in [
            "$(reboot)",
            "`reboot`",
            "{file:/etc/passwd}",
            "${% if model %}(reboot)",
            "a;b",
            "a|b",
            "$x",
        ] {
            check(odd, Some("signs"));
        }
    }

    #[test]
    fn an_address_is_the_endpoint() {
        for good in [
            "{{ endpoint }}",
            "{{ endpoint }}/v1",
            "{% if endpoint %}{{ endpoint }}/v1{% endif %}",
        ] {
            assert!(is_endpoint(good), "{good}");
        }
        for evil in [
            "",
            "evil.example",
            "{{ model }}",
            "{{ endpoint }}.evil.example",
            "{{ endpoint }}@evil.example",
            "{{ endpoint }}/{{ model }}",
            "{% if endpoint %}evil{% endif %}",
        ] {
            assert!(!is_endpoint(evil), "{evil}");
        }
        assert!(is_address("ANTHROPIC_BASE_URL") && is_address("apiBase") && !is_address("MODEL"));
    }
}
