use crate::commands::plan;
use crate::context::Context;
use crate::key_args::{self, KeyArgs};
use crate::output::{Output, note};
use crate::table::{Table, printable};
use anyhow::Context as _;
use clap::{ArgGroup, Args};
use clown_api::{CreateProfile, List, Profile};
use clown_client::Client;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A new profile.
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("begins_with").args(["agent", "template"]).required(true).multiple(true)
))]
pub(crate) struct CreateArgs {
    /// The profile's name
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// The agent that it runs, such as claude
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Begin with the members of a template; `clown profiles templates` lists those
    #[arg(long, value_name = "ID")]
    template: Option<String>,
    /// Who answers the agent's requests, such as anthropic [default: self, the agent's own login]
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// One of the provider's endpoints
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// The model [default: the provider's, else the agent's]
    #[arg(long)]
    model: Option<String>,
    /// The model of the agent's small, fast requests, where the agent has such
    #[arg(long, value_name = "MODEL")]
    small_model: Option<String>,
    /// A variable for the agent; may be given several times
    #[arg(long, value_name = "K=V", value_parser = variable)]
    env: Vec<(String, String)>,
    /// An argument that stands before those of a run; may be given several times
    #[arg(long, allow_hyphen_values = true)]
    arg: Vec<String>,
    /// Where the agent starts [default: the folder that it is run from]
    #[arg(long, value_name = "DIR")]
    working_dir: Option<PathBuf>,
    /// Have a proxy stand between the agent and the provider
    #[arg(long)]
    proxy: bool,
    #[command(flatten)]
    key: KeyArgs,
    /// Show what would be written and what a run would set, with secrets masked, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// `NAME=value`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=value".to_owned()),
    }
}

pub(super) async fn create(
    context: &Context,
    client: &Client,
    args: CreateArgs,
) -> anyhow::Result<()> {
    let mut request = CreateProfile::new(args.alias, args.agent.unwrap_or_default());
    request.provider_id = args.provider;
    request.endpoint_id = args.endpoint;
    request.model = args.model;
    request.small_model = args.small_model;
    request.env = args.env.into_iter().collect();
    request.args = args.arg;
    request.working_dir = args.working_dir.as_deref().map(absolute).transpose()?;
    request.key = args.key.read()?;
    request.proxy_config = args
        .proxy
        .then(|| Map::from_iter([("enabled".to_owned(), true.into())]));
    let members = members(&request, args.template)?;
    if args.dry_run {
        return dry_run(context, client, &request.alias, members).await;
    }
    let profile = client.create_profile_of(&members).await?;
    if context.output.is_json() {
        return context.output.json(&profile);
    }
    say_created(context.output, &profile)?;
    let provider = client.provider(&profile.provider_id).await?;
    if provider.from_registry {
        let endpoint = profile.endpoint_id.as_ref();
        let named = endpoint.or(provider.default_endpoint.as_ref());
        let urls = provider
            .endpoints
            .iter()
            .filter(|it| Some(&it.id) == named)
            .flat_map(|it| it.urls.values());
        let urls: Vec<String> = urls.map(|url| printable(url)).collect();
        note(format_args!(
            "clown: {} is known from a registry only: what {} asks, and its key, go to {}",
            printable(&provider.name),
            profile.alias,
            urls.join(", ")
        ));
    }
    context
        .output
        .line(format_args!("Run it with: clown run {}", profile.alias))
}

/// The request's members; those that a template may say are left out where they are empty.
fn members(
    request: &CreateProfile,
    template: Option<String>,
) -> anyhow::Result<Map<String, Value>> {
    let Value::Object(mut members) = serde_json::to_value(request)? else {
        anyhow::bail!("a profile is written as an object");
    };
    if let Some(template) = template {
        members.insert("template".to_owned(), template.into());
        if request.agent_id.is_empty() {
            members.remove("agent_id");
        }
    }
    Ok(members)
}

async fn dry_run(
    context: &Context,
    client: &Client,
    alias: &str,
    mut members: Map<String, Value>,
) -> anyhow::Result<()> {
    let mut question = plan::request()?;
    members.remove("alias");
    question.create = Some(members);
    plan::show(context, &client.plan_run(alias, &question).await?)
}

/// The templates that there are.
pub(super) async fn templates(context: &Context, client: &Client) -> anyhow::Result<()> {
    let templates = client.templates().await?;
    if context.output.is_json() {
        return context.output.json(&List::new(templates));
    }
    let mut table = Table::new(&["ID", "AGENT", "PROVIDER", "DESCRIPTION"]);
    for template in templates {
        let text = |name: &str| template.members.get(name).and_then(Value::as_str);
        table.row([
            template.id.clone(),
            text("agent_id").unwrap_or_default().to_owned(),
            text("provider_id").unwrap_or_default().to_owned(),
            template.description.clone(),
        ]);
    }
    table.print(context.output)
}

/// What was made, and where its key is.
pub(crate) fn say_created(output: Output, profile: &Profile) -> anyhow::Result<()> {
    let Profile {
        alias,
        agent_id,
        provider_id,
        ..
    } = profile;
    output.line(format_args!(
        "Created profile {alias}: {agent_id} with {provider_id}."
    ))?;
    match key_args::describe(profile) {
        Some(key) => output.line(format_args!("Its key is {key}.")),
        None => Ok(()),
    }
}

fn absolute(dir: &Path) -> anyhow::Result<String> {
    let absolute = std::path::absolute(dir)
        .with_context(|| format!("cannot use {} as the working folder", dir.display()))?;
    let text = absolute
        .to_str()
        .context("the working folder's name is not UTF-8")?;
    Ok(text.to_owned())
}
