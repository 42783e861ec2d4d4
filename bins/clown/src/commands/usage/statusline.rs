use super::budget::percent;
use super::tables::{cost, dollars};
use crate::context::Context;
use crate::table::printable;
use clap::Args;
use clown_api::UsageNow;
use clown_events::{Timestamp, Usd};
use serde::Deserialize;
use serde_json::Number;
use std::io::{self, IsTerminal as _, Read as _};

/// Print one line on what is used now, for Claude Code's status line and for shell prompts
#[derive(Debug, Args)]
#[command(after_long_help = "\
In Claude Code's settings.json:
  \"statusLine\": {\"type\": \"command\", \"command\": \"clown statusline\"}
In a prompt of bash:
  PS1='$(clown statusline --profile work </dev/null) \\$ '")]
pub(crate) struct StatuslineArgs {
    /// Of this profile [default: the one that the agent runs under, else all]
    #[arg(long, value_name = "ALIAS")]
    profile: Option<String>,
}

/// What Claude Code writes to a status line's program, as far as it is used here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    session_id: Option<String>,
    model: Model,
    cost: SessionCost,
    context_window: Window,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Model {
    display_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SessionCost {
    total_cost_usd: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Window {
    used_percentage: Option<f64>,
}

/// More than this is no status.
const MOST: u64 = 1 << 20;

/// Starts no daemon, and fails for nothing: a status line that complains is none.
pub(crate) async fn statusline(context: &Context, args: StatuslineArgs) -> anyhow::Result<()> {
    let told = told();
    let profile = args
        .profile
        .or_else(|| std::env::var("CLOWN_PROFILE").ok())
        .filter(|profile| !profile.is_empty());
    let session = told.session_id.clone();
    let now = context.client().usage_now(profile, session, None).await;
    context.output.line(line(&told, now.ok().as_ref()))
}

fn told() -> Told {
    let mut text = Vec::new();
    let stdin = io::stdin();
    if stdin.is_terminal() || stdin.take(MOST).read_to_end(&mut text).is_err() {
        return Told::default();
    }
    serde_json::from_slice(&text).unwrap_or_default()
}

fn line(told: &Told, now: Option<&UsageNow>) -> String {
    let mut parts = Vec::new();
    if let Some(name) = &told.model.display_name {
        parts.push(printable(name));
    }
    let own = told.cost.total_cost_usd.as_ref();
    let own = own.and_then(|cost| {
        serde_json::from_value::<Usd>(serde_json::Value::Number(cost.clone())).ok()
    });
    // What is counted is compared with what the agent says by nobody: one of them, the count first.
    let counted = now.and_then(|now| now.session.as_ref());
    match (counted.filter(|used| used.answers > 0), own) {
        (Some(used), _) => parts.push(format!("{} session", cost(&used.cost))),
        (None, Some(own)) => parts.push(format!("{} session", dollars(own))),
        (None, None) => {}
    }
    match now {
        Some(now) => {
            parts.push(format!("{} today", cost(&now.today.cost)));
            if let Some(block) = &now.block {
                let left = (block.until.unix_millis() - Timestamp::now().unix_millis()) / 60_000;
                parts.push(format!(
                    "{} block, {}h{:02}m left, {}/h",
                    cost(&block.used.cost),
                    left.max(0) / 60,
                    left.max(0) % 60,
                    dollars(block.cost_per_hour)
                ));
            }
            for budget in &now.budgets {
                parts.push(format!(
                    "{}% of the {}'s budget",
                    percent(budget),
                    budget.period
                ));
            }
        }
        None => parts.push("clownd is not running".to_owned()),
    }
    if let Some(used) = told.context_window.used_percentage {
        parts.push(format!("context {used:.0}%"));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_line_tells_what_is_known() {
        let check = |told: serde_json::Value, now: Option<&UsageNow>, expected: &str| {
            assert_eq!(line(&serde_json::from_value(told).unwrap(), now), expected);
        };
        let told = json!({"session_id": "s", "model": {"id": "m", "display_name": "Opus 4.8"},
            "cost": {"total_cost_usd": 0.25}, "context_window": {"used_percentage": 8.4}});
        check(
            told.clone(),
            None,
            "Opus 4.8 · $0.25 session · clownd is not running · context 8%",
        );
        check(json!({}), None, "clownd is not running");
        let amount = |dollars: i64| {
            json!({"answers": 1, "tokens": {"input_tokens": 1, "output_tokens": 1},
                "cost": {"total_cost": dollars}})
        };
        let now = json!({"timezone": "UTC", "today": amount(3), "session": amount(2),
            "budgets": [{"profile": "work", "period": "day", "limit": 20, "used": amount(3)}]});
        let now: UsageNow = serde_json::from_value(now).unwrap();
        let expected =
            "Opus 4.8 · $2.00 session · $3.00 today · 15% of the day's budget · context 8%";
        check(told, Some(&now), expected);
    }
}
