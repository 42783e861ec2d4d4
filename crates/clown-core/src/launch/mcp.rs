use super::{LaunchError, Member, Wanted, plan};
use crate::agents::{AgentManifest, McpFile, McpTemplate, McpValues};
use clown_mask as mask;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A server of the Model Context Protocol that an agent is to use.
#[derive(Clone, PartialEq, Eq)]
pub enum McpServer {
    /// A program that the agent starts.
    Stdio {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its variables, which may hold secrets.
        env: BTreeMap<String, String>,
    },
    /// A server that answers at an address.
    Http {
        /// The address.
        url: String,
        /// Headers of each request, which may hold secrets.
        headers: BTreeMap<String, String>,
    },
}

impl McpServer {
    fn kind(&self) -> &'static str {
        match self {
            Self::Stdio { .. } => "stdio",
            Self::Http { .. } => "http",
        }
    }

    fn values<'a>(&'a self, name: &'a str) -> McpValues<'a> {
        let mut values = McpValues {
            name,
            ..McpValues::default()
        };
        match self {
            Self::Stdio { command, args, env } => {
                values.command = command;
                values.args = args;
                values.env = Some(env);
            }
            Self::Http { url, headers } => {
                values.url = url;
                values.headers = Some(headers);
            }
        }
        values
    }

    /// What must not be shown.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let (named, url) = match self {
            Self::Stdio { env, .. } => (env, None),
            Self::Http { url, headers } => (headers, Some(url)),
        };
        // One with more than plain parts can hold a token in them.
        let url = url.filter(|url| mask::bare_address(url) != **url);
        named.values().chain(url).map(String::as_str)
    }
}

/// Names of variables and headers only: their values may be secrets. Arguments and addresses may
/// hold some too.
impl fmt::Debug for McpServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdio { command, args, env } => formatter
                .debug_struct("Stdio")
                .field("command", command)
                .field("args", &args.len())
                .field("env", &env.keys())
                .finish(),
            Self::Http { headers, .. } => formatter
                .debug_struct("Http")
                .field("headers", &headers.keys())
                .finish_non_exhaustive(),
        }
    }
}

/// What has to stand in the agent's file for these servers.
pub fn members(
    agent: &AgentManifest,
    file: &McpFile,
    servers: &BTreeMap<String, McpServer>,
) -> Result<Vec<Member>, LaunchError> {
    let mut members = Vec::new();
    for (name, server) in servers {
        let template = template_for(agent, file, name, server)?;
        let values = server.values(name);
        let at = vec![file.member.clone(), name.clone()];
        let rendered = template
            .render(&values)
            .map_err(|source| LaunchError::Template {
                agent: agent.id.as_str().to_owned(),
                place: format!("mcp.{}", server.kind()),
                source,
            })?;
        let first = members.len();
        plan::add_value(at, Value::Object(rendered), &mut members);
        for member in &mut members[first..] {
            member.secret = server.secrets().any(|secret| holds(&member.wanted, secret));
        }
    }
    Ok(members)
}

fn template_for<'a>(
    agent: &AgentManifest,
    file: &'a McpFile,
    name: &str,
    server: &McpServer,
) -> Result<&'a McpTemplate, LaunchError> {
    let template = match server {
        McpServer::Stdio { .. } => &file.stdio,
        McpServer::Http { .. } => &file.http,
    };
    template.as_ref().ok_or_else(|| LaunchError::NoMcpKind {
        agent: agent.id.as_str().to_owned(),
        server: name.to_owned(),
        kind: server.kind(),
    })
}

fn holds(wanted: &Wanted, secret: &str) -> bool {
    let (Wanted::Value(value) | Wanted::Element(value)) = wanted;
    !secret.is_empty() && holds_text(value, secret)
}

fn holds_text(value: &Value, secret: &str) -> bool {
    match value {
        Value::String(text) => text.contains(secret),
        Value::Array(items) => items.iter().any(|item| holds_text(item, secret)),
        Value::Object(members) => members.values().any(|member| holds_text(member, secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
