mod check;

use crate::context::Context;
use crate::output::Output;
use crate::table::{Table, printable};
use anstyle::Effects;
use clap::Subcommand;
use clown_api::{List, Provider};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum ProvidersCommand {
    /// List the providers that Clown knows
    List,
    /// Show one provider: endpoints, models, and the key it wants
    Show {
        /// The provider's id, such as anthropic
        id: String,
    },
    /// Try a provider's addresses, and a key; exits with 1 if something is wrong
    Check(check::CheckArgs),
}

pub(crate) async fn dispatch(
    context: &Context,
    command: ProvidersCommand,
) -> anyhow::Result<ExitCode> {
    let client = context.daemon().await?;
    let output = context.output;
    match command {
        ProvidersCommand::List => list(output, client.providers().await?)?,
        ProvidersCommand::Show { id } => show(output, &client.provider(&id).await?)?,
        ProvidersCommand::Check(args) => return check::check(output, &client, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(output: Output, providers: Vec<Provider>) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&List::new(providers));
    }
    let mut table = Table::new(&["ID", "NAME", "KEY", "DEFAULT MODEL", "CONTEXT"]);
    for provider in providers {
        let key = key(&provider);
        let context = context_of_default(&provider);
        table.row([
            provider.id,
            provider.name,
            key,
            provider.default_model.unwrap_or_default(),
            context.map(short).unwrap_or_default(),
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
    models(output, provider)?;
    for endpoint in &provider.endpoints {
        let is_default = provider.default_endpoint.as_deref() == Some(endpoint.id.as_str());
        // One that is called so needs no mark.
        let mark = if is_default && endpoint.id != "default" {
            " (default)"
        } else {
            ""
        };
        let name = match &endpoint.name {
            Some(name) => format!(", {}", printable(name)),
            None => String::new(),
        };
        output.line(format_args!(
            "  endpoint  {}{name}{mark}",
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
    for placeholder in &provider.placeholders {
        output.line(format_args!(
            "  needs     {}: {}, such as {}",
            printable(&placeholder.variable),
            printable(&placeholder.about),
            printable(&placeholder.example)
        ))?;
    }
    Ok(())
}

/// One line each, with how many tokens fit into it where that is known.
fn models(output: Output, provider: &Provider) -> anyhow::Result<()> {
    // An older daemon tells no details.
    let details = &provider.model_details;
    let context = |id: &String| {
        let model = details.iter().find(|model| model.id == *id);
        model.and_then(|model| model.context)
    };
    let width = provider.models.iter().map(|id| id.chars().count()).max();
    for (at, id) in provider.models.iter().enumerate() {
        let title = if at == 0 { "models" } else { "" };
        let told = match context(id) {
            Some(context) => format!(
                "{:width$}  {context:>9} tokens",
                printable(id),
                width = width.unwrap_or_default()
            ),
            None => printable(id),
        };
        output.line(format_args!("  {title:10}{told}"))?;
    }
    Ok(())
}

fn context_of_default(provider: &Provider) -> Option<u64> {
    let default = provider.default_model.as_ref()?;
    let mut models = provider.model_details.iter();
    models.find(|model| model.id == *default)?.context
}

/// `131k`, `1.05M`.
fn short(tokens: u64) -> String {
    if tokens < 1_000_000 {
        return format!("{}k", tokens / 1_000);
    }
    let millions = format!("{}.{:02}", tokens / 1_000_000, tokens % 1_000_000 / 10_000);
    let millions = millions.trim_end_matches('0').trim_end_matches('.');
    format!("{millions}M")
}

fn key(provider: &Provider) -> String {
    match (&provider.key_env, provider.key_required) {
        (Some(name), true) => format!("needed, usually in {name}"),
        (None, true) => "needed".to_owned(),
        (Some(name), false) => format!("not needed; {name} where there is one"),
        (None, false) => "not needed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_told_shortly() {
        let check = |tokens: u64, expected: &str| assert_eq!(short(tokens), expected);
        check(131_072, "131k");
        check(1_000_000, "1M");
        check(1_048_576, "1.04M");
        check(1_050_000, "1.05M");
        check(2_500_000, "2.5M");
        check(10_000_000, "10M");
    }
}
