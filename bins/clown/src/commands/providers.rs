use crate::context::Context;
use crate::output::Output;
use crate::table::{Table, printable};
use anstyle::Effects;
use clap::Subcommand;
use clown_api::{List, Provider};

#[derive(Debug, Subcommand)]
pub(crate) enum ProvidersCommand {
    /// List the providers that Clown knows
    List,
    /// Show one provider: endpoints, models, and the key it wants
    Show {
        /// The provider's id, such as anthropic
        id: String,
    },
}

pub(crate) async fn dispatch(context: &Context, command: ProvidersCommand) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    let output = context.output;
    match command {
        ProvidersCommand::List => list(output, client.providers().await?),
        ProvidersCommand::Show { id } => show(output, &client.provider(&id).await?),
    }
}

fn list(output: Output, providers: Vec<Provider>) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&List::new(providers));
    }
    let mut table = Table::new(&["ID", "NAME", "KEY", "DEFAULT MODEL"]);
    for provider in providers {
        let key = key(&provider);
        table.row([
            provider.id,
            provider.name,
            key,
            provider.default_model.unwrap_or_default(),
        ]);
    }
    table.print(output)
}

fn show(output: Output, provider: &Provider) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(provider);
    }
    let bold = anstyle::Style::new().effects(Effects::BOLD);
    output.line(format_args!(
        "{} ({})",
        output.paint(bold, printable(&provider.name)),
        printable(&provider.id)
    ))?;
    output.line(format_args!("  key       {}", printable(&key(provider))))?;
    if let Some(model) = &provider.default_model {
        output.line(format_args!("  default   {}", printable(model)))?;
    }
    if !provider.models.is_empty() {
        let models = printable(&provider.models.join(" "));
        output.line(format_args!("  models    {models}"))?;
    }
    for endpoint in &provider.endpoints {
        let is_default = provider.default_endpoint.as_deref() == Some(endpoint.id.as_str());
        // One that is called so needs no mark.
        let mark = if is_default && endpoint.id != "default" {
            " (default)"
        } else {
            ""
        };
        output.line(format_args!(
            "  endpoint  {}{mark}",
            printable(&endpoint.id)
        ))?;
        for (format, url) in &endpoint.urls {
            output.line(format_args!(
                "    {:20}{}",
                printable(format),
                printable(url)
            ))?;
        }
    }
    Ok(())
}

fn key(provider: &Provider) -> String {
    match (&provider.key_env, provider.key_required) {
        (Some(name), true) => format!("needed, usually in {name}"),
        (None, true) => "needed".to_owned(),
        (Some(name), false) => format!("not needed; {name} where there is one"),
        (None, false) => "not needed".to_owned(),
    }
}
