//! Usage, for people.

use crate::output::Output;
use crate::table::{Table, printable};
use clown_api::{UsageAmount, UsageBlock, UsageReport, UsageRow};
use clown_client::UsageQuery;
use clown_events::{Cost, Timestamp, Usd};
use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal as _};

pub(super) fn report(
    output: Output,
    report: &UsageReport,
    query: &UsageQuery,
) -> anyhow::Result<()> {
    if report.rows.is_empty() {
        let span = match (&query.period, &query.since, &query.until) {
            (Some(period), ..) if period != "all" => format!(" ({period})"),
            (None, Some(since), _) => format!(" since {since}"),
            _ => String::new(),
        };
        return output.line(format_args!(
            "Nothing was used{span}. What runs under a profile is counted by itself; \
             `clown usage import claude` counts what Claude Code used without one."
        ));
    }
    let columns = width();
    let form = Form::of(columns, &report.group_by);
    let mut cells = vec![form.header(&report.group_by)];
    cells.extend(report.rows.iter().map(|row| form.cells(row, report)));
    cells.push(form.line("total".to_owned(), &report.total, String::new()));
    align(&mut cells);
    let mut rows = cells.into_iter();
    let header = rows.next().unwrap_or_default();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new(&header);
    for row in rows {
        table.row(row);
    }
    table.print(output)?;
    if let Some(line) = sparkline(report, columns) {
        output.line(line)?;
    }
    if report.total.cost.unpriced {
        let mut models: Vec<String> = report
            .rows
            .iter()
            .flat_map(|row| &row.models)
            .filter(|usage| usage.used.cost.unpriced)
            .map(|usage| printable(&usage.model))
            .collect();
        models.sort();
        models.dedup();
        output.line(format_args!(
            "+ without what these models cost, whose prices are not known: {}. \
             [prices] in config.toml takes them; `clown usage prices MODEL` says how.",
            models.join(", ")
        ))?;
    }
    Ok(())
}

/// How the block that is under way goes on.
pub(super) fn outlook(block: &UsageBlock) -> String {
    let left = (block.until.unix_millis() - Timestamp::now().unix_millis()).max(0) / 60_000;
    format!(
        "Now: {} tokens a minute, {} an hour; in {}h{:02}m, at the end of this block, {} tokens and {} if it \
         goes on so.",
        count(block.tokens_per_minute),
        at_rate(block.cost_per_hour, block),
        left / 60,
        left % 60,
        count(block.projected_tokens),
        at_rate(block.projected_cost, block)
    )
}

/// What follows from the cost of a block is known no better than that.
pub(super) fn at_rate(amount: Usd, block: &UsageBlock) -> String {
    cost(&Cost::new(amount).with_unpriced(block.used.cost.unpriced))
}

/// How many columns the terminal has; many where there is none.
fn width() -> usize {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return 200;
    }
    tcgetwinsize(&stdout)
        .map(|size| usize::from(size.ws_col))
        .ok()
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
}

/// Which columns find room.
#[derive(Debug, Clone, Copy)]
struct Form {
    caches: bool,
    answers: bool,
    notes: bool,
    key: usize,
}

impl Form {
    fn of(width: usize, group_by: &str) -> Self {
        Self {
            answers: width >= 60,
            caches: width >= 76,
            notes: width >= 100 && group_by != "model",
            key: if width >= 100 {
                40
            } else {
                (width / 3).max(10)
            },
        }
    }

    fn header(self, group_by: &str) -> Vec<String> {
        let mut cells = vec![group_by.to_uppercase()];
        if self.answers {
            cells.push("ANSWERS".to_owned());
        }
        cells.extend(["INPUT", "OUTPUT"].map(str::to_owned));
        if self.caches {
            cells.extend(["TO CACHE", "FROM CACHE"].map(str::to_owned));
        }
        cells.push("COST".to_owned());
        if self.notes {
            cells.push(
                if group_by == "session" {
                    "WHERE"
                } else {
                    "MODELS"
                }
                .to_owned(),
            );
        }
        cells
    }

    fn cells(self, row: &UsageRow, report: &UsageReport) -> Vec<String> {
        let key = match (row.key.as_str(), report.group_by.as_str()) {
            ("", "profile") => "(no profile)".to_owned(),
            ("", _) => "(not known)".to_owned(),
            // The part of a path that tells it from others is its end.
            (key, "project") => shortened_front(key, self.key),
            (key, _) => shortened(key, self.key),
        };
        let note = match &row.session {
            Some(session) => {
                let whose = session.profile.as_deref().unwrap_or(&session.agent);
                let project = session.project.as_deref().unwrap_or_default();
                format!("{whose} {}", shortened_front(project, 40))
            }
            None => {
                let names: Vec<&str> = row.models.iter().map(|usage| &*usage.model).collect();
                shortened(&names.join(", "), 50)
            }
        };
        self.line(key, &row.used, note)
    }

    fn line(self, key: String, amount: &UsageAmount, note: String) -> Vec<String> {
        let tokens = &amount.tokens;
        let mut cells = vec![key];
        if self.answers {
            cells.push(count(amount.answers));
        }
        cells.push(count(tokens.input_tokens));
        cells.push(count(tokens.output_tokens));
        if self.caches {
            cells.push(count(tokens.cache_creation_input_tokens));
            cells.push(count(tokens.cache_read_input_tokens));
        }
        cells.push(cost(&amount.cost));
        if self.notes {
            cells.push(note);
        }
        cells
    }
}

/// Numbers to the right: what is between the first column and the notes.
fn align(rows: &mut [Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let last = rows
        .first()
        .and_then(|header| header.iter().position(|cell| cell == "COST"))
        .unwrap_or_default();
    for column in (1..columns).filter(|column| *column <= last) {
        let width = rows.iter().map(|row| row[column].chars().count()).max();
        for row in rows.iter_mut() {
            let cell = &mut row[column];
            *cell = format!("{cell:>width$}", width = width.unwrap_or_default());
        }
    }
}

/// A number as short as it stays telling: `999`, `12.3k`, `4.56M`.
pub(super) fn count(number: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| number >= *unit) else {
        return number.to_string();
    };
    let hundredths = number / (unit / 100);
    match hundredths {
        0..1_000 => format!("{}.{:02}{name}", hundredths / 100, hundredths % 100),
        1_000..10_000 => format!("{}.{}{name}", hundredths / 100, hundredths / 10 % 10),
        _ => format!("{}{name}", hundredths / 100),
    }
}

/// `$1.23`; `$1.23+` where a part has no known price, `?` where nothing has one.
pub(super) fn cost(cost: &Cost) -> String {
    match (cost.total_cost.nanos(), cost.unpriced) {
        (0, true) => "?".to_owned(),
        (_, true) => format!("{}+", dollars(cost.total_cost)),
        (_, false) => dollars(cost.total_cost),
    }
}

/// To the cent; below a cent, to a hundredth of one.
pub(super) fn dollars(amount: Usd) -> String {
    const CENT: i64 = 10_000_000;
    let nanos = amount.nanos();
    if nanos == 0 || nanos >= CENT {
        let cents = (nanos + CENT / 2) / CENT;
        return format!("${}.{:02}", cents / 100, cents % 100);
    }
    format!("${:.4}", nanos as f64 / 1e9)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn shortened_front(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().skip(length - most.saturating_sub(1)).collect();
    format!("…{kept}")
}

/// The cost of times, as a line; of tokens, where nothing has a price.
fn sparkline(report: &UsageReport, columns: usize) -> Option<String> {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let is_time = matches!(&*report.group_by, "day" | "week" | "month" | "block");
    if !is_time || report.rows.len() < 3 {
        return None;
    }
    let priced = report.total.cost.total_cost.nanos() > 0;
    let values = report.rows.iter().map(|row| {
        if priced {
            row.used.cost.total_cost.nanos().unsigned_abs()
        } else {
            let tokens = &row.used.tokens;
            tokens.input_tokens.saturating_add(tokens.output_tokens)
        }
    });
    let values: Vec<u64> = values.collect();
    let largest = values.iter().copied().max().filter(|value| *value > 0)?;
    let bars = values.iter().map(|value| {
        let step = u128::from(*value) * (STEPS.len() as u128 - 1) / u128::from(largest);
        STEPS[step as usize]
    });
    let of = if priced { "cost" } else { "tokens" };
    let legend = format!("{of} of each {}", report.group_by);
    // The latest, where not all have room.
    let room = columns.min(120).saturating_sub(legend.len() + 2);
    let bars: String = bars.skip(values.len().saturating_sub(room)).collect();
    Some(format!("{bars}  {legend}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let check = |number: u64, expected: &str| assert_eq!(count(number), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1.00k");
        check(12_345, "12.3k");
        check(999_999, "999k");
        check(5_451_340_353, "5.45G");
        check(u64::MAX, "18446744T");
    }

    #[test]
    fn money_is_told_to_the_cent() {
        let check = |nanos: i64, unpriced: bool, expected: &str| {
            let amount = Cost::new(Usd::from_nanos(nanos)).with_unpriced(unpriced);
            assert_eq!(cost(&amount), expected, "{nanos}");
        };
        check(0, false, "$0.00");
        check(0, true, "?");
        check(1_234_567_890, false, "$1.23");
        check(1_235_000_000, false, "$1.24");
        check(2_000_000_000_000, true, "$2000.00+");
        check(4_200_000, false, "$0.0042");
    }

    #[test]
    fn a_line_of_the_largest_numbers_is_drawn() {
        let row = |tokens: u64| {
            serde_json::json!({"key": "2026-03-01", "models": [], "first_at": "2026-03-01T00:00:00Z",
                "last_at": "2026-03-01T00:00:00Z", "used": {"answers": 1, "cost": {"total_cost": 0},
                "tokens": {"input_tokens": tokens, "output_tokens": tokens}}})
        };
        let report = serde_json::json!({"group_by": "day", "timezone": "UTC",
            "rows": [row(0), row(1 << 62), row(u64::MAX)], "total": row(1)["used"]});
        let report: UsageReport = serde_json::from_value(report).unwrap();
        let line = sparkline(&report, 80).unwrap();
        assert_eq!(line, "▁▄█  tokens of each day");
    }

    #[test]
    fn long_names_keep_what_tells_them_apart() {
        assert_eq!(shortened("claude-sonnet", 7), "claude…");
        assert_eq!(shortened_front("/home/me/work/app", 9), "…work/app");
        assert_eq!(shortened("short", 7), "short");
    }
}
