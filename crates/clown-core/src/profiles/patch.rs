//! From the members of a request to a definition.

use super::definition::{Definition, MEMBERS, OWN_LOGIN};
use super::document::unwritable;
use super::error::ProfileError;
use super::mcp::McpDefinition;
use crate::keys::{KeySource, Secret};
use clown_mask::MASK;
use serde_json::{Map, Value};

/// Members that are told, not set.
const TOLD: [&str; 5] = ["alias", "created_at", "updated_at", "last_used", "fault"];

/// A key as a request gives it.
#[derive(Debug)]
pub enum NewKey {
    /// The key itself, to be stored.
    Value(Secret),
    /// Where it comes from.
    Source(KeySource),
}

/// What a request asks for.
#[derive(Debug)]
pub struct Wanted {
    /// The definition, with the old key's source where the request names no key.
    pub definition: Definition,
    /// The new key. The definition's `key` is already set if it is a source.
    pub key: Option<Secret>,
}

/// Applies a merge patch (RFC 7396) to `current`; to nothing for a new profile.
pub fn apply(
    current: Option<&Definition>,
    patch: Map<String, Value>,
) -> Result<Wanted, ProfileError> {
    refuse_unknown(&patch)?;
    let mut members = match current.map(serde_json::to_value) {
        Some(Ok(Value::Object(members))) => members,
        _ => Map::new(),
    };
    let mut stored = None;
    for (name, value) in patch {
        match (name.as_str(), value) {
            ("key", Value::Null) => {
                members.remove("key");
            }
            ("key", value) => match new_key(value)? {
                NewKey::Value(secret) => stored = Some(secret),
                NewKey::Source(source) => {
                    let source = serde_json::to_value(source)
                        .map_err(|error| ProfileError::invalid("key", error.to_string()))?;
                    members.insert("key".to_owned(), source);
                }
            },
            (_, value) => merge(&mut members, name, value),
        }
    }
    if current.is_none() && !members.contains_key("provider_id") {
        members.insert("provider_id".to_owned(), OWN_LOGIN.into());
    }
    for name in MEMBERS {
        check_form(name, members.get(name))?;
    }
    let definition = serde_json::from_value(Value::Object(members))
        .map_err(|error| ProfileError::invalid("profile", error.to_string()))?;
    Ok(Wanted {
        definition,
        key: stored,
    })
}

fn refuse_unknown(patch: &Map<String, Value>) -> Result<(), ProfileError> {
    let known = |name: &str| MEMBERS.contains(&name) || TOLD.contains(&name);
    let names: Vec<String> = patch.keys().filter(|name| !known(name)).cloned().collect();
    if !names.is_empty() {
        return Err(ProfileError::UnknownMembers { names });
    }
    match patch.keys().find(|name| TOLD.contains(&name.as_str())) {
        Some(name) if name == "alias" => Err(ProfileError::invalid(
            "alias",
            "a profile cannot be renamed: create one under the new name and delete this one",
        )),
        Some(name) => Err(ProfileError::invalid(
            name.as_str(),
            "this member is told by the daemon and cannot be set: leave it out",
        )),
        None => Ok(()),
    }
}

/// One member of a merge patch.
pub(crate) fn merge(target: &mut Map<String, Value>, name: String, patch: Value) {
    match patch {
        Value::Null => {
            target.remove(&name);
        }
        Value::Object(members) => {
            let inner = target.entry(name).or_insert_with(|| Map::new().into());
            if !inner.is_object() {
                *inner = Map::new().into();
            }
            if let Value::Object(inner) = inner {
                for (name, value) in members {
                    merge(inner, name, value);
                }
            }
        }
        other => {
            target.insert(name, other);
        }
    }
}

fn new_key(value: Value) -> Result<NewKey, ProfileError> {
    let refused = || {
        ProfileError::invalid(
            "key",
            "give exactly one of {\"value\"}, {\"env\"}, {\"command\"}, {\"file\"} or {\"store\"}, each with a text that is not empty",
        )
    };
    let Value::Object(members) = value else {
        return Err(refused());
    };
    let mut members = members.into_iter();
    let (Some((way, Value::String(text))), None) = (members.next(), members.next()) else {
        return Err(refused());
    };
    if text.trim().is_empty() || text.contains('\0') {
        return Err(refused());
    }
    match way.as_str() {
        "value" => Ok(NewKey::Value(Secret::new(text))),
        "env" | "command" | "file" | "store" => KeySource::from_member(&way, &text)
            .map(NewKey::Source)
            .map_err(|error| ProfileError::invalid("key", error.to_string())),
        _ => Err(refused()),
    }
}

/// Refuses what a definition cannot hold, by the member's name and place.
fn check_form(name: &str, value: Option<&Value>) -> Result<(), ProfileError> {
    let text = |member: &str, value: &Value| match value.as_str() {
        Some(text) if text.contains('\0') => {
            Err(ProfileError::invalid(member, "the text holds a NUL byte"))
        }
        Some(_) => Ok(()),
        None => Err(ProfileError::invalid(member, "this must be a text")),
    };
    match (name, value) {
        ("agent_id", None) => Err(ProfileError::invalid(
            "agent_id",
            "this member is required: `clown agents list` shows the agents",
        )),
        (_, None) => Ok(()),
        ("env", Some(Value::Object(variables))) => {
            variables.iter().try_for_each(|(name, value)| {
                if name.is_empty() || name.contains(['=', '\0']) {
                    return Err(ProfileError::invalid(
                        "env",
                        format!("{name:?} cannot name a variable"),
                    ));
                }
                text(&format!("env.{name}"), value)
            })
        }
        ("args", Some(Value::Array(items))) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| text(&format!("args[{index}]"), item)),
        ("args", Some(_)) => Err(ProfileError::invalid(
            "args",
            "this must be a list of texts",
        )),
        ("hooks_config" | "proxy_config", Some(value @ Value::Object(_))) => {
            match unwritable(value) {
                None => Ok(()),
                Some(place) => Err(ProfileError::invalid(
                    format!("{name}{place}"),
                    "a profile's file cannot hold this value (null, or a number above 2^63)",
                )),
            }
        }
        ("mcp_servers", Some(Value::Object(servers))) => {
            servers.iter().try_for_each(|(name, server)| {
                if !is_server_name(name) {
                    return Err(ProfileError::invalid(
                        "mcp_servers",
                        format!(
                            "{name:?} cannot name a server: use 1 to 64 letters, digits, underscores or hyphens"
                        ),
                    ));
                }
                let invalid = |message: String| {
                    ProfileError::invalid(format!("mcp_servers.{name}"), message)
                };
                let server = serde_json::from_value::<McpDefinition>(server.clone())
                    .map_err(|error| invalid(error.to_string()))?;
                if server.is_masked() {
                    return Err(invalid(format!(
                        "{MASK} is what answers show in place of a value: leave the member out of the patch to keep it"
                    )));
                }
                Ok(())
            })
        }
        ("env" | "hooks_config" | "mcp_servers" | "proxy_config", Some(_)) => {
            Err(ProfileError::invalid(name, "this must be an object"))
        }
        ("key", Some(_)) => Ok(()),
        ("agent_id" | "provider_id" | "endpoint_id" | "model" | "small_model", Some(value)) => {
            text(name, value)?;
            match value.as_str() {
                Some("") => Err(ProfileError::invalid(name, "the text is empty")),
                _ => Ok(()),
            }
        }
        (_, Some(value)) => text(name, value),
    }
}

/// What every agent takes as a server's name, and what is one name in TOML too.
fn is_server_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_patch_merges_and_null_removes() {
        let current = apply(
            None,
            object(json!({"agent_id": "claude", "model": "a", "env": {"A": "1", "B": "2"}})),
        )
        .unwrap()
        .definition;
        let check = |patch: Value, expected: Value| {
            let wanted = apply(Some(&current), object(patch)).unwrap();
            assert_eq!(serde_json::to_value(wanted.definition).unwrap(), expected);
        };
        check(
            json!({"model": null, "env": {"A": null, "C": "3"}}),
            json!({"agent_id": "claude", "provider_id": "self", "env": {"B": "2", "C": "3"}}),
        );
        check(
            json!({"small_model": "s", "mcp_servers": {"a": {"command": "x", "args": null}}}),
            json!({"agent_id": "claude", "provider_id": "self", "model": "a", "small_model": "s",
                   "env": {"A": "1", "B": "2"}, "mcp_servers": {"a": {"command": "x"}}}),
        );
        check(
            json!({"env": null, "key": {"env": "K"}}),
            json!({"agent_id": "claude", "provider_id": "self", "model": "a", "key": {"env": "K"}}),
        );
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |patch: Value, part: &str| {
            let error = apply(None, object(patch.clone())).unwrap_err().to_string();
            assert!(error.contains(part), "{patch}: {error}");
        };
        check(json!({}), "agent_id");
        check(
            json!({"agent_id": "x", "modle": "y", "enw": 1}),
            "\"modle\", \"enw\"",
        );
        check(json!({"agent_id": "x", "alias": "y"}), "renamed");
        check(json!({"agent_id": "x", "created_at": "y"}), "created_at");
        check(json!({"agent_id": 5}), "agent_id: this must be a text");
        check(json!({"agent_id": "x", "env": {"A": 1}}), "env.A");
        check(json!({"agent_id": "x", "env": {"A=": "1"}}), "\"A=\"");
        check(
            json!({"agent_id": "x", "env": []}),
            "env: this must be an object",
        );
        check(json!({"agent_id": "x", "args": ["a", null]}), "args[1]");
        check(json!({"agent_id": "x", "model": ""}), "model");
        check(
            json!({"agent_id": "x", "hooks_config": {"a": [null]}}),
            "hooks_config.a[0]",
        );
        check(json!({"agent_id": "x", "small_model": ""}), "small_model");
        check(
            json!({"agent_id": "x", "mcp_servers": []}),
            "mcp_servers: this must be an object",
        );
        check(
            json!({"agent_id": "x", "mcp_servers": {"a b": {"command": "x"}}}),
            "\"a b\"",
        );
        check(
            json!({"agent_id": "x", "mcp_servers": {"a": {"comand": "x"}}}),
            "mcp_servers.a: unknown field `comand`",
        );
        check(
            json!({"agent_id": "x", "mcp_servers": {"a": {"command": "x", "env": {"A": MASK}}}}),
            "in place of a value",
        );
        check(
            json!({"agent_id": "x", "mcp_servers": {"a": {"url": format!("http://b?t={MASK}")}}}),
            "in place of a value",
        );
        check(
            json!({"agent_id": "x", "mcp_servers": {"a": {"command": ["x"]}}}),
            "mcp_servers.a",
        );
        check(json!({"agent_id": "x", "key": "secret"}), "exactly one");
        check(
            json!({"agent_id": "x", "key": {"env": "A", "file": "b"}}),
            "exactly one",
        );
        check(
            json!({"agent_id": "x", "key": {"store": "../other"}}),
            "cannot name a stored key",
        );
        check(
            json!({"agent_id": "x", "key": {"keyring": "other"}}),
            "exactly one",
        );
    }

    #[test]
    fn a_key_is_never_part_of_the_definition() {
        let wanted = apply(
            None,
            object(json!({"agent_id": "x", "key": {"value": "s3cret"}})),
        )
        .unwrap();
        assert!(wanted.definition.key.is_none());
        assert!(wanted.key.is_some());
        assert!(!format!("{wanted:?}").contains("s3cret"));
    }
}
