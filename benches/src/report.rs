//! Keeps each measurement, and says what came out.

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Raw measurements, tables and verdicts.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<Value>,
    text: String,
    targets: Vec<Target>,
}

/// One demand and what was measured.
#[derive(Debug)]
struct Target {
    what: String,
    demand: String,
    measured: String,
    met: bool,
}

impl Report {
    pub(crate) fn new(first: Value) -> Self {
        Self {
            lines: vec![first],
            ..Self::default()
        }
    }

    /// Keeps one measurement as it came.
    pub(crate) fn raw(
        &mut self,
        scenario: &str,
        server: &str,
        round: usize,
        values: &[(&str, f64)],
    ) {
        let mut line = Map::new();
        line.insert("scenario".to_owned(), json!(scenario));
        line.insert("server".to_owned(), json!(server));
        line.insert("round".to_owned(), json!(round));
        for (name, value) in values {
            // Three digits behind the point say enough.
            line.insert((*name).to_owned(), json!((value * 1000.0).round() / 1000.0));
        }
        let line = Value::Object(line);
        eprintln!("{line}");
        self.lines.push(line);
    }

    /// The values of `name` in all rounds of a scenario and server.
    pub(crate) fn values(&self, scenario: &str, server: &str, name: &str) -> Vec<f64> {
        let fits = |line: &&Value| line["scenario"] == scenario && line["server"] == server;
        let found = self.lines.iter().filter(fits);
        found.filter_map(|line| line[name].as_f64()).collect()
    }

    /// The median of those.
    pub(crate) fn median(&self, scenario: &str, server: &str, name: &str) -> Option<f64> {
        percentile(self.values(scenario, server, name), 0.5)
    }

    pub(crate) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "\n### {text}\n");
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.text, "{text}\n");
    }

    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let _ = writeln!(self.text, "| {} |", head.join(" | "));
        let _ = writeln!(self.text, "|---|{}", "--:|".repeat(head.len() - 1));
        for row in rows {
            let _ = writeln!(self.text, "| {} |", row.join(" | "));
        }
        self.text.push('\n');
    }

    pub(crate) fn target(&mut self, what: &str, demand: &str, measured: String, met: bool) {
        self.targets.push(Target {
            what: what.to_owned(),
            demand: demand.to_owned(),
            measured,
            met,
        });
    }

    /// Tables and targets.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from("| target | demanded | measured | |\n|---|---|---|---|\n");
        for target in &self.targets {
            let verdict = if target.met { "met" } else { "**missed**" };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {verdict} |",
                target.what, target.demand, target.measured
            );
        }
        text + &self.text
    }

    /// Whether every target is met.
    pub(crate) fn all_met(&self) -> bool {
        self.targets.iter().all(|target| target.met)
    }

    /// Writes the raw measurements, and puts the text between the marks of the page `name`.
    pub(crate) fn record(&self, docs: &Path, name: &str) -> anyhow::Result<()> {
        let lines: Vec<String> = self.lines.iter().map(Value::to_string).collect();
        fs::write(
            docs.join(format!("{name}-data.jsonl")),
            lines.join("\n") + "\n",
        )?;
        let page = docs.join(format!("{name}.md"));
        let old = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
        let (before, rest) = old.split_once(BEGIN).context("the page has no mark")?;
        let (_, after) = rest.split_once(END).context("the page has no end mark")?;
        let machine = &self.lines[0];
        let about = format!(
            "Measured {} on {} cores of {}{}, Linux {}, {} MiB of memory; {}.",
            machine["date"].as_str().unwrap_or_default(),
            machine["machine"]["cores"],
            machine["machine"]["cpu"].as_str().unwrap_or_default(),
            match machine["machine"]["virtual"].as_bool() {
                Some(true) => " (a virtual machine)",
                _ => "",
            },
            machine["machine"]["kernel"].as_str().unwrap_or_default(),
            machine["machine"]["memory_mib"],
            machine["versions"].as_str().unwrap_or_default(),
        );
        let text = self.text();
        let new = format!("{before}{BEGIN}\n{about}\n\n{text}{END}{after}");
        Ok(fs::write(page, new)?)
    }
}

const BEGIN: &str = "<!-- measured -->";
const END: &str = "<!-- end of what was measured -->";

/// The value below which `part` of all are.
pub(crate) fn percentile(mut values: Vec<f64>, part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let place = part * last as f64;
    let (below, above) = (
        values[place.floor() as usize],
        values[place.ceil() as usize],
    );
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_lies_between_its_neighbours() {
        let check = |values: &[f64], part: f64, expected: Option<f64>| {
            assert_eq!(percentile(values.to_vec(), part), expected, "{values:?}");
        };
        check(&[], 0.5, None);
        check(&[3.0], 0.5, Some(3.0));
        check(&[3.0, 1.0, 2.0], 0.5, Some(2.0));
        check(&[4.0, 1.0, 2.0, 3.0], 0.5, Some(2.5));
        check(&[1.0, 2.0], 1.0, Some(2.0));
    }
}
