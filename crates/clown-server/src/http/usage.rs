//! What was used: `/api/v1/usage` and below.

use super::body::{self, BodyLimits};
use super::{Body, Query, Refusal, blocking, empty_response, json_response, whole};
use clown_api::{
    ImportUsage, ImportedUsage, List, ModelUsage, SetBudget, UsageAmount, UsageBlock, UsageBudget,
    UsageImporting, UsageNow, UsageReport, UsageRow, UsageSession,
};
use clown_core::usage::{
    Budget, GroupBy, ImportRequest, Now, NowQuestion, Period, Question, Report, Row, Used, Zone,
    span,
};
use clown_core::{Alias, Core};
use clown_events::{Timestamp, Tokens};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) const QUESTION: [&str; 8] = [
    "period", "since", "until", "timezone", "profile", "agent", "model", "group_by",
];

pub(super) async fn report(
    core: &Arc<Core>,
    query: Option<&str>,
) -> Result<Response<Body>, Refusal> {
    let mut query = Query::parse(query, &QUESTION)?;
    let (question, name) = question(core, &mut query)?;
    let core = Arc::clone(core);
    blocking(move || {
        let report = core.usage.report(&question)?;
        let zone = question.zone.name();
        Ok(json_response(StatusCode::OK, &resource(report, name, zone)))
    })
    .await?
}

/// The same for other programs: a line for each row and model.
pub(super) async fn export(
    core: &Arc<Core>,
    query: Option<&str>,
) -> Result<Response<Body>, Refusal> {
    let known: Vec<&str> = QUESTION.into_iter().chain(["format"]).collect();
    let mut query = Query::parse(query, &known)?;
    let write = query.take_parsed("format", |text| match text {
        "csv" => Ok(("text/csv; charset=utf-8", csv as fn(&UsageReport) -> String)),
        "json" => Ok(("application/json", json)),
        "jsonl" => Ok(("application/jsonl", jsonl)),
        _ => Err("give csv, json or jsonl"),
    })?;
    let (kind, write) = write.unwrap_or(("text/csv; charset=utf-8", csv));
    let (question, name) = question(core, &mut query)?;
    let core = Arc::clone(core);
    blocking(move || {
        let report = core.usage.report(&question)?;
        let text = write(&resource(report, name, question.zone.name()));
        let mut response = Response::new(whole(text));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Ok(response)
    })
    .await?
}

pub(super) async fn now(core: &Arc<Core>, query: Option<&str>) -> Result<Response<Body>, Refusal> {
    let mut query = Query::parse(query, &["timezone", "profile", "session"])?;
    let question = NowQuestion {
        zone: zone(core, &mut query)?,
        profile: query.take_parsed("profile", str::parse)?,
        session: query.take("session"),
    };
    let core = Arc::clone(core);
    blocking(move || {
        let now = core.usage.now(&question)?;
        let budgets = core.usage.budgets(&question.zone)?;
        let budgets = budgets
            .into_iter()
            .filter(|budget| {
                let wanted = question.profile.as_ref();
                wanted.is_none_or(|profile| *profile == budget.profile)
            })
            .map(budget)
            .collect();
        let now = resource_of_now(now, budgets, question.zone.name());
        Ok(json_response(StatusCode::OK, &now))
    })
    .await?
}

pub(super) async fn importing(core: &Arc<Core>) -> Result<Response<Body>, Refusal> {
    let imports = core.usage.importing().into_iter();
    let items = imports.map(|import| UsageImporting {
        source: import.source,
        bytes_done: import.done,
        bytes_total: import.total,
    });
    let list = List {
        items: items.collect(),
    };
    Ok(json_response(StatusCode::OK, &list))
}

/// Answers when everything is counted.
pub(super) async fn import(
    core: &Arc<Core>,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let wish: ImportUsage = body::json(request, limits).await?;
    let path = wish.path.map(PathBuf::from);
    if path.as_ref().is_some_and(|path| !path.is_absolute()) {
        return Err(wrong("path must be a full path".to_owned()));
    }
    let profile: Option<Alias> = wish.profile.map(|alias| alias.parse()).transpose()?;
    let request = ImportRequest {
        source: wish.source,
        path,
        profile,
    };
    let core = Arc::clone(core);
    blocking(move || {
        if let Some(profile) = &request.profile {
            core.profiles.get(profile)?;
        }
        let imported = core.usage.import(&request)?;
        let paths = imported.paths.iter();
        let answer = ImportedUsage {
            source: imported.source,
            records_imported: imported.records,
            files: imported.files,
            bytes: imported.bytes,
            paths: paths.map(|path| path.display().to_string()).collect(),
        };
        Ok(json_response(StatusCode::OK, &answer))
    })
    .await?
}

pub(super) async fn budgets(
    core: &Arc<Core>,
    query: Option<&str>,
) -> Result<Response<Body>, Refusal> {
    let mut query = Query::parse(query, &["timezone"])?;
    let zone = zone(core, &mut query)?;
    let core = Arc::clone(core);
    blocking(move || {
        let budgets = core.usage.budgets(&zone)?;
        let list = List {
            items: budgets.into_iter().map(budget).collect(),
        };
        Ok(json_response(StatusCode::OK, &list))
    })
    .await?
}

pub(super) async fn set_budget(
    core: &Arc<Core>,
    alias: &str,
    period: &str,
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<Response<Body>, Refusal> {
    let (alias, period) = (alias.parse::<Alias>()?, period_named(period)?);
    let wish: SetBudget = body::json(request, limits).await?;
    if wish.limit.nanos() <= 0 {
        return Err(wrong("limit must be more than 0 US dollars".to_owned()));
    }
    let core = Arc::clone(core);
    blocking(move || {
        core.profiles.get(&alias)?;
        core.usage.set_budget(&alias, period, Some(wish.limit))?;
        Ok(empty_response(StatusCode::NO_CONTENT))
    })
    .await?
}

pub(super) async fn delete_budget(
    core: &Arc<Core>,
    alias: &str,
    period: &str,
) -> Result<Response<Body>, Refusal> {
    let (alias, period) = (alias.parse::<Alias>()?, period_named(period)?);
    let core = Arc::clone(core);
    blocking(move || {
        if core.usage.set_budget(&alias, period, None)? {
            return Ok(empty_response(StatusCode::NO_CONTENT));
        }
        let detail = format!("{alias} has no budget for a {}", period.name());
        let code = "budget_not_found";
        Err(Refusal::new(StatusCode::NOT_FOUND, code, detail))
    })
    .await?
}

fn period_named(name: &str) -> Result<Period, Refusal> {
    let named = Period::ALL.iter().find(|(known, _)| *known == name);
    named
        .map(|(_, period)| *period)
        .ok_or_else(|| wrong("a budget is for a day, a week or a month".to_owned()))
}

fn wrong(detail: String) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail)
}

fn zone(core: &Core, query: &mut Query) -> Result<Zone, Refusal> {
    Ok(core.usage.zone(query.take("timezone").as_deref())?)
}

/// What is asked, and the name of what the rows are.
pub(super) fn question(
    core: &Core,
    query: &mut Query,
) -> Result<(Question, &'static str), Refusal> {
    let group_by = query.take_parsed("group_by", |text| {
        let named = GroupBy::ALL.into_iter().find(|(name, _)| *name == text);
        named.ok_or_else(|| {
            format!(
                "give one of {}",
                GroupBy::ALL.map(|(name, _)| name).join(", ")
            )
        })
    })?;
    let (name, group_by) = group_by.unwrap_or(GroupBy::ALL[0]);
    let zone = zone(core, query)?;
    let (period, since, until) = (
        query.take("period"),
        query.take("since"),
        query.take("until"),
    );
    let (from, to) = span(
        &zone,
        period.as_deref(),
        since.as_deref(),
        until.as_deref(),
        Timestamp::now(),
    )?;
    let question = Question {
        zone,
        from,
        to,
        profile: query.take_parsed("profile", str::parse)?,
        agent: query.take("agent"),
        model: query.take("model"),
        group_by,
    };
    Ok((question, name))
}

fn resource(report: Report, group_by: &str, zone: &str) -> UsageReport {
    UsageReport {
        group_by: group_by.to_owned(),
        timezone: zone.to_owned(),
        rows: report.rows.into_iter().map(row).collect(),
        total: amount(report.total),
    }
}

fn row(row: Row) -> UsageRow {
    let models = row.models.into_iter();
    UsageRow {
        key: row.key,
        used: amount(row.used),
        models: models
            .map(|(model, used)| ModelUsage {
                model,
                used: amount(used),
            })
            .collect(),
        session: row.session.map(|session| UsageSession {
            agent: session.agent,
            profile: session.profile.map(|alias| alias.as_str().to_owned()),
            project: Some(session.project).filter(|project| !project.is_empty()),
        }),
        first_at: moment(row.first),
        last_at: moment(row.last),
    }
}

fn amount(used: Used) -> UsageAmount {
    let counts = used.counts;
    UsageAmount {
        answers: used.answers,
        tokens: Tokens::new(counts.input, counts.output)
            .with_cache_creation_input_tokens(counts.cache_writes())
            .with_cache_read_input_tokens(counts.cache_read),
        cost: used.cost,
    }
}

fn budget(budget: Budget) -> UsageBudget {
    UsageBudget {
        profile: budget.profile.as_str().to_owned(),
        period: budget.period.name().to_owned(),
        limit: budget.limit,
        used: amount(budget.used),
    }
}

fn resource_of_now(now: Now, budgets: Vec<UsageBudget>, zone: &str) -> UsageNow {
    UsageNow {
        timezone: zone.to_owned(),
        today: amount(now.today),
        block: now.block.map(|block| UsageBlock {
            since: moment(block.since),
            until: moment(block.until),
            used: amount(block.used),
            tokens_per_minute: block.tokens_per_minute,
            cost_per_hour: block.cost_per_hour.total_cost,
            projected_tokens: block.projected_tokens,
            projected_cost: block.projected_cost.total_cost,
        }),
        session: now.session.map(amount),
        budgets,
    }
}

/// What a record says of its time may be nonsense; the nearest that can be told is told.
fn moment(millis: i64) -> Timestamp {
    let limit = if millis < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_unix_millis(millis).unwrap_or(limit)
}

fn json(report: &UsageReport) -> String {
    // Texts and numbers only.
    serde_json::to_string(report).unwrap_or_default()
}

/// A line for each row and model.
fn lines(report: &UsageReport) -> impl Iterator<Item = (&UsageRow, &ModelUsage)> {
    let rows = report.rows.iter();
    rows.flat_map(|row| row.models.iter().map(move |model| (row, model)))
}

fn jsonl(report: &UsageReport) -> String {
    let mut text = String::new();
    for (row, usage) in lines(report) {
        let mut line = serde_json::json!({ &*report.group_by: row.key, "model": usage.model });
        let amount = serde_json::to_value(&usage.used);
        if let (Some(line), Ok(serde_json::Value::Object(amount))) = (line.as_object_mut(), amount)
        {
            line.extend(amount);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    text
}

fn csv(report: &UsageReport) -> String {
    let mut text = format!(
        "{},used_model,answers,input_tokens,output_tokens,cache_creation_input_tokens,\
         cache_read_input_tokens,cost_usd,unpriced\r\n",
        report.group_by
    );
    for (row, usage) in lines(report) {
        let UsageAmount {
            answers,
            tokens,
            cost,
        } = &usage.used;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{},{},{answers},{},{},{},{},{},{}\r\n",
            field(&row.key),
            field(&usage.model),
            tokens.input_tokens,
            tokens.output_tokens,
            tokens.cache_creation_input_tokens,
            tokens.cache_read_input_tokens,
            cost.total_cost,
            cost.unpriced
        );
    }
    text
}

/// A field of CSV. One that a spreadsheet would take for a formula is made text.
fn field(value: &str) -> String {
    let value = if value.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{value}")
    } else {
        value.to_owned()
    };
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}
