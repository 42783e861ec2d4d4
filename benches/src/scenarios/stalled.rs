//! A burst beside a client that takes nothing, and what that one gets when it reads again.

use super::{Bench, Spent, millis, settle};
use crate::client::{Client, Clients};
use crate::event::Checker;
use crate::report::Report;
use crate::rival::Rival;
use std::time::Duration;

const MIB: f64 = (1 << 20) as f64;
const WARM_UP: u64 = 500;

/// Bursts in a row: more than the ring and the kernel's buffers hold together.
const BURSTS: u64 = 8;

/// How much more memory a stalled client may cost the server, once and for all.
const GROWTH_MIB: f64 = 2.0;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    if !bench.has(Rival::Clown) {
        return Ok(());
    }
    for round in 0..bench.flags.rounds {
        // In turns, so that what disturbs one disturbs the other as well.
        measure(bench, report, round, false)?;
        measure(bench, report, round, true)?;
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
        row("none", "stalled: none"),
        row("one of them", "stalled: one"),
    ];
    let ratio = |value| median("stalled: one", value) / median("stalled: none", value);
    let (wall, cpu) = (ratio("wall_ms"), ratio("server_cpu_ms"));
    let spread = spread_of(&report.values("stalled: none", "clown", "wall_ms"));
    let growth = median("stalled: one", "growth_mib") - median("stalled: none", "growth_mib");
    report.heading(&format!(
        "A stalled reader: {} events to {} clients, beside one that takes nothing",
        bench.flags.events * BURSTS,
        bench.flags.clients - 1
    ));
    report.paragraph(&format!(
        "Until the others have all. The memory is the most that was resident, less what was before. Then the \
         stalled one reads, and gets every event once and in order, from the journal. The rounds \
         without one lie {:.0}% apart; server CPU with one is {cpu:.2} of that without.",
        spread * 100.0
    ));
    report.table(&["stalled", "wall", "server CPU", "memory"], &rows);
    report.target(
        "a stalled reader's cost to the others",
        "nothing that can be measured: wall within the spread of the rounds without one, CPU ≤ 1.05",
        format!(
            "wall {:+.1}% (spread {:.1}%), CPU {cpu:.2}",
            (wall - 1.0) * 100.0,
            spread * 100.0
        ),
        wall - 1.0 <= spread && cpu <= 1.05,
    );
    report.target(
        "a stalled reader's memory in the daemon",
        "does not grow: ≤ 2 MiB more",
        format!("{growth:+.1} MiB"),
        growth <= GROWTH_MIB,
    );
    Ok(())
}

/// How far the rounds lie apart, as a share of their middle.
fn spread_of(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    (most - least) / (most + least) * 2.0
}

fn measure(
    bench: &Bench<'_>,
    report: &mut Report,
    round: usize,
    with_one: bool,
) -> anyhow::Result<()> {
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
    let stalled = match with_one {
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
    let name = match with_one {
        true => "stalled: one",
        false => "stalled: none",
    };
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
