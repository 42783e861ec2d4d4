//! Secrets that people put where none belongs.

use clown_mask::{has_secret, is_secret_after};
use serde_json::{Map, Value};

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
