//! How many events the store commits.

use super::{Bench, millis};
use crate::report::Report;
use crate::rival::Rival;

/// Events, how many in a transaction, and from how many threads.
const SHAPES: [(u64, u64, u64); 4] = [
    (100_000, 1_000, 1),
    (100_000, 100, 1),
    (32_000, 1, 16),
    (4_000, 1, 1),
];

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    if !bench.has(Rival::Clown) {
        return Ok(());
    }
    for round in 0..bench.flags.rounds {
        for power in [false, true] {
            let folder = bench.folder()?;
            let mut server = bench.field.start_clown(folder.path(), 1, power)?;
            for shape @ (count, batch, threads) in SHAPES {
                // A disk takes its time for each commit of its own.
                let count = if power && batch == 1 {
                    count / 10
                } else {
                    count
                };
                server.tell(&format!("commit {count} {batch} {threads}"))?;
                let published = server.published()?;
                let wall = millis(published.ended - published.began);
                let rate = count as f64 / wall * 1e3;
                let values = [("wall_ms", wall), ("per_second", rate)];
                report.raw(&name(shape), sync(power), round, &values);
            }
        }
    }
    let rate = |shape, power| report.median(&name(shape), sync(power), "per_second");
    let rows = SHAPES.map(|shape| {
        let (_, batch, threads) = shape;
        let rate = |power| rate(shape, power).map_or_else(String::new, |rate| format!("{rate:.0}"));
        vec![
            format!("{batch} a transaction, {threads} at a time"),
            rate(false),
            rate(true),
        ]
    });
    let in_batches = rate(SHAPES[1], false).unwrap_or(0.0);
    report.heading("Commits: events a second");
    report.table(&["events", "sync = \"process\"", "sync = \"power\""], &rows);
    report.target(
        "commits in batches of 100",
        "≥ 50,000 events/s",
        format!("{in_batches:.0}"),
        in_batches >= 50_000.0,
    );
    Ok(())
}

fn name((_, batch, threads): (u64, u64, u64)) -> String {
    format!("commit {batch} x {threads}")
}

fn sync(power: bool) -> &'static str {
    if power { "power" } else { "process" }
}
