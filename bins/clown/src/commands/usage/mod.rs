pub(crate) mod budget;
mod import;
mod prices;
pub(crate) mod statusline;
mod tables;

use crate::cli;
use crate::context::Context;
use crate::failure::{Failure, USAGE};
use clap::{Args, Subcommand, ValueEnum};
use clown_client::{Client, UsageQuery};

/// What agents have used: tokens, and what they cost
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  clown usage                              the last 30 days, day by day
  clown usage models --period month
  clown usage sessions --profile work --since 2026-03-01
  clown usage blocks --period 7d
  clown usage daily --timezone Europe/Berlin --json
  clown usage export --by project --format csv > usage.csv
  clown usage prices claude-opus-4-6
  clown usage import claude
  clown usage budget set work 20/day")]
pub(crate) struct UsageArgs {
    #[command(subcommand)]
    command: Option<UsageCommand>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Subcommand)]
enum UsageCommand {
    /// Day by day
    Daily,
    /// Week by week
    Weekly,
    /// Month by month
    Monthly,
    /// By blocks of five hours, as the plans of some providers count
    Blocks,
    /// By model
    Models,
    /// By profile
    Profiles,
    /// By agent
    Agents,
    /// By session of an agent
    Sessions,
    /// By folder that was worked in
    Projects,
    /// Print it for other programs: all of it, unless --period or --since names a part
    Export(ExportArgs),
    /// Count what an agent has used without a profile, and follow it from now on
    Import(import::ImportArgs),
    /// What a model costs, and who says so
    Prices(prices::PricesArgs),
    /// Set, list and remove budgets
    #[command(subcommand)]
    Budget(budget::BudgetCommand),
}

/// Which part of it.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// today, yesterday, week, month, a number of days such as 7d, or all [default: 30d]
    #[arg(long, global = true, value_name = "PERIOD", conflicts_with_all = ["since", "until"])]
    period: Option<String>,
    /// From this day (2026-03-01) or time on
    #[arg(long, global = true, value_name = "WHEN")]
    since: Option<String>,
    /// Up to and with this day, or up to this time
    #[arg(long, global = true, value_name = "WHEN")]
    until: Option<String>,
    /// Whose days, such as Europe/Berlin or UTC [default: usage.timezone in config.toml, else this machine's]
    #[arg(long, short = 'z', global = true, value_name = "ZONE")]
    timezone: Option<String>,
    /// Of this profile only
    #[arg(long, global = true, value_name = "ALIAS", value_parser = cli::alias)]
    profile: Option<String>,
    /// Of this agent only
    #[arg(long, global = true, value_name = "ID")]
    agent: Option<String>,
    /// Of this model only
    #[arg(long, global = true, value_name = "MODEL")]
    model: Option<String>,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// What the lines are of
    #[arg(long, default_value = "day")]
    by: By,
    /// In which form
    #[arg(long, default_value = "csv")]
    format: Form,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Day,
    Week,
    Month,
    Block,
    Model,
    Profile,
    Agent,
    Session,
    Project,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    Csv,
    Json,
    Jsonl,
}

pub(crate) async fn dispatch(context: &Context, args: UsageArgs) -> anyhow::Result<()> {
    let filter = args.filter;
    let group = match args.command {
        None | Some(UsageCommand::Daily) => By::Day,
        Some(UsageCommand::Weekly) => By::Week,
        Some(UsageCommand::Monthly) => By::Month,
        Some(UsageCommand::Blocks) => By::Block,
        Some(UsageCommand::Models) => By::Model,
        Some(UsageCommand::Profiles) => By::Profile,
        Some(UsageCommand::Agents) => By::Agent,
        Some(UsageCommand::Sessions) => By::Session,
        Some(UsageCommand::Projects) => By::Project,
        Some(UsageCommand::Export(args)) => return export(context, filter, &args).await,
        Some(UsageCommand::Import(args)) => {
            filter.has_only(&["profile"], "an import counts all that there is")?;
            return import::import(context, filter, args).await;
        }
        Some(UsageCommand::Prices(args)) => return prices::prices(context, filter, args).await,
        Some(UsageCommand::Budget(command)) => {
            filter.has_only(&["timezone"], "a budget is for all that its profile uses")?;
            return budget::dispatch(context, filter, command).await;
        }
    };
    let client = context.daemon().await?;
    let timezone = filter.timezone.clone();
    let query = filter.query(group);
    let report = client.usage(&query).await?;
    if context.output.is_json() {
        return context.output.json(&report);
    }
    if report.rows.is_empty() {
        is_known(&client, &query).await?;
    }
    tables::report(context.output, &report, &query)?;
    if report.group_by == "block" {
        let (profile, timezone) = (query.profile.clone(), timezone.clone());
        let now = client.usage_now(profile, None, timezone).await?;
        if let Some(block) = &now.block {
            context.output.line(tables::outlook(block))?;
        }
    }
    budget::warn(&client.budgets(timezone).await?, query.profile.as_deref());
    Ok(())
}

impl Filter {
    /// Refuses what would be taken and do nothing.
    fn has_only(&self, used: &[&str], why: &str) -> anyhow::Result<()> {
        let given = [
            ("period", self.period.is_some()),
            ("since", self.since.is_some()),
            ("until", self.until.is_some()),
            ("timezone", self.timezone.is_some()),
            ("profile", self.profile.is_some()),
            ("agent", self.agent.is_some()),
            ("model", self.model.is_some()),
        ];
        let idle = given
            .iter()
            .find(|(name, is_given)| *is_given && !used.contains(name));
        match idle {
            Some((name, _)) => {
                let text = format!("--{name} does nothing here: {why}. Leave it out");
                Err(Failure::new(USAGE, text).into())
            }
            None => Ok(()),
        }
    }

    fn query(self, by: By) -> UsageQuery {
        let spans = self.period.is_some() || self.since.is_some() || self.until.is_some();
        // Of months, all; of the rest, what one still remembers.
        let usual = match by {
            By::Month => "all",
            By::Block => "7d",
            _ => "30d",
        };
        UsageQuery {
            period: self.period.or((!spans).then(|| usual.to_owned())),
            since: self.since,
            until: self.until,
            timezone: self.timezone,
            profile: self.profile,
            agent: self.agent,
            model: self.model,
            group_by: Some(name_of(&by)),
        }
    }
}

/// Refuses a profile and an agent that nobody knows: that they used nothing would be no answer.
async fn is_known(client: &Client, query: &UsageQuery) -> anyhow::Result<()> {
    if let Some(alias) = &query.profile {
        client.profile(alias).await?;
    }
    if let Some(id) = &query.agent {
        client.agent(id).await?;
    }
    Ok(())
}

fn name_of(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

async fn export(context: &Context, filter: Filter, args: &ExportArgs) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    let form = if context.output.is_json() {
        Form::Json
    } else {
        args.format
    };
    let mut query = filter.query(args.by);
    if query.since.is_none() && query.until.is_none() && query.period.as_deref() == Some("30d") {
        // Whoever takes it elsewhere wants all of it, unless a part is named.
        query.period = Some("all".to_owned());
    }
    let text = client.usage_export(&query, &name_of(&form)).await?;
    context.output.text(String::from_utf8_lossy(&text))
}
