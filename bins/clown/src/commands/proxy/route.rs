//! Who takes which request.

use crate::failure::{CONFLICT, Failure, NOT_FOUND, USAGE};
use crate::output::Output;
use crate::table::{Table, printable};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use clown_api::{ExplainRoute, RouteExplained};
use clown_client::Client;
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum RouteCommand {
    /// List a profile's rules, in the order in which they are asked
    List {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Add a rule to a profile
    Add(AddArgs),
    /// Remove a rule of a profile
    #[command(visible_alias = "delete")]
    Remove {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
        /// The rule
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  clown proxy route add work long-context --when 'tokens > 60000' --to gemini/gemini-2.5-pro --priority 10
  clown proxy route add work small --when 'background or model ~ \"*haiku*\"' --to groq/llama-3.3-70b
  clown proxy route add work night --when 'time in 22:00-06:00 and day in mon-fri' --to ollama/qwen3
  clown proxy route add work spent --when over_budget --to refuse --priority 100

A condition is made of: tokens, tool_count, max_tokens (compared with < <= == != >= >), thinking, tools, images,
web_search, stream, subagent, background, over_budget, model and header NAME (== != or ~ with * and ?), time in
HH:MM-HH:MM, day in mon-fri; joined by and, or, not and parentheses.")]
pub(crate) struct AddArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// What the rule is called by
    name: String,
    /// When it takes a request [default: always]
    #[arg(long, value_name = "CONDITION")]
    when: Option<String>,
    /// Who answers: provider/model, provider/* or refuse; several are tried one after the other
    #[arg(long, required = true, value_name = "TARGET")]
    to: Vec<String>,
    /// The highest that holds wins
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i64,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// A request as an agent would send it, in JSON; - is standard input
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// A header that comes with it; may be given several times
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// The largest request that is read.
const MAX_BYTES: u64 = 64 << 20;

pub(super) async fn explain(
    output: Output,
    client: &Client,
    args: ExplainArgs,
) -> anyhow::Result<()> {
    let text = read(&args.request)?;
    let request = serde_json::from_slice(&text).map_err(|error| {
        let text = format!("{} is no JSON: {error}", args.request.display());
        Failure::new(USAGE, text)
    })?;
    let question = ExplainRoute {
        request,
        headers: args.header.into_iter().collect(),
    };
    let explained = client.explain_route(&args.alias, &question).await?;
    if output.is_json() {
        return output.json(&explained);
    }
    tell(output, &explained)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    if path == Path::new("-") {
        std::io::stdin()
            .take(MAX_BYTES)
            .read_to_end(&mut text)
            .context("cannot read standard input")?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text))
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(text)
}

fn tell(output: Output, explained: &RouteExplained) -> anyhow::Result<()> {
    let targets: Vec<String> = explained.targets.iter().map(|it| printable(it)).collect();
    let targets = targets.join(", then ");
    match &explained.rule {
        Some(rule) => output.line(format_args!("{} takes it: {targets}", printable(rule)))?,
        None => output.line(format_args!("No rule takes it: {targets}"))?,
    }
    for verdict in &explained.verdicts {
        let holds = match (verdict.holds, verdict.is_late) {
            (true, false) => "holds",
            (true, true) => "holds, and another one was before it",
            (false, _) => "does not hold",
        };
        let seen = match verdict.seen.is_empty() {
            true => String::new(),
            false => format!(" ({})", printable(&verdict.seen.join(", "))),
        };
        output.line(format_args!(
            "  {}: {} {holds}{seen}",
            printable(&verdict.rule),
            printable(&verdict.when)
        ))?;
    }
    Ok(())
}

pub(super) async fn dispatch(
    output: Output,
    client: &Client,
    command: RouteCommand,
) -> anyhow::Result<()> {
    match command {
        RouteCommand::List { alias } => list(output, &routes(client, &alias).await?),
        RouteCommand::Add(args) => {
            let mut routes = routes(client, &args.alias).await?;
            if routes.iter().any(|route| name_of(route) == args.name) {
                let text = format!(
                    "profile {} has a rule {} already: remove it first, or choose another name",
                    args.alias, args.name
                );
                return Err(Failure::new(CONFLICT, text).into());
            }
            let mut route = Map::from_iter([
                ("name".to_owned(), args.name.clone().into()),
                ("to".to_owned(), args.to.clone().into()),
            ]);
            if let Some(when) = &args.when {
                route.insert("when".to_owned(), when.clone().into());
            }
            if args.priority != 0 {
                route.insert("priority".to_owned(), args.priority.into());
            }
            routes.push(Value::Object(route));
            put(client, &args.alias, routes).await?;
            output.told(format_args!(
                "Added the rule {} to profile {}.",
                args.name, args.alias
            ))
        }
        RouteCommand::Remove { alias, name } => {
            let mut routes = routes(client, &alias).await?;
            let before = routes.len();
            routes.retain(|route| name_of(route) != name);
            if routes.len() == before {
                let text = format!(
                    "profile {alias} has no rule {name}: `clown proxy route list {alias}` shows those that it has"
                );
                return Err(Failure::new(NOT_FOUND, text).into());
            }
            put(client, &alias, routes).await?;
            output.told(format_args!("Removed the rule {name} of profile {alias}."))
        }
    }
}

async fn routes(client: &Client, alias: &str) -> anyhow::Result<Vec<Value>> {
    let profile = client.profile(alias).await?;
    let routes = profile.proxy_config.and_then(|mut it| it.remove("routes"));
    Ok(match routes {
        Some(Value::Array(routes)) => routes,
        _ => Vec::new(),
    })
}

async fn put(client: &Client, alias: &str, routes: Vec<Value>) -> anyhow::Result<()> {
    let patch = json!({"proxy_config": {"routes": routes}});
    client.update_profile(alias, &patch).await?;
    Ok(())
}

fn name_of(route: &Value) -> &str {
    route["name"].as_str().unwrap_or_default()
}

fn list(output: Output, routes: &[Value]) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&routes);
    }
    if routes.is_empty() {
        return output.line("No rules: every request goes to the profile's own provider.");
    }
    let mut sorted: Vec<&Value> = routes.iter().collect();
    sorted.sort_by_key(|route| std::cmp::Reverse(route["priority"].as_i64().unwrap_or(0)));
    let mut table = Table::new(&["NAME", "PRIORITY", "WHEN", "TO"]);
    for route in sorted {
        let to = route["to"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let to: Vec<&str> = to.iter().filter_map(Value::as_str).collect();
        table.row([
            name_of(route).to_owned(),
            route["priority"].as_i64().unwrap_or(0).to_string(),
            route["when"].as_str().unwrap_or("always").to_owned(),
            to.join(", "),
        ]);
    }
    table.print(output)
}
