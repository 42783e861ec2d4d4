//! Everything that is retained, to one client that begins at the beginning.

use super::{Bench, Spent, millis};
use crate::client::Client;
use crate::clock;
use crate::event::Checker;
use crate::report::Report;
use crate::rival::Rival;
use anyhow::Context as _;

const MIB: f64 = (1 << 20) as f64;

/// How much more memory a replay may take.
const GROWTH_MIB: f64 = 32.0;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    if !bench.has(Rival::Clown) {
        return Ok(());
    }
    let retained = bench.flags.retained;
    let folder = bench.folder()?;
    let mut filling = bench.field.start_clown(folder.path(), 1, false)?;
    filling.tell(&format!("commit {retained} 1000 1"))?;
    filling.published()?;
    drop(filling);
    for round in 0..bench.flags.rounds {
        let server = bench.field.start_clown(folder.path(), 1, false)?;
        let before = server.resident()?;
        let spent = Spent::so_far(&server);
        let checker = Checker::new();
        let began = clock::now();
        let mut client = Client::connect(server.address, "/ws?since=0")?;
        let (mut index, mut last_seq) = (0, 0);
        while index < retained {
            client.receive(|text| {
                let seq = checker.check(text, index).map_err(anyhow::Error::msg)?;
                let seq = seq.context("an event has no seq")?;
                anyhow::ensure!(seq > last_seq, "seq {seq} comes behind {last_seq}");
                (index, last_seq) = (index + 1, seq);
                Ok(())
            })?;
        }
        let wall = millis(clock::now() - began);
        let (server_cpu, client_cpu) = spent.since(&server);
        let growth = server.most_resident()?.saturating_sub(before) as f64 / MIB;
        report.raw(
            "replay",
            "clown",
            round,
            &[
                ("wall_ms", wall),
                ("server_cpu_ms", server_cpu),
                ("client_cpu_ms", client_cpu),
                ("per_second", retained as f64 / wall * 1e3),
                ("growth_mib", growth),
            ],
        );
    }
    let median = |name| report.median("replay", "clown", name).unwrap_or(f64::NAN);
    let (rate, growth) = (median("per_second"), median("growth_mib"));
    let row = vec![
        format!("{retained} events of 256 bytes, with `seq`"),
        format!("{:.0} ms", median("wall_ms")),
        format!("{rate:.0}"),
        format!("{:.0} ms", median("server_cpu_ms")),
        format!("{:.0} ms", median("client_cpu_ms")),
        format!("{growth:.1} MiB"),
    ];
    report.heading("Replay: all that is retained to one client");
    report.paragraph("A daemon that was just started reads all of it from the journal. The memory is the most that was resident, less what was before.");
    report.table(
        &["", "wall", "events/s", "server CPU", "client CPU", "memory"],
        &[row],
    );
    report.target(
        "replay",
        "≥ 500,000 events/s",
        format!("{rate:.0}"),
        rate >= 500_000.0,
    );
    report.target(
        "memory of a replay",
        "bounded: ≤ 32 MiB more",
        format!("{growth:.1} MiB"),
        growth <= GROWTH_MIB,
    );
    Ok(())
}
