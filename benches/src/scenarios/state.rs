//! `GET /api/v1/state` of the real daemon, with many profiles.

use super::{Bench, millis};
use crate::clock;
use crate::report::{Report, percentile};
use crate::rival::Rival;
use anyhow::{Context as _, ensure};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

const PROFILES: usize = 1_000;
const REQUESTS: usize = 50;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> anyhow::Result<()> {
    if !bench.has(Rival::Clown) {
        return Ok(());
    }
    let folder = bench.folder()?;
    let profiles = folder.path().join("config/profiles");
    fs::create_dir_all(&profiles)?;
    for number in 0..PROFILES {
        fs::write(
            profiles.join(format!("work-{number}.toml")),
            "agent_id = \"claude\"\nprovider_id = \"anthropic\"\nmodel = \"claude-sonnet-4-5\"\n",
        )?;
    }
    let server = bench.field.start_daemon(folder.path())?;
    for round in 0..bench.flags.rounds {
        let cpu = server.cpu();
        let mut stream = TcpStream::connect(server.address)?;
        stream.set_nodelay(true)?;
        let mut times = Vec::new();
        let mut size = 0;
        for _ in 0..REQUESTS {
            let began = clock::now();
            let body = get(&mut stream, server.address)?;
            times.push(millis(clock::now() - began));
            size = body.len();
            let state: serde_json::Value = serde_json::from_slice(&body)?;
            let found = state["profiles"].as_array().map_or(0, Vec::len);
            ensure!(found == PROFILES, "the state holds {found} profiles");
        }
        let cpu = millis(server.cpu() - cpu) / REQUESTS as f64;
        report.raw(
            "state",
            "clown",
            round,
            &[
                ("median_ms", percentile(times.clone(), 0.5).unwrap_or(0.0)),
                ("p99_ms", percentile(times, 0.99).unwrap_or(0.0)),
                ("server_cpu_ms", cpu),
                ("bytes", size as f64),
            ],
        );
    }
    let figure = |name| report.median("state", "clown", name).unwrap_or(f64::NAN);
    let median = figure("median_ms");
    let row = vec![
        format!("`GET /api/v1/state`, {PROFILES} profiles"),
        format!("{median:.1} ms"),
        format!("{:.1} ms", figure("p99_ms")),
        format!("{:.1} ms", figure("server_cpu_ms")),
        format!("{:.0} KiB", figure("bytes") / 1024.0),
    ];
    report.heading("State");
    report.table(&["", "median", "p99", "server CPU", "size"], &[row]);
    report.target(
        "state of 1,000 profiles",
        "< 10 ms",
        format!("{median:.1} ms"),
        median < 10.0,
    );
    Ok(())
}

fn get(stream: &mut TcpStream, address: SocketAddr) -> anyhow::Result<Vec<u8>> {
    write!(
        stream,
        "GET /api/v1/state HTTP/1.1\r\nHost: {address}\r\n\r\n"
    )?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    let mut length = None;
    let mut status = String::new();
    reader.read_line(&mut status)?;
    ensure!(status.starts_with("HTTP/1.1 200 "), "{status}");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length:") {
            length = Some(text.trim().parse()?);
        }
    }
    let mut body = vec![0; length.context("the answer does not tell its length")?];
    reader.read_exact(&mut body)?;
    Ok(body)
}
