//! Connections on which nothing happens.

use super::{Bench, settle};
use crate::client::{Client, Clients};
use crate::process::Server;
use crate::report::Report;
use crate::rival::Rival;
use anyhow::ensure;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than the daemon waits before it pings, and for the answer.
const HELD: Duration = Duration::from_secs(45);

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    for round in 0..bench.flags.rounds {
        for rival in &bench.field.rivals {
            memory(bench, report, *rival, round)?;
        }
    }
    let median = |rival: Rival, name| report.median("idle", rival.name(), name);
    let row = |rival: &Rival| {
        Some(vec![
            rival.title().to_owned(),
            format!("{:.1} KiB", median(*rival, "idle_kib")?),
            format!("{:.1} KiB", median(*rival, "after_event_kib")?),
        ])
    };
    let rows: Vec<_> = bench.field.rivals.iter().filter_map(row).collect();
    let own = median(Rival::Clown, "after_event_kib");
    report.heading(&format!("Memory of {} idle connections", bench.flags.idle));
    report.paragraph(
        "What the server's resident memory has grown by, for each connection. The kernel's own \
         buffers are the same for all and not in it. Clown is the real `clownd` here.",
    );
    report.table(&["server", "before any event", "after each got one"], &rows);
    if let Some(own) = own {
        let met = own <= 8.0;
        report.target(
            "memory of an idle connection",
            "≤ 8 KiB",
            format!("{own:.1} KiB"),
            met,
        );
    }
    if bench.has(Rival::Clown) {
        hold(bench, report)?;
    }
    Ok(())
}

fn memory(
    bench: &Bench<'_>,
    report: &mut Report,
    rival: Rival,
    round: usize,
) -> anyhow::Result<()> {
    let count = bench.flags.idle;
    let folder = bench.folder()?;
    let mut server = match rival {
        Rival::Clown => daemon(bench, folder.path(), count + 1)?,
        _ => bench.field.start(rival, folder.path(), 1, 1)?,
    };
    // What the first connection of all costs is not counted.
    drop(Client::connect(server.address, "/ws")?);
    settle();
    let before = server.resident()?;
    let each = |now: u64| now.saturating_sub(before) as f64 / count as f64 / 1024.0;
    let (idle, after) = if rival == Rival::Clown {
        let mut clients = connect(&server, count)?;
        settle();
        let idle = server.resident()?;
        change(folder.path(), 0)?;
        for client in &mut clients {
            client.receive(|_| Ok(()))?;
        }
        settle();
        (idle, server.resident()?)
    } else {
        let mut clients = Clients::new()?;
        clients.connect(server.address, count)?;
        settle();
        let idle = server.resident()?;
        server.tell("publish 1")?;
        clients.receive(1)?;
        settle();
        (idle, server.resident()?)
    };
    report.raw(
        "idle",
        rival.name(),
        round,
        &[("idle_kib", each(idle)), ("after_event_kib", each(after))],
    );
    Ok(())
}

/// Holds many connections past a ping, and then tells all of them something.
fn hold(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    let count = bench.flags.held;
    let files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    ensure!(
        files > count as u64 + 100,
        "{count} connections need more open files than the {files} that this system allows"
    );
    let folder = bench.folder()?;
    let server = daemon(bench, folder.path(), count)?;
    let before = server.resident()?;
    let began = Instant::now();
    let mut clients = connect(&server, count)?;
    let connected = began.elapsed();
    let cpu = server.cpu();
    let until = Instant::now() + HELD;
    while Instant::now() < until {
        for client in &mut clients {
            ensure!(client.drain()? == 0, "an idle client got something");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let cpu = (server.cpu() - cpu) as f64 / 1e6 / HELD.as_secs_f64();
    let pings: u64 = clients.iter().map(|client| client.pings).sum();
    ensure!(pings >= count as u64, "there were only {pings} pings");
    change(folder.path(), 0)?;
    for client in &mut clients {
        client.receive(|_| Ok(()))?;
    }
    let each = server.resident()?.saturating_sub(before) as f64 / count as f64 / 1024.0;
    report.raw(
        "held",
        "clown",
        0,
        &[
            ("connections", count as f64),
            ("connect_ms", connected.as_secs_f64() * 1e3),
            ("kib_each", each),
            ("server_cpu_ms_per_second", cpu),
        ],
    );
    report.paragraph(&format!(
        "{count} connections (`[limits] connections`), held for {} s with {pings} pings answered, \
         then one event to each: none was lost, {each:.1} KiB each. Connecting took {:.1} s; while \
         held, they took {cpu:.1} ms of processor time a second.",
        HELD.as_secs(),
        connected.as_secs_f64()
    ));
    report.target(
        &format!("{count} connections held"),
        "all alive past a ping, and reached by an event",
        "all".to_owned(),
        true,
    );
    Ok(())
}

fn daemon(bench: &Bench<'_>, folder: &Path, connections: usize) -> anyhow::Result<Server> {
    let config = folder.join("config");
    fs::create_dir_all(config.join("profiles"))?;
    fs::write(
        config.join("config.toml"),
        format!("[limits]\nconnections = {connections}\n"),
    )?;
    bench.field.start_daemon(folder)
}

fn connect(server: &Server, count: usize) -> anyhow::Result<Vec<Client>> {
    (0..count)
        .map(|_| Client::connect(server.address, "/ws"))
        .collect()
}

/// Makes the daemon tell of a profile.
fn change(folder: &Path, number: usize) -> anyhow::Result<()> {
    let text =
        "agent_id = \"claude\"\nprovider_id = \"anthropic\"\nmodel = \"claude-sonnet-4-5\"\n";
    let profiles = folder.join("config/profiles");
    Ok(fs::write(
        profiles.join(format!("new-{number}.toml")),
        text,
    )?)
}
