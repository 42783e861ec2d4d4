//! What a profile says of its proxy.

use super::ports::PortWish;
use crate::profiles::Definition;
use serde_json::{Map, Value};

/// What is said in `proxy_config`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProxyDefinition {
    /// Whether the profile's agent goes through a proxy.
    pub enabled: bool,
    /// Where that listens.
    pub port: PortWish,
}

/// A member of `proxy_config` that cannot stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongMember {
    pub(crate) member: String,
    pub(crate) message: String,
}

const MEMBERS: [&str; 2] = ["enabled", "port"];

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
        Ok(Self { enabled, port })
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
            assert_eq!(read(members), Ok(ProxyDefinition { enabled, port }));
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
    }
}
