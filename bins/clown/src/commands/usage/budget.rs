use super::Filter;
use super::tables::{cost, dollars};
use crate::cli;
use crate::context::Context;
use crate::output::note;
use crate::table::Table;
use clap::Subcommand;
use clown_api::UsageBudget;
use clown_client::Client;
use clown_events::Usd;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Debug, Subcommand)]
pub(super) enum BudgetCommand {
    /// Set what a profile is to spend at most: 20/day, 100/week, 300/month
    Set {
        #[arg(value_parser = cli::alias)]
        alias: String,
        /// US dollars and a period
        #[arg(value_name = "AMOUNT/PERIOD", value_parser = budget)]
        budget: (Usd, &'static str),
    },
    /// List budgets and what of them is used
    List,
    /// Take a budget away
    #[command(visible_alias = "delete")]
    Remove {
        #[arg(value_parser = cli::alias)]
        alias: String,
        /// day, week or month
        #[arg(value_name = "PERIOD", value_parser = period)]
        of: &'static str,
    },
}

const PERIODS: [&str; 3] = ["day", "week", "month"];

fn period(text: &str) -> Result<&'static str, String> {
    let known = PERIODS.into_iter().find(|known| *known == text);
    known.ok_or_else(|| "a budget is for a day, a week or a month".to_owned())
}

fn budget(text: &str) -> Result<(Usd, &'static str), String> {
    let form = "give US dollars and a period, such as 20/day, 7.50/week or 300/month";
    let (amount, name) = text.split_once('/').ok_or(form)?;
    let amount = amount.strip_prefix('$').unwrap_or(amount);
    let amount: serde_json::Number = amount.parse().map_err(|_| form)?;
    let amount: Usd =
        serde_json::from_value(serde_json::Value::Number(amount)).map_err(|_| form)?;
    if amount.nanos() <= 0 {
        return Err("a budget is more than 0 US dollars".to_owned());
    }
    Ok((amount, period(name)?))
}

pub(super) async fn dispatch(
    context: &Context,
    filter: Filter,
    command: BudgetCommand,
) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    let output = context.output;
    match command {
        BudgetCommand::Set { alias, budget } => {
            let (limit, period) = budget;
            client.set_budget(&alias, period, limit).await?;
            output.told(format_args!(
                "{alias} is to spend {} a {period} at most; `clown usage` and `clown watch` tell \
                 when it has.",
                dollars(limit)
            ))
        }
        BudgetCommand::Remove { alias, of } => {
            client.delete_budget(&alias, of).await?;
            output.told(format_args!("{alias} has no budget for a {of} any more."))
        }
        BudgetCommand::List => {
            let budgets = client.budgets(filter.timezone).await?;
            if output.is_json() {
                return output.json(&budgets);
            }
            if budgets.is_empty() {
                return output.line("No budgets. `clown usage budget set work 20/day` sets one.");
            }
            let mut table = Table::new(&["PROFILE", "PERIOD", "LIMIT", "USED", ""]);
            for budget in &budgets {
                table.row([
                    budget.profile.clone(),
                    budget.period.clone(),
                    dollars(budget.limit),
                    cost(&budget.used.cost),
                    share(budget),
                ]);
            }
            table.print(output)
        }
    }
}

pub(super) fn percent(budget: &UsageBudget) -> i128 {
    let limit = i128::from(budget.limit.nanos().max(1));
    i128::from(budget.used.cost.total_cost.nanos()) * 100 / limit
}

/// The same for people; `?` where no price is known, and `+` where some are not.
pub(super) fn share(budget: &UsageBudget) -> String {
    let used = &budget.used.cost;
    match (used.total_cost.nanos(), used.unpriced) {
        (0, true) => "?%".to_owned(),
        (_, true) => format!("{}%+", percent(budget)),
        (_, false) => format!("{}%", percent(budget)),
    }
}

/// From so much on, a person is warned.
const NEAR: i128 = 80;

/// Tells on stderr of budgets that are used up, or nearly.
pub(super) fn warn(budgets: &[UsageBudget], profile: Option<&str>) {
    for budget in budgets {
        if profile.is_none_or(|profile| profile == budget.profile)
            && let Some(warning) = warning(budget)
        {
            note(warning);
        }
    }
}

/// What is to be said of a budget, if anything is.
pub(crate) fn warning(budget: &UsageBudget) -> Option<String> {
    let percent = percent(budget);
    if percent < NEAR {
        return None;
    }
    let UsageBudget {
        profile,
        period,
        limit,
        used,
    } = budget;
    let is = if percent >= 100 {
        "is used up"
    } else {
        "is nearly used up"
    };
    Some(format!(
        "warning: the budget of {profile} for the {period} {is}: {} of {} ({percent}%)",
        cost(&used.cost),
        dollars(*limit)
    ))
}

/// What `clown watch` has said of budgets.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    /// How far each was used when it was last told of.
    told: BTreeMap<(String, String), i128>,
    asked_at: Option<Instant>,
}

/// Budgets are asked for so often at most.
const ASK_EVERY: Duration = Duration::from_secs(2);

impl Warnings {
    /// Tells on stderr of budgets that have come near their end, or to it, each once. That the daemon
    /// does not answer is told by others.
    pub(crate) async fn look(&mut self, client: &Client) {
        if self.asked_at.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            return;
        }
        self.asked_at = Some(Instant::now());
        let Ok(budgets) = client.budgets(None).await else {
            return;
        };
        for budget in &budgets {
            if let Some(warning) = self.news(budget) {
                note(warning);
            }
        }
    }

    fn news(&mut self, budget: &UsageBudget) -> Option<String> {
        let place = (budget.profile.clone(), budget.period.clone());
        // Used up is more than nearly used up; a new period begins anew.
        let level = percent(budget).clamp(0, 100) / (NEAR / 4) * (NEAR / 4);
        let before = self.told.insert(place, level).unwrap_or(0);
        (level > before).then(|| warning(budget)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_written_as_people_write_them() {
        let check = |text: &str, nanos: i64, period: &str| {
            assert_eq!(budget(text), Ok((Usd::from_nanos(nanos), period)), "{text}");
        };
        check("20/day", 20_000_000_000, "day");
        check("$7.50/week", 7_500_000_000, "week");
        check("300/month", 300_000_000_000, "month");
        for text in ["20", "20/year", "/day", "-1/day", "0/day", "x/day", "20/"] {
            assert!(budget(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_warning_is_given_once_a_period() {
        let mut warnings = Warnings::default();
        let mut check = |used: i64, warned: bool| {
            let used = serde_json::json!({"answers": 1, "cost": {"total_cost": used},
                "tokens": {"input_tokens": 1, "output_tokens": 1}});
            let budget = UsageBudget {
                profile: "work".to_owned(),
                period: "day".to_owned(),
                limit: Usd::from_nanos(100_000_000_000),
                used: serde_json::from_value(used).unwrap(),
            };
            assert_eq!(warnings.news(&budget).is_some(), warned, "{budget:?}");
        };
        check(50, false);
        check(79, false);
        check(81, true);
        check(95, false);
        check(100, true);
        check(150, false);
        check(3, false);
        check(85, true);
    }
}
