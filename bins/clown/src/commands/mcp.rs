use crate::commands::profiles::{change_as_seen, mcp_line};
use crate::context::Context;
use crate::failure::{CONFLICT, Failure, NOT_FOUND, USAGE};
use clap::{Args, Subcommand};
use clown_api::{McpServer, Profile};
use clown_client::Client;
use serde_json::{Map, Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum McpCommand {
    /// Give the profile's agent a server of the Model Context Protocol
    Add(AddArgs),
    /// List the profile's servers
    List {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Take a server away
    Remove {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
        /// The server
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clown mcp add work github --env GITHUB_TOKEN -- npx -y @modelcontextprotocol/server-github
  clown mcp add work search --url https://mcp.example/mcp --header-env Authorization=SEARCH_AUTH")]
pub(crate) struct AddArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// The server's name
    name: String,
    /// The program that the agent starts, with its arguments
    #[arg(
        last = true,
        value_name = "COMMAND",
        required_unless_present = "url",
        conflicts_with = "url"
    )]
    command: Vec<String>,
    /// The server's address
    #[arg(long)]
    url: Option<String>,
    /// A variable for the program: K=V, or the name alone for the value that it has here now
    #[arg(long, value_name = "K[=V]", conflicts_with = "url")]
    env: Vec<String>,
    /// A header for the address, as `Name: value`; other users see it while this command runs
    #[arg(long, value_name = "HEADER", conflicts_with = "command")]
    header: Vec<String>,
    /// A header whose value is taken from a variable of this shell now
    #[arg(long, value_name = "NAME=VAR", conflicts_with = "command")]
    header_env: Vec<String>,
    /// In place of a server of that name
    #[arg(long)]
    replace: bool,
}

pub(crate) async fn dispatch(context: &Context, command: McpCommand) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    match command {
        McpCommand::Add(args) => add(context, &client, args).await,
        McpCommand::List { alias } => list(context, &client.profile(&alias).await?),
        McpCommand::Remove { alias, name } => remove(context, &client, &alias, &name).await,
    }
}

async fn add(context: &Context, client: &Client, args: AddArgs) -> anyhow::Result<()> {
    let server = server_of(&args, |name| std::env::var(name).ok())?;
    let AddArgs {
        alias,
        name,
        replace,
        ..
    } = args;
    let changed = change_as_seen(client, &alias, |profile| {
        let present = profile.mcp_servers.get(&name);
        if present.is_some() && !replace {
            let text = format!(
                "profile {alias} has a server {name} already: give it another name, or --replace"
            );
            return Err(Failure::new(CONFLICT, text).into());
        }
        let patch = replacing(present, &server)?;
        Ok(Some(json!({"mcp_servers": {&name: patch}})))
    });
    done(context, changed.await?)
}

async fn remove(context: &Context, client: &Client, alias: &str, name: &str) -> anyhow::Result<()> {
    let changed = change_as_seen(client, alias, |profile| {
        if !profile.mcp_servers.contains_key(name) {
            let text = format!("profile {alias} has no server {name}");
            return Err(Failure::new(NOT_FOUND, text).into());
        }
        Ok(Some(match profile.mcp_servers.len() {
            1 => json!({"mcp_servers": null}),
            _ => json!({"mcp_servers": {name: null}}),
        }))
    });
    done(context, changed.await?)
}

fn done(context: &Context, changed: Option<Profile>) -> anyhow::Result<()> {
    match changed {
        Some(profile) if context.output.is_json() => context.output.json(&profile),
        Some(profile) => context.output.line(format_args!(
            "Changed the MCP servers of profile {}.",
            profile.alias
        )),
        None => Ok(()),
    }
}

fn list(context: &Context, profile: &Profile) -> anyhow::Result<()> {
    if context.output.is_json() {
        return context.output.json(&profile.mcp_servers);
    }
    for (name, server) in &profile.mcp_servers {
        let line = mcp_line(name, server);
        context.output.line(crate::table::printable(&line))?;
    }
    Ok(())
}

/// The server, with values that are to be taken from here; `variable` tells those.
fn server_of(
    args: &AddArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<McpServer> {
    let from_here = |name: &str| {
        variable(name).ok_or_else(|| {
            Failure::new(
                USAGE,
                format!("the variable {name} is not set here, or is no text"),
            )
        })
    };
    let mut words = args.command.iter().cloned();
    let mut server = McpServer {
        command: words.next(),
        args: words.collect(),
        url: args.url.clone(),
        ..McpServer::default()
    };
    for text in &args.env {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (text.as_str(), from_here(text)?),
        };
        server.env.insert(name.to_owned(), value);
    }
    for text in &args.header {
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| Failure::new(USAGE, "write a header as `Name: value`"))?;
        let header = (name.trim().to_owned(), value.trim().to_owned());
        server.headers.extend([header]);
    }
    for text in &args.header_env {
        let (name, variable) = text
            .split_once('=')
            .ok_or_else(|| Failure::new(USAGE, "write it as Name=VARIABLE"))?;
        server.headers.insert(name.to_owned(), from_here(variable)?);
    }
    Ok(server)
}

/// A merge patch that leaves nothing of what was there.
fn replacing(present: Option<&McpServer>, wanted: &McpServer) -> anyhow::Result<Value> {
    let Value::Object(mut patch) = serde_json::to_value(wanted)? else {
        anyhow::bail!("a server is written as an object");
    };
    let Some(present) = present else {
        return Ok(patch.into());
    };
    for member in ["command", "args", "env", "url", "headers"] {
        patch.entry(member).or_insert(Value::Null);
    }
    for (member, names) in [("env", &present.env), ("headers", &present.headers)] {
        if let Some(Value::Object(values)) = patch.get_mut(member) {
            let gone: Map<String, Value> = names
                .keys()
                .filter(|name| !values.contains_key(*name))
                .map(|name| (name.clone(), Value::Null))
                .collect();
            values.extend(gone);
        }
    }
    Ok(patch.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn servers_from_lines() {
        let check = |line: &[&str], expected: Option<Value>| {
            let words = ["clown", "mcp", "add", "work", "x"].iter().chain(line);
            let parsed = Cli::try_parse_from(words)
                .ok()
                .and_then(|cli| match cli.command {
                    Command::Mcp(McpCommand::Add(args)) => {
                        server_of(&args, |name| (name == "HERE").then(|| "v".to_owned())).ok()
                    }
                    _ => None,
                });
            let parsed = parsed.map(|server| serde_json::to_value(server).unwrap());
            assert_eq!(parsed, expected, "{line:?}");
        };
        check(
            &["--env", "HERE", "--env", "A=b=c", "--", "npx", "-y"],
            Some(json!({"command": "npx", "args": ["-y"], "env": {"A": "b=c", "HERE": "v"}})),
        );
        check(
            &[
                "--url",
                "http://u",
                "--header",
                "A: b: c",
                "--header-env",
                "B=HERE",
            ],
            Some(json!({"url": "http://u", "headers": {"A": "b: c", "B": "v"}})),
        );
        check(&[], None);
        check(&["--url", "http://u", "--", "npx"], None);
        check(&["--env", "GONE", "--", "npx"], None);
        check(&["--header", "A: b", "--", "npx"], None);
        check(&["--url", "http://u", "--header", "A"], None);
    }

    #[test]
    fn nothing_is_left_of_what_was_there() {
        let read = |value: Value| serde_json::from_value::<McpServer>(value).unwrap();
        let present = read(json!({"command": "a", "env": {"A": "1", "B": "2"}}));
        let wanted = read(json!({"command": "b", "env": {"B": "3"}}));
        assert_eq!(
            replacing(Some(&present), &wanted).unwrap(),
            json!({"command": "b", "args": null, "env": {"A": null, "B": "3"}, "url": null, "headers": null})
        );
        assert_eq!(
            replacing(None, &wanted).unwrap(),
            json!({"command": "b", "env": {"B": "3"}})
        );
    }
}
