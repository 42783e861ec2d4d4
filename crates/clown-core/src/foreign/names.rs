//! Names of members and variables: some are known to run something, and have a reason of their own;
//! of the others only those with known words may be set.

use super::words;

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

/// Why a name with any other word may not be set.
const UNKNOWN: &str = "it is not known to be about models, addresses, keys or limits alone, and programs may be run by it";

/// Why nothing with this name in it may be written; None if it may.
pub fn refused_part(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if TABLES_OF_VARIABLES.contains(&lower.as_str()) {
        return Some("variables are set by it");
    }
    // Some files of agents hold variables.
    is_loaders(name)
        .then_some(LOADS)
        .or_else(|| reason(&WORDS, &lower))
}

/// Why this name of a member may not be set by the manifest `own`, which is empty for a name that is
/// not the first on the way to it; None if it may.
pub fn refused_member(name: &str, own: &str) -> Option<&'static str> {
    refused_part(name).or_else(|| (!words::are_members(name, own)).then_some(UNKNOWN))
}

/// Why this variable may not be set by the manifest `own`; None if it may.
pub fn refused_variable(name: &str, own: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    is_loaders(name)
        .then_some("other programs could be run by it")
        .or_else(|| reason(&PARTS, &lower))
        .or_else(|| reason(&WORDS, &lower))
        .or_else(|| (!words::are_variables(name, own)).then_some(UNKNOWN))
}

/// Whether the variable is one for keys of the provider `own` and nobody else: `MOON_API_KEY`.
pub fn is_own_key_variable(name: &str, own: &str) -> bool {
    let start = own.to_ascii_uppercase().replace(['-', '.'], "_");
    let rest = name.strip_prefix(start.as_str());
    let rest = rest.and_then(|rest| rest.strip_prefix('_'));
    rest.is_some_and(|rest| KEYS.contains(&rest))
}

const KEYS: [&str; 7] = [
    "API_KEY",
    "KEY",
    "API_TOKEN",
    "TOKEN",
    "AUTH_TOKEN",
    "ACCESS_TOKEN",
    "BEARER_TOKEN",
];

/// Whether the variable's name says that a file or folder stands there.
pub fn is_place(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    [
        "home", "dir", "root", "file", "config", "data", "cache", "state", "settings", "log",
    ]
    .iter()
    .any(|part| lower.contains(part))
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

fn is_loaders(name: &str) -> bool {
    VARIABLES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn reason(parts: &[(&str, &'static str)], lower: &str) -> Option<&'static str> {
    let part = parts.iter().find(|(part, _)| lower.contains(part));
    part.map(|(_, reason)| *reason)
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
            assert!(refused_part(name).is_some(), "{name}");
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
            assert!(refused_variable(name, "x").is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let check = |name: &str, member: bool, variable: bool| {
            assert_eq!(refused_member(name, "moon-x").is_none(), member, "{name}");
            assert_eq!(
                refused_variable(name, "moon-x").is_none(),
                variable,
                "{name}"
            );
        };
        for good in [
            "model",
            "base_url",
            "MOON_X_KEY",
            "API_TIMEOUT_MS",
            "OPENAI_BASE_URL",
        ] {
            check(good, true, true);
        }
        for member in [
            "providers",
            "clown",
            "moon",
            "env_key",
            "maxRetries",
            "2",
            "$moon",
        ] {
            check(member, true, member == "maxRetries");
        }
        for variable in ["MOON_HOME", "CODEX_HOME", "MOON_X_CONFIG_DIR"] {
            check(variable, false, true);
        }
        // Words of its id stand at the beginning, from the first on.
        for name in ["X_KEY", "API_MOON_KEY", "MOON_KEY_X"] {
            check(name, false, false);
        }
        // Those by which compilers, loaders and tools run programs have no end.
        for evil in [
            "CC",
            "RUSTC",
            "RUSTFLAGS",
            "MAKEFLAGS",
            "CARGO_HOME",
            "GOFLAGS",
            "_JAVA_OPTIONS",
            "ZDOTDIR",
            "GIT_DIR",
            "GIT_TEMPLATE_DIR",
            "GNUPGHOME",
            "DOCKER_CONFIG",
            "KUBECONFIG",
            "AWS_CONFIG_FILE",
            "LESSOPEN",
            "PYTHONBREAKPOINT",
            "BUNDLE_GEMFILE",
            "XDG_DATA_HOME",
            "runner",
            "rustc",
            "credsStore",
            "insteadOf",
            "mode",
        ] {
            check(evil, false, false);
        }
        for own in ["cc", "rustc", "java", "git-dir", "zdotdir"] {
            for name in [
                "CC",
                "RUSTC",
                "_JAVA_OPTIONS",
                "GIT_TEMPLATE_DIR",
                "ZDOTDIR",
            ] {
                assert!(refused_variable(name, own).is_some(), "{name} of {own}");
            }
        }
    }

    #[test]
    fn names_of_addresses_and_places_are_known() {
        assert!(is_address("ANTHROPIC_BASE_URL") && is_address("apiBase") && !is_address("MODEL"));
        assert!(is_place("X_HOME") && is_place("AMP_SETTINGS_FILE") && !is_place("X_KEY"));
    }

    #[test]
    fn a_key_is_in_a_variable_of_its_owner() {
        for good in ["MOON_X_API_KEY", "MOON_X_TOKEN"] {
            assert!(is_own_key_variable(good, "moon-x"), "{good}");
        }
        for evil in [
            "MOON_API_KEY",
            "MOON_X",
            "MOON_XAPI_KEY",
            "MOON_X_SECRET",
            "X_API_KEY",
        ] {
            assert!(!is_own_key_variable(evil, "moon-x"), "{evil}");
        }
    }
}
