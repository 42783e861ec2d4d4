//! `clownd proxy`: one proxy instance, in a session of its own.

use crate::launcher::READY;
use crate::log::{self, LogFormat, LogSettings};
use anyhow::Context as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// As many threads as are of use to one person's agents.
const MOST_THREADS: usize = 4;

/// Runs the instance of `folder`, and gives the code to exit with.
pub(crate) fn run(folder: &Path) -> anyhow::Result<ExitCode> {
    // Away from the terminal and the session of whoever started the daemon. It fails for the first
    // process of a session, which one that was started by hand may be.
    let _ = rustix::process::setsid();
    // Nobody else is to read what is made here.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    log::start(&LogSettings {
        levels: std::env::var("CLOWN_LOG").unwrap_or_else(|_| "info".to_owned()),
        format: LogFormat::Text,
        file: None,
    })?;
    let folder = std::path::absolute(folder)
        .with_context(|| format!("cannot use the folder {}", folder.display()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.min(MOST_THREADS))
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let code = runtime.block_on(clown_proxy::instance::run(&folder, say_ready))?;
    // A look-up of a name that hangs must not hold up the end.
    runtime.shutdown_background();
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Nobody hears it if the daemon has gone meanwhile; the next one finds this process all the same.
fn say_ready() {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{READY}").and_then(|()| stdout.flush());
}
