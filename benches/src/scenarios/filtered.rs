//! A burst, while most clients want events of another type.

use super::{Bench, Spent, millis, settle};
use crate::client::Clients;
use crate::report::Report;
use crate::rival::Rival;
use std::time::Duration;

const WARM_UP: u64 = 500;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    let clients = bench.flags.clients;
    let receiving = clients.div_ceil(10);
    let filtered = clients - receiving;
    for round in 0..bench.flags.rounds {
        for rival in &bench.field.rivals {
            // In turns, so that what disturbs one disturbs the others as well.
            measure(bench, report, *rival, round, receiving, 0, "filtered: none")?;
            measure(
                bench,
                report,
                *rival,
                round,
                receiving,
                filtered,
                "filtered: most",
            )?;
            if *rival == Rival::Clown {
                measure(
                    bench,
                    report,
                    *rival,
                    round,
                    clients,
                    0,
                    "filtered: all receive",
                )?;
            }
        }
    }
    let cost = |rival: Rival, name| {
        let without = report.median("filtered: none", rival.name(), name)?;
        let with = report.median("filtered: most", rival.name(), name)?;
        Some((without, with))
    };
    let events = bench.flags.events as f64;
    let row = |rival: &Rival| {
        let (without, with) = cost(*rival, "wall_ms")?;
        let (cpu_without, cpu_with) = cost(*rival, "server_cpu_ms")?;
        let each = (cpu_with - cpu_without) * 1e6 / filtered as f64 / events;
        Some(vec![
            rival.title().to_owned(),
            format!("{without:.1} ms"),
            format!("{with:.1} ms"),
            format!("{cpu_without:.1} ms"),
            format!("{cpu_with:.1} ms"),
            format!("{each:.1} ns"),
        ])
    };
    let rows: Vec<_> = bench.field.rivals.iter().filter_map(row).collect();
    let own = cost(Rival::Clown, "server_cpu_ms");
    let all = report.median("filtered: all receive", "clown", "server_cpu_ms");
    report.heading(&format!(
        "Filters: {} events to {receiving} clients, beside {filtered} that want another type",
        bench.flags.events
    ));
    report.table(
        &[
            "server",
            "wall without them",
            "wall with them",
            "server CPU without",
            "server CPU with",
            "CPU for each filtered client and event",
        ],
        &rows,
    );
    if let (Some((without, with)), Some(all)) = (own, all) {
        let of_receiving = (all - without).max(f64::EPSILON);
        let share = (with - without) / of_receiving * 100.0;
        report.target(
            "a filtered client's cost",
            "near nothing: ≤ 5% of a receiving one's CPU",
            match share > 0.0 {
                true => format!("{share:.1}%"),
                false => format!("none above the noise ({share:.1}%)"),
            },
            share <= 5.0,
        );
    }
    Ok(())
}

fn measure(
    bench: &Bench<'_>,
    report: &mut Report,
    rival: Rival,
    round: usize,
    receiving: usize,
    filtered: usize,
    name: &str,
) -> anyhow::Result<()> {
    let events = bench.flags.events;
    let folder = bench.folder()?;
    let total = events + WARM_UP;
    let mut server = bench
        .field
        .start(rival, folder.path(), total, bench.flags.batch)?;
    let mut all = Clients::new()?;
    all.connect(server.address, receiving)?;
    all.connect_filtered(server.address, filtered)?;
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
        name,
        rival.name(),
        round,
        &[
            ("wall_ms", millis(last - published.began)),
            ("server_cpu_ms", server_cpu),
            ("client_cpu_ms", client_cpu),
        ],
    );
    Ok(())
}
