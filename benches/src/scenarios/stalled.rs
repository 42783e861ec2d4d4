//! A burst beside a client that takes nothing, and what that one gets when it reads again.

use super::{Bench, Spent, millis, settle};
use crate::client::{Client, Clients};
use crate::event::Checker;
use crate::report::{Report, percentile};
use crate::rival::Rival;
use std::time::Duration;

const MIB: f64 = (1 << 20) as f64;
const WARM_UP: u64 = 500;

/// Bursts in a row: more than the ring and the kernel's buffers hold together.
const BURSTS: u64 = 8;

/// Measurements in a round: what is to be told apart is small.
const REPETITIONS: usize = 3;

const NONE: &str = "stalled: none";
const ONE: &str = "stalled: one";
const AGAIN: &str = "stalled: none again";

/// How much more memory a stalled client may cost the server, once and for all.
const GROWTH_MIB: f64 = 2.0;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    if !bench.has(Rival::Clown) {
        return Ok(());
    }
    for round in 0..bench.flags.rounds * REPETITIONS {
        // Around each other, so that what disturbs one disturbs the others as well. The third is the
        // measure of what can be measured: it differs from the first by nothing.
        measure(bench, report, round, NONE)?;
        measure(bench, report, round, ONE)?;
        measure(bench, report, round, AGAIN)?;
    }
    let median = |name, value| report.median(name, "clown", value).unwrap_or(f64::NAN);
    let row = |title: &str, name| {
        vec![
            title.to_owned(),
            format!("{:.0} ms", median(name, "wall_ms")),
            format!("{:.0} ms", median(name, "server_cpu_ms")),
            format!("{:.1} MiB", median(name, "growth_mib")),
        ]
    };
    let rows = [
        row("none", NONE),
        row("one of them", ONE),
        row("none, again", AGAIN),
    ];
    let wall = Ratios::of(report, "wall_ms");
    let cpu = Ratios::of(report, "server_cpu_ms");
    let growth = median(ONE, "growth_mib") - median(NONE, "growth_mib");
    report.heading(&format!(
        "A stalled reader: {} events to {} clients, beside one that takes nothing",
        bench.flags.events * BURSTS,
        bench.flags.clients - 1
    ));
    report.paragraph(
        "Until the others have all. The memory is the most that was resident, less what was before. \
         Then the stalled one reads, and gets every event once and in order, from the journal. Each \
         round measures without, with, and without again; the ratios are those of a round.",
    );
    report.table(&["stalled", "wall", "server CPU", "memory"], &rows);
    report.target(
        "a stalled reader's cost to the others",
        "nothing that can be measured: within the middle half of rounds that differ by nothing",
        format!("wall {wall}, CPU {cpu}"),
        wall.is_nothing() && cpu.is_nothing(),
    );
    report.target(
        "a stalled reader's memory in the daemon",
        "does not grow: ≤ 2 MiB more",
        format!("{growth:+.1} MiB"),
        growth <= GROWTH_MIB,
    );
    Ok(())
}

/// How a round with a stalled reader compares with one without, and how one without does.
struct Ratios {
    with: f64,
    /// The quartiles.
    without: (f64, f64),
}

impl Ratios {
    fn of(report: &Report, value: &str) -> Self {
        let [none, one, again] = [NONE, ONE, AGAIN].map(|name| report.values(name, "clown", value));
        let ratios = |above: &[f64]| -> Vec<f64> {
            let pairs = above.iter().zip(&none);
            pairs.map(|(above, below)| above / below).collect()
        };
        let quantile = |values: &[f64], part| percentile(values.to_vec(), part).unwrap_or(f64::NAN);
        let same = ratios(&again);
        Self {
            with: quantile(&ratios(&one), 0.5),
            without: (quantile(&same, 0.25), quantile(&same, 0.75)),
        }
    }

    fn is_nothing(&self) -> bool {
        self.with <= self.without.1
    }
}

impl std::fmt::Display for Ratios {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.without;
        write!(formatter, "{:.2} ({low:.2} to {high:.2})", self.with)
    }
}

fn measure(bench: &Bench<'_>, report: &mut Report, round: usize, name: &str) -> anyhow::Result<()> {
    let events = bench.flags.events * BURSTS;
    let total = events + WARM_UP;
    let folder = bench.folder()?;
    let mut server = bench
        .field
        .start(Rival::Clown, folder.path(), total, bench.flags.batch)?;
    let mut others = Clients::new()?;
    others.connect(server.address, bench.flags.clients - 1)?;
    server.tell(&format!("publish {WARM_UP}"))?;
    others.receive(WARM_UP)?;
    server.published()?;
    let stalled = match name == ONE {
        true => Some(Client::connect(server.address, "/ws?since=now")?),
        false => None,
    };
    settle();
    let before = server.resident()?;
    let spent = Spent::so_far(&server);
    server.tell(&format!("publish {events}"))?;
    let last = others.receive(events)?;
    let published = server.published()?;
    let (server_cpu, client_cpu) = spent.since(&server);
    let growth = server.most_resident()?.saturating_sub(before) as f64 / MIB;
    if let Some(mut stalled) = stalled {
        let checker = Checker::new();
        let mut index = 0;
        while index < events {
            stalled.receive(|text| {
                checker
                    .check(text, WARM_UP + index)
                    .map_err(anyhow::Error::msg)?;
                index += 1;
                Ok(())
            })?;
        }
        anyhow::ensure!(index == events, "the stalled client got {index} events");
    }
    others.expect_silence(Duration::from_millis(20))?;
    report.raw(
        name,
        "clown",
        round,
        &[
            ("wall_ms", millis(last - published.began)),
            ("server_cpu_ms", server_cpu),
            ("client_cpu_ms", client_cpu),
            ("growth_mib", growth),
        ],
    );
    Ok(())
}
