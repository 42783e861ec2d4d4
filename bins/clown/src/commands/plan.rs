//! What `--dry-run` shows.

use crate::context::Context;
use crate::output::{Output, note};
use crate::table::printable;
use anyhow::Context as _;
use clown_api::{Plan, PlanRun, PlannedChange, PlannedFile};
use serde_json::Value;

/// A question for the plan of a run from here.
pub(crate) fn request() -> anyhow::Result<PlanRun> {
    Ok(PlanRun {
        create: None,
        patch: None,
        args: Vec::new(),
        cwd: here()?,
        path: std::env::var_os("PATH")
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        cli_pid: std::process::id(),
    })
}

/// The current folder, as the daemon takes it.
pub(crate) fn here() -> anyhow::Result<String> {
    let folder = std::env::current_dir().context("cannot tell the current folder; is it gone?")?;
    let text = folder.into_os_string().into_string();
    text.map_err(|folder| {
        anyhow::anyhow!("the current folder {} is not UTF-8 text", folder.display())
    })
}

/// Prints a plan, and on stderr what would keep a run from starting.
pub(crate) fn show(context: &Context, plan: &Plan) -> anyhow::Result<()> {
    let output = context.output;
    if output.is_json() {
        output.json(plan)?;
    } else {
        people(output, plan)?;
    }
    for problem in &plan.problems {
        note(format_args!("A run would fail: {}", printable(problem)));
    }
    note("This was a dry run: nothing was changed.");
    Ok(())
}

fn people(output: Output, plan: &Plan) -> anyhow::Result<()> {
    if let Some(file) = &plan.profile_file {
        show_file(output, file)?;
    }
    for file in &plan.files {
        show_file(output, file)?;
    }
    output.line("variables")?;
    for (name, value) in &plan.env {
        if let Some(value) = value {
            output.line(format_args!("  {}={}", printable(name), printable(value)))?;
        }
    }
    let unset: Vec<&str> = plan
        .env
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    if !unset.is_empty() {
        output.line(format_args!("  unset {}", printable(&unset.join(" "))))?;
    }
    if let Some(program) = &plan.program {
        output.line("program")?;
        let words = std::iter::once(program).chain(&plan.args);
        let words: Vec<String> = words
            .map(|word| super::shell::quoted_if_needed(word))
            .collect();
        output.line(format_args!("  {}", printable(&words.join(" "))))?;
    }
    if let Some(folder) = &plan.working_dir {
        output.line(format_args!("  in {}", printable(folder)))?;
    }
    Ok(())
}

fn show_file(output: Output, file: &PlannedFile) -> anyhow::Result<()> {
    let what = if file.is_new { "new file" } else { "file" };
    output.line(format_args!("{what} {}", printable(&file.path)))?;
    for change in &file.changes {
        output.line(format_args!("  {}", printable(&change_line(change))))?;
    }
    Ok(())
}

fn change_line(change: &PlannedChange) -> String {
    let member = change.member.join(".");
    match (&change.before, &change.after) {
        (None, Some(after)) => format!("+ {member} = {}", shown(after)),
        (Some(before), None) => format!("- {member} = {}", shown(before)),
        (Some(before), Some(after)) => {
            format!("~ {member} = {} -> {}", shown(before), shown(after))
        }
        (None, None) => format!("  {member}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_of_members() {
        let check = |change: Value, expected: &str| {
            let change: PlannedChange = serde_json::from_value(change).unwrap();
            assert_eq!(change_line(&change), expected);
        };
        check(json!({"member": ["model"], "after": "m"}), "+ model = m");
        check(
            json!({"member": ["args"], "before": ["-v"]}),
            "- args = [\"-v\"]",
        );
        check(
            json!({"member": ["a", "b"], "before": 1, "after": {"c": true}}),
            "~ a.b = 1 -> {\"c\":true}",
        );
    }
}
