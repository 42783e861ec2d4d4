//! What a profile of a file would do with keys that are kept here.

use clown_api::Export;
use clown_mask::is_secret_name;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// In what a profile of a file differs from the one that is there: a key could go elsewhere by all but
/// its models. A secret variable that an export leaves out is no difference.
pub(super) fn differences(members: &Map<String, Value>, before: &Export) -> Vec<String> {
    fn is_empty(value: &Value) -> bool {
        match value {
            Value::Object(members) => members.values().all(is_empty),
            Value::Array(items) => items.is_empty(),
            _ => false,
        }
    }
    let empty = Map::new();
    let was = before.profiles.first().unwrap_or(&empty);
    let names: BTreeSet<&String> = members.keys().chain(was.keys()).collect();
    let of =
        |all: &Map<String, Value>, name: &str| all.get(name).filter(|it| !is_empty(it)).cloned();
    let mut differing: Vec<String> = names
        .into_iter()
        .filter(|name| !["alias", "model", "small_model"].contains(&name.as_str()))
        .filter(|name| of(members, name) != of(was, name))
        .cloned()
        .collect();
    // What a server has in its environment may say where it is fetched from.
    let servers = "mcp_servers";
    let is_variable = |place: &String| {
        let variable = place.split_once(": mcp_servers.");
        let variable = variable.and_then(|(_, place)| place.split_once(".env."));
        variable.is_some_and(|(_, name)| !is_secret_name(name))
    };
    if before.left_out.iter().any(is_variable) && !differing.iter().any(|name| name == servers) {
        differing.push(servers.to_owned());
    }
    differing
}

/// The stored keys that a profile's proxy names.
pub(super) fn proxy_stores(members: &Map<String, Value>) -> Vec<&str> {
    let keys = members.get("proxy_config").and_then(|it| it.get("keys"));
    let keys = keys.and_then(Value::as_object);
    let sources = keys
        .into_iter()
        .flat_map(Map::values)
        .flat_map(|value| match value {
            Value::Array(items) => items.iter().collect::<Vec<_>>(),
            one => vec![one],
        });
    sources
        .filter_map(|source| source.get("store")?.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_makes_a_profile_another_one() {
        let of = |members: Value| members.as_object().cloned().unwrap();
        let here = json!({"alias": "a", "agent_id": "claude", "model": "m", "key": {"store": "k"},
            "env": {"A": "1"}, "args": [], "mcp_servers": {"s": {"command": "npx"}}});
        let check = |file: Value, left_out: &[&str], expected: &[&str]| {
            let before = Export {
                format: 1,
                profiles: vec![of(here.clone())],
                keys: Vec::new(),
                left_out: left_out.iter().map(|it| (*it).to_owned()).collect(),
            };
            assert_eq!(differences(&of(file), &before), expected);
        };
        let with = |name: &str, value: Value| {
            let mut file = of(here.clone());
            file.insert(name.to_owned(), value);
            Value::Object(file)
        };
        check(here.clone(), &[], &[]);
        check(with("model", "other".into()), &[], &[]);
        check(with("proxy_config", json!({})), &[], &[]);
        check(with("env", json!({})), &[], &["env"]);
        check(with("key", json!({"store": "other"})), &[], &["key"]);
        check(with("working_dir", "/srv".into()), &[], &["working_dir"]);
        check(with("mcp_servers", json!({})), &[], &["mcp_servers"]);
        let secrets = [
            "a: env.MY_TOKEN",
            "a: mcp_servers.s.env.TOKEN",
            "a: mcp_servers.s.url",
        ];
        check(here.clone(), &secrets, &[]);
        let source = ["a: mcp_servers.s.env.NPM_CONFIG_REGISTRY"];
        check(here.clone(), &source, &["mcp_servers"]);
    }
}
