//! One event to many clients, again and again.

use super::{Bench, Spent, micros, settle};
use crate::client::Clients;
use crate::report::{Report, percentile};
use crate::rival::Rival;
use std::time::Duration;

const REPETITIONS: u64 = 300;
const WARM_UP: u64 = 50;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    for round in 0..bench.flags.rounds {
        for rival in &bench.field.rivals {
            measure(bench, report, *rival, round)?;
        }
    }
    let median = |rival: Rival, name| report.median("fanout", rival.name(), name);
    let Some(own) = median(Rival::Clown, "median_us") else {
        return Ok(());
    };
    let row = |rival: &Rival| {
        Some(vec![
            rival.title().to_owned(),
            format!("{:.0} µs", median(*rival, "median_us")?),
            format!("{:.0} µs", median(*rival, "p99_us")?),
            format!("{:.0} µs", median(*rival, "server_cpu_us")?),
            format!("{:.0} µs", median(*rival, "client_cpu_us")?),
            format!("{:.2}", median(*rival, "median_us")? / own),
        ])
    };
    let rows: Vec<_> = bench.field.rivals.iter().filter_map(row).collect();
    let (raw, ws) = (
        median(Rival::Raw, "median_us"),
        median(Rival::Ws, "median_us"),
    );
    let clients = bench.flags.clients;
    report.heading(&format!("One event to {clients} clients"));
    report.paragraph(&format!(
        "From right before its publication (for Clown: before its commit) to the last byte at the \
         last client; {REPETITIONS} events in each of {} rounds, one after the other. CPU is for \
         each event.",
        bench.flags.rounds
    ));
    report.table(
        &[
            "server",
            "median",
            "p99",
            "server CPU",
            "client CPU",
            "median ÷ Clown's",
        ],
        &rows,
    );
    if let Some(raw) = raw {
        let measured = format!("{:.2}", own / raw);
        report.target(
            "one event against the raw floor",
            "≤ 1.5",
            measured,
            own <= 1.5 * raw,
        );
    }
    if let Some(ws) = ws {
        let measured = format!("{:.2}", own / ws);
        report.target("one event against ws", "< 1", measured, own < ws);
    }
    Ok(())
}

fn measure(
    bench: &Bench<'_>,
    report: &mut Report,
    rival: Rival,
    round: usize,
) -> anyhow::Result<()> {
    let folder = bench.folder()?;
    let total = REPETITIONS + WARM_UP;
    let mut server = bench
        .field
        .start(rival, folder.path(), total, bench.flags.batch)?;
    let mut all = Clients::new()?;
    all.connect(server.address, bench.flags.clients)?;
    for _ in 0..WARM_UP {
        server.tell("publish 1")?;
        all.receive(1)?;
        server.published()?;
    }
    settle();
    let spent = Spent::so_far(&server);
    let mut times = Vec::new();
    for _ in 0..REPETITIONS {
        server.tell("publish 1")?;
        let last = all.receive(1)?;
        times.push(micros(last - server.published()?.began));
    }
    let (server_cpu, client_cpu) = spent.since(&server);
    all.expect_silence(Duration::from_millis(20))?;
    let each = 1e3 / REPETITIONS as f64;
    report.raw(
        "fanout",
        rival.name(),
        round,
        &[
            ("median_us", percentile(times.clone(), 0.5).unwrap_or(0.0)),
            ("p99_us", percentile(times, 0.99).unwrap_or(0.0)),
            ("server_cpu_us", server_cpu * each),
            ("client_cpu_us", client_cpu * each),
        ],
    );
    Ok(())
}
