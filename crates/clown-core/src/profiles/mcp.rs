//! How a profile's file names servers of the Model Context Protocol.

use crate::launch::McpServer;
use clown_mask::{self as mask, MASK};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One server: a program that the agent starts, or an address. Written `{ command = "…" }` with
/// `args` and `env`, or `{ url = "…" }` with `headers`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub enum McpDefinition {
    /// A program.
    Command {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its variables, which may hold secrets.
        env: BTreeMap<String, String>,
    },
    /// An address.
    Url {
        /// The address.
        url: String,
        /// Headers of each request, which may hold secrets.
        headers: BTreeMap<String, String>,
    },
}

impl McpDefinition {
    /// As a run takes it.
    pub fn server(&self) -> McpServer {
        match self.clone() {
            Self::Command { command, args, env } => McpServer::Stdio { command, args, env },
            Self::Url { url, headers } => McpServer::Http { url, headers },
        }
    }

    /// Leaves out what may be a secret: values of its variables or headers, and parts of its
    /// address. Tells the places.
    pub(super) fn leave_secrets_out(&mut self) -> Vec<String> {
        let mut left_out = Vec::new();
        if let Self::Url { url, .. } = self {
            let bare = mask::bare_address(url);
            if bare != *url {
                left_out.push("url (what may be a secret in its path or query)".to_owned());
                *url = bare;
            }
        }
        let (member, named) = match self {
            Self::Command { env, .. } => ("env", env),
            Self::Url { headers, .. } => ("headers", headers),
        };
        let names = std::mem::take(named).into_keys();
        left_out.extend(names.map(|name| format!("{member}.{name}")));
        left_out
    }

    /// What may be a secret: the values of its variables or headers, and an address that has
    /// more than plain parts.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let (named, url) = match self {
            Self::Command { env, .. } => (env, None),
            Self::Url { url, headers } => (headers, Some(url)),
        };
        let url = url.filter(|url| mask::bare_address(url) != **url);
        named.values().chain(url).map(String::as_str)
    }

    /// Whether a value in it is what answers show in its place.
    pub(super) fn is_masked(&self) -> bool {
        match self {
            Self::Command { env, .. } => env.values().any(|value| value == MASK),
            Self::Url { url, headers } => {
                url.contains(MASK) || headers.values().any(|value| value == MASK)
            }
        }
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for McpDefinition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { command, env, .. } => formatter
                .debug_struct("Command")
                .field("command", command)
                .field("env", &env.keys())
                .finish_non_exhaustive(),
            Self::Url { headers, .. } => formatter
                .debug_struct("Url")
                .field("headers", &headers.keys())
                .finish_non_exhaustive(),
        }
    }
}

/// A server makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMcp {
    /// Neither kind, or both.
    #[error(
        "a server has either `command` (with `args` and `env`) or `url` (with `headers`), and exactly one of the two"
    )]
    Kind,
    /// A program with an address's member, or the other way round.
    #[error("`{member}` does not belong to a server that has `{kind}`: leave it out")]
    Stray {
        /// The member.
        member: &'static str,
        /// `command` or `url`.
        kind: &'static str,
    },
    /// Not an address.
    #[error("`url` must begin with http:// or https:// and hold no blanks")]
    Url,
    /// Not the name of a variable or header, or a value that neither can have.
    #[error("{name:?} cannot name {what}, or has a value that holds a NUL byte or a line break")]
    Pair {
        /// The name.
        name: String,
        /// `a variable` or `a header`.
        what: &'static str,
    },
    /// A text with a NUL byte.
    #[error("`{0}` is empty or holds a NUL byte")]
    Text(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    args: Vec<String>,
    #[serde(
        default,
        deserialize_with = "texts",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(
        default,
        deserialize_with = "texts",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    headers: BTreeMap<String, String>,
}

/// Its error does not repeat what stands there instead, which may be a secret.
fn texts<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    BTreeMap::deserialize(deserializer).map_err(|_| {
        serde::de::Error::custom("`env` and `headers` must be tables of names and texts")
    })
}

impl TryFrom<Form> for McpDefinition {
    type Error = InvalidMcp;

    fn try_from(form: Form) -> Result<Self, InvalidMcp> {
        let Form {
            command,
            args,
            env,
            url,
            headers,
        } = form;
        let stray = |member, kind| Err(InvalidMcp::Stray { member, kind });
        match (command, url) {
            (Some(command), None) => {
                if command.trim().is_empty() || command.contains('\0') {
                    return Err(InvalidMcp::Text("command"));
                }
                if args.iter().any(|argument| argument.contains('\0')) {
                    return Err(InvalidMcp::Text("args"));
                }
                if !headers.is_empty() {
                    return stray("headers", "command");
                }
                check_pairs(
                    &env,
                    "a variable",
                    |name| !name.contains(['=', '\0']),
                    &['\0'],
                )?;
                Ok(Self::Command { command, args, env })
            }
            (None, Some(url)) => {
                let is_address = ["http://", "https://"].iter().any(|scheme| {
                    url.strip_prefix(scheme)
                        .is_some_and(|rest| !rest.is_empty())
                });
                if !is_address || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
                    return Err(InvalidMcp::Url);
                }
                if !args.is_empty() {
                    return stray("args", "url");
                }
                if !env.is_empty() {
                    return stray("env", "url");
                }
                let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                check_pairs(
                    &headers,
                    "a header",
                    |name| name.chars().all(is_token),
                    &['\0', '\r', '\n'],
                )?;
                Ok(Self::Url { url, headers })
            }
            _ => Err(InvalidMcp::Kind),
        }
    }
}

/// The error repeats the name and never the value.
fn check_pairs(
    pairs: &BTreeMap<String, String>,
    what: &'static str,
    is_name: impl Fn(&str) -> bool,
    refused: &[char],
) -> Result<(), InvalidMcp> {
    let wrong = pairs
        .iter()
        .find(|(name, value)| name.is_empty() || !is_name(name) || value.contains(refused));
    match wrong {
        None => Ok(()),
        Some((name, _)) => Err(InvalidMcp::Pair {
            name: name.chars().take(80).collect(),
            what,
        }),
    }
}

impl From<McpDefinition> for Form {
    fn from(server: McpDefinition) -> Self {
        let mut form = Self {
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            url: None,
            headers: BTreeMap::new(),
        };
        match server {
            McpDefinition::Command { command, args, env } => {
                form.command = Some(command);
                form.args = args;
                form.env = env;
            }
            McpDefinition::Url { url, headers } => {
                form.url = Some(url);
                form.headers = headers;
            }
        }
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn servers_that_are_and_servers_that_are_not() {
        let check = |value: Value, refused: Option<&str>| {
            let read = serde_json::from_value::<McpDefinition>(value.clone());
            match (read, refused) {
                (Ok(server), None) => assert_eq!(serde_json::to_value(server).unwrap(), value),
                (Err(error), Some(part)) => {
                    let error = error.to_string();
                    assert!(error.contains(part), "{value}: {error}");
                    assert!(!error.contains("s3cret"), "{value}: {error}");
                }
                (read, _) => panic!("{value}: {read:?}"),
            }
        };
        check(json!({"command": "npx"}), None);
        check(
            json!({"command": "npx", "args": ["-y", "x"], "env": {"A": "1"}}),
            None,
        );
        check(
            json!({"url": "https://x/mcp", "headers": {"Authorization": "Bearer s3cret"}}),
            None,
        );
        check(json!({}), Some("exactly one"));
        check(
            json!({"command": "a", "url": "http://b"}),
            Some("exactly one"),
        );
        check(json!({"command": " "}), Some("command"));
        check(
            json!({"command": "a", "headers": {"A": "s3cret"}}),
            Some("headers"),
        );
        check(json!({"url": "http://b", "args": ["s3cret"]}), Some("args"));
        check(
            json!({"url": "http://b", "env": {"A": "s3cret"}}),
            Some("env"),
        );
        check(json!({"url": "ftp://b"}), Some("http://"));
        check(json!({"url": "http://"}), Some("http://"));
        check(json!({"url": "http://a b"}), Some("blanks"));
        check(json!({"command": "a", "env": {"A=": "s3cret"}}), Some("A="));
        check(
            json!({"command": "a", "env": {"A": "s3cret\0"}}),
            Some("\"A\""),
        );
        check(
            json!({"url": "http://b", "headers": {"A B": "s3cret"}}),
            Some("A B"),
        );
        check(
            json!({"url": "http://b", "headers": {"A": "s3cret\r\nB: c"}}),
            Some("\"A\""),
        );
        check(json!({"command": "a", "cmd": "b"}), Some("cmd"));
        check(json!({"command": "a", "env": "s3cret"}), Some("tables"));
        check(
            json!({"url": "http://b", "headers": {"A": ["s3cret"]}}),
            Some("tables"),
        );
    }

    #[test]
    fn values_are_not_shown() {
        let server: McpDefinition =
            serde_json::from_value(json!({"command": "a", "env": {"A": "s3cret"}})).unwrap();
        assert!(!format!("{server:?}").contains("s3cret"));
    }
}
