use super::Filter;
use crate::context::Context;
use clap::Args;
use clown_api::{ImportUsage, UsageImporting};
use clown_client::Client;
use std::convert::Infallible;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Years of logs take a while.
const IMPORT_LIMIT: Duration = Duration::from_secs(6 * 60 * 60);

const PROGRESS_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The agent: claude, codex, …; `clown agents list` has all
    source: String,
    /// Its folder [default: where it writes by itself]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

pub(super) async fn import(
    context: &Context,
    filter: Filter,
    args: ImportArgs,
) -> anyhow::Result<()> {
    let path = args.path.map(std::path::absolute).transpose()?;
    let request = ImportUsage {
        source: args.source,
        path: path.map(|path| path.to_string_lossy().into_owned()),
        profile: filter.profile,
    };
    let client = context.daemon().await?;
    let patient = client.clone().with_time_limit(IMPORT_LIMIT);
    let imported = tokio::select! {
        imported = patient.import_usage(&request) => imported,
        never = show_progress(&client) => match never {},
    };
    clear_line();
    let imported = imported?;
    if context.output.is_json() {
        return context.output.json(&imported);
    }
    context.output.line(format_args!(
        "{} of {} in {}; {}, {} read. {}",
        several(imported.records_imported, "new answer"),
        imported.source,
        imported.paths.join(" and "),
        several(imported.files, "file"),
        size(imported.bytes),
        if request.profile.is_some() {
            "They count for the profile, and so do those there that counted for none."
        } else {
            "What is written there from now on is counted, too."
        }
    ))
}

/// Goes on for as long as it is looked at.
async fn show_progress(client: &Client) -> Infallible {
    if !io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let mut ticks = interval(PROGRESS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        // The import itself says what is wrong with the daemon.
        if let Ok(imports) = client.usage_imports().await
            && let Some(import) = imports.first()
        {
            // That nobody sees it is no reason to fail.
            let _ = write!(io::stderr().lock(), "\r\x1b[K{}", bar(import));
        }
    }
}

fn clear_line() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr().lock(), "\r\x1b[K");
    }
}

fn bar(import: &UsageImporting) -> String {
    const WIDTH: u64 = 30;
    let total = import.bytes_total.max(1);
    let done = import.bytes_done.min(total);
    let full = usize::try_from(done * WIDTH / total).unwrap_or_default();
    let empty = usize::try_from(WIDTH).unwrap_or_default() - full;
    format!(
        "{} {}{} {} of {}",
        import.source,
        "█".repeat(full),
        "░".repeat(empty),
        size(done),
        size(total)
    )
}

fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10).max(1);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

fn several(count: u64, name: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {name}{s}")
}
