use crate::context::Context;
use crate::output::{Output, note};
use crate::table::{Table, printable};
use anstyle::Effects;
use clap::Subcommand;
use clown_api::{Agent, List};
use clown_client::{Client, ClientError};

#[derive(Debug, Subcommand)]
pub(crate) enum AgentsCommand {
    /// List the agents that Clown knows, installed or not
    List,
    /// Show one agent
    Show {
        /// The agent's id, such as claude
        id: String,
    },
    /// Look for agents now
    Detect,
}

pub(crate) async fn dispatch(context: &Context, command: AgentsCommand) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    let output = context.output;
    match command {
        AgentsCommand::List => list(output, looked_for(&client).await?),
        AgentsCommand::Show { id } => show(output, &one(&client, &id).await?),
        AgentsCommand::Detect => list(output, client.detect_agents().await?),
    }
}

/// All agents. A daemon that was started just now may not have looked yet: that nothing is
/// installed is only said after a look that was waited for.
pub(crate) async fn looked_for(client: &Client) -> Result<Vec<Agent>, ClientError> {
    let agents = client.agents().await?;
    if agents.iter().any(|agent| agent.installed) {
        return Ok(agents);
    }
    client.detect_agents().await
}

/// One agent; as with all of them, it is looked for before it is said not to be there.
async fn one(client: &Client, id: &str) -> Result<Agent, ClientError> {
    let agent = client.agent(id).await?;
    if !agent.installed {
        client.detect_agents().await?;
        return client.agent(id).await;
    }
    Ok(agent)
}

fn list(output: Output, agents: Vec<Agent>) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&List::new(agents));
    }
    let mut table = Table::new(&["ID", "NAME", "VERSION", "PATH", "PROFILES"]);
    for agent in &agents {
        let version = match &agent.version {
            Some(version) if agent.installed => version.clone(),
            _ if agent.installed => "unknown".to_owned(),
            _ => "not installed".to_owned(),
        };
        table.row([
            agent.id.clone(),
            agent.name.clone(),
            version,
            agent.binary_path.clone().unwrap_or_default(),
            agent.profiles.join(" "),
        ]);
    }
    table.print(output)?;
    if !agents.iter().any(|agent| agent.installed) {
        note("No agent is installed. `clown agents show ID` says how to install one.");
    }
    Ok(())
}

fn show(output: Output, agent: &Agent) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(agent);
    }
    let bold = anstyle::Style::new().effects(Effects::BOLD);
    output.line(format_args!(
        "{} ({})",
        output.paint(bold, printable(&agent.name)),
        printable(&agent.id)
    ))?;
    let installed = if agent.installed { "yes" } else { "no" };
    let profiles = agent.profiles.join(" ");
    let lines = [
        ("installed", Some(installed)),
        ("version", agent.version.as_deref()),
        ("path", agent.binary_path.as_deref()),
        (
            "profiles",
            (!profiles.is_empty()).then_some(profiles.as_str()),
        ),
        (
            "install it with",
            agent.install_hint.as_deref().filter(|_| !agent.installed),
        ),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            output.line(format_args!("  {name:16}{}", printable(value)))?;
        }
    }
    Ok(())
}
