//! What may be a secret, by its name or its looks. The daemon masks what it knows to be one; this
//! is for what people put where none belongs.

use serde_json::{Map, Value};

/// Whether a variable or an option of this name usually holds a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 8] = [
        "KEY",
        "APIKEY",
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "CREDENTIAL",
        "AUTHORIZATION",
    ];
    // A limit on tokens is no secret.
    let name = name.to_ascii_uppercase();
    name.split(['_', '-', '.'])
        .any(|part| WORDS.contains(&part))
}

/// The places in a profile whose texts look as if a secret stood in them.
pub(crate) fn places_in(profile: &Map<String, Value>) -> Vec<String> {
    let mut places = Vec::new();
    for (name, member) in profile {
        match (name.as_str(), member) {
            ("mcp_servers", Value::Object(servers)) => {
                for (server, definition) in servers {
                    let at = format!("mcp_servers.{server}.args");
                    places_in_arguments(&at, &definition["args"], &mut places);
                }
            }
            ("args", _) => places_in_arguments("args", member, &mut places),
            ("env" | "hooks_config" | "key", _) => places_below(name, member, &mut places),
            _ => {}
        }
    }
    places
}

fn places_in_arguments(at: &str, arguments: &Value, places: &mut Vec<String>) {
    let arguments = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
    let words: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
    for (index, word) in words.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", |before| words[before]);
        if is_secret_after(before, word) || has_secret(word) {
            places.push(format!("{at}[{index}]"));
        }
    }
}

fn places_below(at: &str, value: &Value, places: &mut Vec<String>) {
    match value {
        Value::String(line) if has_secret(line) => places.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places_below(&format!("{at}[{index}]"), item, places);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                places_below(&format!("{at}.{name}"), member, places);
            }
        }
        _ => {}
    }
}

/// Whether one of the words of a line looks like a secret.
fn has_secret(line: &str) -> bool {
    let mut before = "";
    line.split_whitespace().any(|word| {
        let word = word.trim_matches(['"', '\'']);
        is_secret_after(std::mem::replace(&mut before, word), word)
    })
}

/// Whether a word looks like a secret, or is what the word before it asks for.
fn is_secret_after(before: &str, word: &str) -> bool {
    // How keys of well-known services begin.
    const BEGINNINGS: [&str; 10] = [
        "sk-",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "AKIA",
        "AIza",
    ];
    const SHORTEST: usize = 16;

    if word.len() >= SHORTEST && BEGINNINGS.iter().any(|begin| word.starts_with(begin)) {
        return true;
    }
    // What a shell or a program puts in stands elsewhere.
    let is_value = |text: &str| {
        let text = text.trim_start();
        let text = text.strip_prefix("Bearer ").unwrap_or(text);
        !text.is_empty() && !text.starts_with(['$', '-'])
    };
    let asks = before.starts_with('-') && !before.contains('=') && is_secret_name(before);
    if (asks || before.eq_ignore_ascii_case("bearer") || before.ends_with("Bearer"))
        && is_value(word)
    {
        return true;
    }
    let named = word.split_once(['=', ':']);
    if named.is_some_and(|(name, value)| is_secret_name(name) && is_value(value)) {
        return true;
    }
    word.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        authority.contains('@')
            || query.split('&').any(|piece| {
                let named = piece.split_once('=');
                named.is_some_and(|(name, value)| is_secret_name(name) && is_value(value))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_told_by_their_names() {
        let check = |name: &str, secret: bool| assert_eq!(is_secret_name(name), secret, "{name}");
        check("ANTHROPIC_API_KEY", true);
        check("github_token", true);
        check("DB_PASSWORD", true);
        check("--api-key", true);
        check("MAX_THINKING_TOKENS", false);
        check("KEYBOARD", false);
        check("API_TIMEOUT_MS", false);
    }

    #[test]
    fn secrets_are_told_by_their_looks() {
        let check = |line: &str, secret: bool| assert_eq!(has_secret(line), secret, "{line}");
        check("npx -y server --token=abc", true);
        check("server --api-key abc", true);
        check("server --api-key=abc", true);
        check("API_KEY=abc server", true);
        check("curl -H 'Authorization: Bearer abc' x", true);
        check("curl -H X-Api-Key:abc x", true);
        check("echo sk-test-0123456789", true);
        check("psql postgres://me:pw@host/db", true);
        check("curl https://x/mcp?token=abc", true);
        check("curl -H \"Authorization: Bearer $TOKEN\" x", false);
        check("server --api-key \"$KEY\"", false);
        check("server --token=$TOKEN --token --verbose", false);
        check("server --max-tokens 5 --keyboard us", false);
        check("npx -y @scope/server https://x/@scope?page=1", false);
        check("pass show work", false);
        check("op read op://work/anthropic/key", false);
        check("sk-short", false);
    }

    #[test]
    fn the_places_in_a_profile() {
        let profile = json!({
            "alias": "work",
            "model": "sk-test-0123456789",
            "args": ["--token", "abc", "--verbose"],
            "env": {"DATABASE_URL": "postgres://me:pw@host/db", "PORT": "1"},
            "hooks_config": {"Stop": [{"hooks": [{"type": "command", "command": "x --token=a"}]}]},
            "key": {"command": "echo sk-test-0123456789"},
            "mcp_servers": {
                "a": {"command": "npx", "args": ["-y", "--header", "Authorization: Bearer abc",
                                                 "--header", "Authorization: Bearer ${A}"]},
                "b": {"url": "https://x/mcp?token="},
            },
        });
        assert_eq!(
            places_in(profile.as_object().unwrap()),
            [
                "args[1]",
                "env.DATABASE_URL",
                "hooks_config.Stop[0].hooks[0].command",
                "key.command",
                "mcp_servers.a.args[2]",
            ]
        );
    }
}
