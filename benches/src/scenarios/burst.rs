//! Many events at once, to many clients.

use super::{Bench, Spent, millis, settle};
use crate::client::Clients;
use crate::report::Report;
use crate::rival::Rival;
use std::time::Duration;

const WARM_UP: u64 = 500;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    for round in 0..bench.flags.rounds {
        for rival in &bench.field.rivals {
            measure(bench, report, *rival, round)?;
        }
    }
    let median = |rival: Rival, name| report.median("burst", rival.name(), name);
    let Some(own) = median(Rival::Clown, "wall_ms") else {
        return Ok(());
    };
    let (events, clients) = (bench.flags.events, bench.flags.clients);
    let deliveries = events as f64 * clients as f64;
    let row = |rival: &Rival| {
        let wall = median(*rival, "wall_ms")?;
        Some(vec![
            rival.title().to_owned(),
            format!("{wall:.0} ms"),
            format!("{:.2} M/s", deliveries / wall / 1e3),
            format!("{:.0} ms", median(*rival, "server_cpu_ms")?),
            format!("{:.0} ms", median(*rival, "client_cpu_ms")?),
            format!("{:.2}", wall / own),
        ])
    };
    let rows: Vec<_> = bench.field.rivals.iter().filter_map(row).collect();
    let ratio = |rival| median(rival, "wall_ms").map(|wall| wall / own);
    let (ws, socketify, raw) = (ratio(Rival::Ws), ratio(Rival::Socketify), ratio(Rival::Raw));
    report.heading(&format!(
        "Burst: {events} events of 256 bytes to {clients} clients"
    ));
    report.paragraph(&format!(
        "From the first event's publication to the last byte at the last client. Clown commits to \
         its journal first, {} events a transaction; the others keep nothing.",
        bench.flags.batch
    ));
    report.table(
        &[
            "server",
            "wall",
            "deliveries",
            "server CPU",
            "client CPU",
            "wall ÷ Clown's",
        ],
        &rows,
    );
    if let Some(ws) = ws {
        let met = ws >= 50.0;
        report.target(
            "burst against ws",
            "≥ 50 times as fast",
            format!("{ws:.1}"),
            met,
        );
    }
    if let Some(socketify) = socketify {
        let met = socketify >= 1.0;
        report.target(
            "burst against socketify",
            "≥ 1",
            format!("{socketify:.2}"),
            met,
        );
    }
    if let Some(raw) = raw {
        let met = raw >= 0.7;
        report.target(
            "burst against the raw floor",
            "≥ 0.7",
            format!("{raw:.2}"),
            met,
        );
    }
    Ok(())
}

fn measure(
    bench: &Bench<'_>,
    report: &mut Report,
    rival: Rival,
    round: usize,
) -> anyhow::Result<()> {
    let (events, clients) = (bench.flags.events, bench.flags.clients);
    let folder = bench.folder()?;
    let total = events + WARM_UP;
    let mut server = bench
        .field
        .start(rival, folder.path(), total, bench.flags.batch)?;
    let mut all = Clients::new()?;
    all.connect(server.address, clients)?;
    server.tell(&format!("publish {WARM_UP}"))?;
    all.receive(WARM_UP)?;
    server.published()?;
    settle();
    let spent = Spent::so_far(&server);
    server.tell(&format!("publish {events}"))?;
    let last = all.receive(events)?;
    let published = server.published()?;
    all.expect_silence(Duration::from_millis(100))?;
    let (server_cpu, client_cpu) = spent.since(&server);
    report.raw(
        "burst",
        rival.name(),
        round,
        &[
            ("wall_ms", millis(last - published.began)),
            ("publish_ms", millis(published.ended - published.began)),
            ("server_cpu_ms", server_cpu),
            ("client_cpu_ms", client_cpu),
        ],
    );
    Ok(())
}
