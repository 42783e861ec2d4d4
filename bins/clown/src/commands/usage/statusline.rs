use super::budget::share;
use super::tables::{at_rate, cost, dollars};
use crate::context::Context;
use crate::table::printable;
use clap::Args;
use clown_api::UsageNow;
use clown_client::ClientError;
use clown_events::{Timestamp, Usd};
use serde::Deserialize;
use serde_json::Number;
use std::io::{self, IsTerminal as _, Read as _};
use std::sync::mpsc;
use std::time::Duration;

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

/// An agent writes its status at once.
const PATIENCE: Duration = Duration::from_millis(300);

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
    let now = context
        .client()
        .usage_now(profile.clone(), session, None)
        .await;
    let now = now.as_ref().map_err(why);
    context.output.line(line(&told, now, profile.as_deref()))
}

/// What stands on standard input, if it comes at once: whoever leaves it open without a word is not
/// waited for.
fn told() -> Told {
    if io::stdin().is_terminal() {
        return Told::default();
    }
    let (send, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut documents =
            serde_json::Deserializer::from_reader(io::stdin().take(MOST)).into_iter::<Told>();
        // Nobody listens any more where it came too late.
        let _ = send.send(documents.next());
    });
    let first = told.recv_timeout(PATIENCE).ok().flatten();
    first.and_then(Result::ok).unwrap_or_default()
}

/// Why nothing is known, in a few words: the line has not much room.
fn why(error: &ClientError) -> String {
    match error {
        ClientError::NotFound(_) | ClientError::NotReachable { .. } => {
            "clownd is not running".to_owned()
        }
        ClientError::Problem(problem) => printable(&problem.title),
        ClientError::NotOwn { .. } | ClientError::Unexpected { .. } => {
            "another program is in clownd's place".to_owned()
        }
        _ => "clownd does not answer".to_owned(),
    }
}

fn line(told: &Told, now: Result<&UsageNow, String>, profile: Option<&str>) -> String {
    let mut parts = Vec::new();
    if let Some(name) = &told.model.display_name {
        parts.push(printable(name));
    }
    let own = told.cost.total_cost_usd.as_ref();
    let own = own.and_then(|cost| {
        serde_json::from_value::<Usd>(serde_json::Value::Number(cost.clone())).ok()
    });
    // What is counted is compared with what the agent says by nobody: one of them, the count first.
    let counted = now.as_ref().ok().and_then(|now| now.session.as_ref());
    match (counted.filter(|used| used.answers > 0), own) {
        (Some(used), _) => parts.push(format!("{} session", cost(&used.cost))),
        (None, Some(own)) => parts.push(format!("{} session", dollars(own))),
        (None, None) => {}
    }
    match now {
        Ok(now) => {
            parts.push(format!("{} today", cost(&now.today.cost)));
            if let Some(block) = &now.block {
                let left = (block.until.unix_millis() - Timestamp::now().unix_millis()) / 60_000;
                parts.push(format!(
                    "{} block, {}h{:02}m left, {}/h",
                    cost(&block.used.cost),
                    left.max(0) / 60,
                    left.max(0) % 60,
                    at_rate(block.cost_per_hour, block)
                ));
            }
            for budget in &now.budgets {
                let of_whom = match profile {
                    Some(_) => String::new(),
                    None => format!("{}'s ", printable(&budget.profile)),
                };
                let (share, period) = (share(budget), &budget.period);
                parts.push(format!("{share} of {of_whom}budget for the {period}"));
            }
        }
        Err(why) => parts.push(why),
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
        let check = |told: serde_json::Value, now: Result<&UsageNow, &str>, expected: &str| {
            let told = serde_json::from_value(told).unwrap();
            let now = now.map_err(ToOwned::to_owned);
            assert_eq!(line(&told, now.clone(), Some("work")), expected);
            // Without a profile, budgets have names.
            let expected = expected.replace("of budget", "of work's budget");
            assert_eq!(line(&told, now, None), expected);
        };
        let told = json!({"session_id": "s", "model": {"id": "m", "display_name": "Opus 4.8"},
            "cost": {"total_cost_usd": 0.25}, "context_window": {"used_percentage": 8.4}});
        check(
            told.clone(),
            Err("clownd is not running"),
            "Opus 4.8 · $0.25 session · clownd is not running · context 8%",
        );
        check(
            json!({}),
            Err("clownd is not running"),
            "clownd is not running",
        );
        let amount = |dollars: i64, unpriced: bool| {
            let mut cost = json!({"total_cost": dollars});
            if unpriced {
                cost["unpriced"] = true.into();
            }
            json!({"answers": 1, "tokens": {"input_tokens": 1, "output_tokens": 1}, "cost": cost})
        };
        let now = |unpriced: bool, dollars: i64| -> UsageNow {
            let value = json!({"timezone": "UTC", "today": amount(dollars, unpriced), "session": amount(2, false),
                "block": {"since": "2026-03-01T10:00:00Z", "until": "2026-03-01T15:00:00Z",
                    "used": amount(dollars, unpriced), "tokens_per_minute": 1, "cost_per_hour": dollars,
                    "projected_tokens": 1, "projected_cost": dollars},
                "budgets": [{"profile": "work", "period": "day", "limit": 20, "used": amount(dollars, unpriced)}]});
            serde_json::from_value(value).unwrap()
        };
        check(
            told.clone(),
            Ok(&now(false, 3)),
            "Opus 4.8 · $2.00 session · $3.00 today · $3.00 block, 0h00m left, $3.00/h · 15% of budget for the day · context 8%",
        );
        check(
            told.clone(),
            Ok(&now(true, 3)),
            "Opus 4.8 · $2.00 session · $3.00+ today · $3.00+ block, 0h00m left, $3.00+/h · 15%+ of budget for the day · context 8%",
        );
        check(
            told,
            Ok(&now(true, 0)),
            "Opus 4.8 · $2.00 session · ? today · ? block, 0h00m left, ?/h · ?% of budget for the day · context 8%",
        );
    }
}
