//! What a profile says of its proxy.

use super::ports::PortWish;
use crate::keys::KeySource;
use crate::profiles::Definition;
use clown_routes::Rules;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is said in `proxy_config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyDefinition {
    /// Whether the profile's agent goes through a proxy.
    pub enabled: bool,
    /// Where that listens.
    pub port: PortWish,
    /// Who takes which request.
    pub rules: Rules,
    /// Where the keys of providers are that rules name; more than one take turns. Those of the
    /// profile's own provider take turns with the profile's key.
    pub keys: BTreeMap<String, Vec<KeySource>>,
}

/// A member of `proxy_config` that cannot stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongMember {
    pub(crate) member: String,
    pub(crate) message: String,
}

const MEMBERS: [&str; 5] = ["enabled", "port", "aliases", "routes", "keys"];

impl ProxyDefinition {
    /// Of a profile; one whose `proxy_config` cannot stand has none.
    pub fn of(definition: &Definition) -> Self {
        let members = definition.proxy_config.as_ref();
        members
            .and_then(|members| Self::read(members).ok())
            .unwrap_or_default()
    }

    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, WrongMember> {
        let wrong = |name: &str, message: String| {
            Err(WrongMember {
                member: format!("proxy_config.{name}"),
                message,
            })
        };
        if let Some(name) = members.keys().find(|name| !MEMBERS.contains(&&***name)) {
            let message = format!("there is no such member: there are {}", MEMBERS.join(", "));
            return wrong(name, message);
        }
        let enabled = match members.get("enabled") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(enabled)) => *enabled,
            Some(_) => return wrong("enabled", "it is true or false".to_owned()),
        };
        let port = match members.get("port") {
            None | Some(Value::Null) => PortWish::Usual,
            Some(value) => match value.as_u64().map(u16::try_from) {
                Some(Ok(0)) => PortWish::Any,
                Some(Ok(port)) => PortWish::Fixed(port),
                _ => {
                    let message = "a port is a number from 1 to 65535, or 0 for any free one";
                    return wrong("port", message.to_owned());
                }
            },
        };
        let mut rules = Map::new();
        for name in ["aliases", "routes"] {
            match members.get(name) {
                None | Some(Value::Null) => {}
                Some(value) => drop(rules.insert(name.to_owned(), value.clone())),
            }
        }
        let rules = match serde_json::from_value(Value::Object(rules)) {
            Ok(rules) => rules,
            Err(error) => return wrong("routes", error.to_string()),
        };
        let mut keys = BTreeMap::new();
        match members.get("keys") {
            None | Some(Value::Null) => {}
            Some(Value::Object(given)) => {
                for (provider, value) in given {
                    let sources = match value {
                        Value::Array(items) => items.clone(),
                        one => vec![one.clone()],
                    };
                    let sources: Result<Vec<KeySource>, _> =
                        sources.into_iter().map(serde_json::from_value).collect();
                    match sources {
                        Ok(sources) => drop(keys.insert(provider.clone(), sources)),
                        Err(error) => return wrong(&format!("keys.{provider}"), error.to_string()),
                    }
                }
            }
            Some(_) => {
                let message = "it has a member for each provider, such as gemini = { env = \"GEMINI_API_KEY\" }";
                return wrong("keys", message.to_owned());
            }
        }
        Ok(Self {
            enabled,
            port,
            rules,
            keys,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_and_what_is_wrong_with_them() {
        let read = |members: Value| ProxyDefinition::read(members.as_object().unwrap());
        let check = |members: Value, enabled: bool, port: PortWish| {
            let expected = ProxyDefinition {
                enabled,
                port,
                ..ProxyDefinition::default()
            };
            assert_eq!(read(members), Ok(expected));
        };
        check(json!({}), false, PortWish::Usual);
        check(json!({"enabled": false}), false, PortWish::Usual);
        check(json!({"enabled": true, "port": 0}), true, PortWish::Any);
        check(
            json!({"enabled": true, "port": 9000}),
            true,
            PortWish::Fixed(9000),
        );
        let refused = |members: Value, member: &str| {
            let wrong = read(members).unwrap_err();
            assert_eq!(wrong.member, format!("proxy_config.{member}"));
        };
        refused(json!({"enabled": "yes"}), "enabled");
        refused(json!({"port": 65_536}), "port");
        refused(json!({"port": "9000"}), "port");
        refused(json!({"enable": true}), "enable");
        refused(json!({"routes": 7}), "routes");
        refused(json!({"routes": [{"name": "a", "too": []}]}), "routes");
        refused(json!({"keys": {"gemini": "abc"}}), "keys.gemini");
        refused(json!({"keys": 7}), "keys");
        let read = read(json!({
            "routes": [{"name": "a", "to": ["gemini/x"]}],
            "aliases": {"b": "groq/y"},
            "keys": {"gemini": {"env": "A"}, "groq": [{"env": "B"}, {"store": "c"}]},
        }));
        let read = read.unwrap();
        assert_eq!((read.rules.routes.len(), read.rules.aliases.len()), (1, 1));
        assert_eq!(read.keys["gemini"], [KeySource::Env("A".to_owned())]);
        assert_eq!(read.keys["groq"].len(), 2);
    }
}
