//! What is measured.

mod burst;
mod commit;
mod fanout;
mod filtered;
mod idle;
mod latency;
mod replay;
mod stalled;
mod state;

use crate::flags::Flags;
use crate::machine;
use crate::process::{Server, own_cpu};
use crate::report::Report;
use crate::rival::{Field, Rival};
use anyhow::{Context as _, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

type Scenario = fn(&Bench<'_>, &mut Report) -> anyhow::Result<()>;

const SCENARIOS: [(&str, Scenario); 9] = [
    ("burst", burst::run),
    ("fanout", fanout::run),
    ("filtered", filtered::run),
    ("stalled", stalled::run),
    ("idle", idle::run),
    ("commit", commit::run),
    ("latency", latency::run),
    ("replay", replay::run),
    ("state", state::run),
];

/// What every scenario needs.
pub(crate) struct Bench<'run> {
    flags: &'run Flags,
    field: Field,
    /// State folders lie here: on the disk, as a daemon's do.
    folder: TempDir,
}

pub(crate) fn run(flags: &Flags) -> anyhow::Result<()> {
    for name in &flags.only {
        let known = SCENARIOS.iter().any(|(known, _)| known == name);
        ensure!(known, "there is no scenario {name:?}");
    }
    raise_file_limit();
    std::fs::create_dir_all(&flags.rivals)?;
    let bench = Bench {
        flags,
        field: Field::of(flags)?,
        folder: TempDir::new_in(&flags.rivals)?,
    };
    let full = bench.field.full && flags.only.is_empty() && flags.rounds >= 5;
    let versions = bench.field.versions()?;
    let versions: Vec<String> = versions
        .into_iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let mut report = Report::new(json!({
        "date": clown_events::Timestamp::now().to_string(),
        "machine": machine::describe(),
        "versions": versions.join(", "),
        "full": full,
        "rounds": flags.rounds,
        "clients": flags.clients,
        "events": flags.events,
        "batch": flags.batch,
    }));
    for (name, scenario) in SCENARIOS {
        if flags.only.is_empty() || flags.only.iter().any(|only| only == name) {
            scenario(&bench, &mut report).with_context(|| format!("scenario {name}"))?;
        }
    }
    println!("{}", report.text());
    if full {
        println!("All rivals took part.");
    } else {
        println!("This is NOT the full comparison: not every scenario, server or round was run.");
    }
    if !report.all_met() {
        println!("Some targets are missed.");
    }
    if flags.record {
        ensure!(full, "only a full comparison is recorded");
        report.record(Path::new("docs"), "performance")?;
    }
    Ok(())
}

impl Bench<'_> {
    fn folder(&self) -> anyhow::Result<TempDir> {
        Ok(TempDir::new_in(self.folder.path())?)
    }

    fn has(&self, rival: Rival) -> bool {
        self.field.rivals.contains(&rival)
    }
}

/// Processor time of server and client since a moment.
struct Spent {
    server: u64,
    client: u64,
}

impl Spent {
    fn so_far(server: &Server) -> Self {
        Self {
            server: server.cpu(),
            client: own_cpu(),
        }
    }

    /// Milliseconds of server and client.
    fn since(&self, server: &Server) -> (f64, f64) {
        (
            millis(server.cpu() - self.server),
            millis(own_cpu() - self.client),
        )
    }
}

/// Lets what was started before come to rest.
fn settle() {
    std::thread::sleep(Duration::from_millis(200));
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // The scenario that needs more says so itself.
    let _ = setrlimit(Resource::Nofile, limit);
}
