//! From publication to receipt, on a daemon that has nothing else to do.

use super::{Bench, micros};
use crate::client::Client;
use crate::clock;
use crate::event::Checker;
use crate::report::{Report, percentile};
use crate::rival::Rival;
use std::time::Duration;

const EVENTS: u64 = 400;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    if !bench.has(Rival::Clown) {
        return Ok(());
    }
    for round in 0..bench.flags.rounds {
        for power in [false, true] {
            measure(bench, report, power, round)?;
        }
    }
    let figure = |sync, name| report.median("latency", sync, name).unwrap_or(f64::NAN);
    let rows = ["process", "power"].map(|sync| {
        vec![
            format!("sync = \"{sync}\""),
            format!("{:.0} µs", figure(sync, "median_us")),
            format!("{:.0} µs", figure(sync, "p99_us")),
            format!("{:.0} µs", figure(sync, "commit_us")),
        ]
    });
    let (median, p99) = (figure("process", "median_us"), figure("process", "p99_us"));
    report.heading("Publication to receipt on an idle daemon");
    report.paragraph(&format!(
        "From right before the commit to the event's last byte at one client, durable before it is \
         seen; {EVENTS} events in each round, 5 ms apart."
    ));
    report.table(&["", "median", "p99", "median of the commit alone"], &rows);
    report.target(
        "publication to receipt, median",
        "< 300 µs",
        format!("{median:.0} µs"),
        median < 300.0,
    );
    report.target(
        "publication to receipt, p99",
        "< 2 ms",
        format!("{p99:.0} µs"),
        p99 < 2_000.0,
    );
    Ok(())
}

fn measure(
    bench: &Bench<'_>,
    report: &mut Report,
    power: bool,
    round: usize,
) -> anyhow::Result<()> {
    let folder = bench.folder()?;
    let mut server = bench.field.start_clown(folder.path(), 1, power)?;
    let mut client = Client::connect(server.address, "/ws")?;
    let checker = Checker::new();
    let mut times = Vec::new();
    let mut commits = Vec::new();
    for index in 0..EVENTS {
        std::thread::sleep(Duration::from_millis(5));
        server.tell("publish 1")?;
        let mut texts = 0;
        client.receive(|text| {
            texts += 1;
            checker.check(text, index).map_err(anyhow::Error::msg)?;
            Ok(())
        })?;
        let last = clock::now();
        anyhow::ensure!(texts == 1, "one event came {texts} times");
        let published = server.published()?;
        times.push(micros(last - published.began));
        commits.push(micros(published.ended - published.began));
    }
    report.raw(
        "latency",
        if power { "power" } else { "process" },
        round,
        &[
            ("median_us", percentile(times.clone(), 0.5).unwrap_or(0.0)),
            ("p99_us", percentile(times, 0.99).unwrap_or(0.0)),
            ("commit_us", percentile(commits, 0.5).unwrap_or(0.0)),
        ],
    );
    Ok(())
}
