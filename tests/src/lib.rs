//! What the end-to-end tests share: the real binaries in folders of their own, and plain sockets
//! to look at them from outside, with none of Clown's own client code in between.

mod binaries;
mod http;
mod small_disk;
mod stream;
mod terminal;
mod upstream;
mod world;

pub use binaries::{Binaries, binaries};
pub use http::{Answer, request};
pub use small_disk::{OnDisk, SmallDisk};
pub use stream::Stream;
pub use terminal::Terminal;
pub use upstream::{Agent, Upstream};
pub use world::{FakeAgent, World};

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `look` finds something.
///
/// # Panics
/// When it does not in [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Where `tests/clients/install` puts public WebSocket clients. `None`, with a note, when they are
/// not installed.
///
/// # Panics
/// With `CI=true`, where a test that cannot run has failed.
pub fn clients() -> Option<PathBuf> {
    let folder = binaries().target.join("clients");
    if folder.join("venv/bin/python").exists() && folder.join("node_modules/ws").exists() {
        return Some(folder);
    }
    cannot_run("run tests/clients/install (it needs python3 and npm)");
    None
}

/// Says that a test did not run.
///
/// # Panics
/// With `CI=true`.
pub fn cannot_run(what_to_do: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "this test cannot run here: {what_to_do}"
    );
    eprintln!("NOT RUN: {what_to_do}");
}
