//! Measures what it costs to find 15 agents: the first time, when nothing has changed, and in a
//! minute of watching in which nothing happens; and how soon a change is told.
//!
//! `cargo run -p clown-core --example detection`, with `--release` for what a release build costs.

use clown_core::agents::{AgentManifest, AgentSettings, Agents};
use clown_core::manifests::Manifests;
use clown_core::store::Store;
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const AGENTS: usize = 15;
const IDLE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (bin, runs) = (folder.path().join("bin"), folder.path().join("runs"));
    fs::create_dir(&bin)?;
    let manifests = folder.path().join("agents.d");
    fs::create_dir(&manifests)?;
    let built_in = clown_core::agents::load(&manifests);
    let known: Vec<&Arc<AgentManifest>> = built_in.all().collect();
    for number in known.len()..AGENTS {
        let text = format!(
            "id = \"own-{number}\"\nname = \"Own\"\nbinaries = [\"own-{number}\"]\nversion = {{ args = [], pattern = '(.+)' }}\n"
        );
        fs::write(manifests.join(format!("own-{number}.toml")), text)?;
    }
    let all = clown_core::agents::load(&manifests);
    for binary in all
        .all()
        .filter_map(|manifest| manifest.binaries.iter().next())
    {
        install(&bin.join(binary.as_str()), &runs)?;
    }
    let path = std::env::join_paths(
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).chain([bin]),
    )?;
    let mut settings = AgentSettings::new(path, std::env::vars_os().collect());
    settings.look_every = Duration::from_secs(30);
    let agents = Arc::new(Agents::new(
        Arc::new(Store::open_in_memory()?),
        Arc::new(Manifests::new(manifests, clown_core::agents::load)),
        settings,
    ));

    let measure = |what: &str, action: &mut dyn FnMut() -> Result<(), Box<dyn Error>>| {
        let (before, started) = (count(&runs), (Instant::now(), cpu()));
        action()?;
        let (wall, used) = (started.0.elapsed(), cpu().saturating_sub(started.1));
        println!(
            "{what:<28} {:>10.2} ms  {:>8.2} ms CPU of its own  {:>2} programs started",
            wall.as_secs_f64() * 1e3,
            used.as_secs_f64() * 1e3,
            count(&runs) - before,
        );
        Ok::<(), Box<dyn Error>>(())
    };
    let detect = |times: usize| {
        for _ in 0..times {
            agents.detect()?;
        }
        Ok::<(), Box<dyn Error>>(())
    };
    measure("cold", &mut || detect(1))?;
    measure("warm", &mut || detect(1))?;
    measure("warm, 100 times", &mut || detect(100))?;
    agents.start_watching()?;
    measure("watching for 60 s", &mut || {
        std::thread::sleep(IDLE);
        Ok(())
    })?;
    let program = folder.path().join("bin/claude");
    let aside = folder.path().join("aside");
    let is_installed = |wanted: bool| -> Result<(), Box<dyn Error>> {
        while agents
            .list()?
            .iter()
            .filter(|agent| agent.installed)
            .count()
            != AGENTS - usize::from(!wanted)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    measure("one is removed, until told", &mut || {
        fs::rename(&program, &aside)?;
        is_installed(false)
    })?;
    measure("it is installed, until told", &mut || {
        fs::rename(&aside, &program)?;
        is_installed(true)
    })?;
    agents.stop_watching();
    Ok(())
}

/// A program that notes each of its runs, and tells its version in the way of each agent.
fn install(path: &Path, runs: &Path) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = format!(
        "#!/bin/sh\necho {name} >> {}\necho '1.0.0'\necho '1.0.0 (Claude Code)'\necho 'codex 1.0.0'\necho 'aider 1.0.0'\necho 'grok 1.0.0'\necho 'crush version 1.0.0'\necho '2026.01.01-1'\necho 'GitHub Copilot CLI 1.0.0'\necho '1.0.0 (released today)'\n",
        runs.display()
    );
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn count(runs: &Path) -> usize {
    fs::read_to_string(runs).unwrap_or_default().lines().count()
}

/// The processor time of this process, without that of what it has started.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}
