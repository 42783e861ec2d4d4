//! The daemon's own server whose event streams echo, for a test suite that judges WebSocket
//! servers by an echo (`tests/conformance/`). Handshake, reading, answers to control frames and the
//! one writer are the daemon's; the limits that such a suite would meet are lifted.
//!
//! Tells its address on standard output, and stops when standard input ends.

use clown_core::journal::Retention;
use clown_core::store::StoreSettings;
use clown_core::{Core, CoreSettings};
use clown_server::{Server, ServerSettings};
use std::error::Error;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

/// The largest message of the suite has 16 MiB.
const MESSAGE_BYTES: usize = 64 << 20;

/// A ping that the suite did not ask for counts as a wrong answer.
const NO_PING: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let core = Core::open(CoreSettings {
        config_dir: folder.path().join("config"),
        state_dir: folder.path().join("state"),
        environment: Vec::new(),
        keyring: false,
        store: StoreSettings::default(),
        retention: Retention::default(),
        fetch: Arc::new(clown_core::fetch::Offline),
        launcher: Arc::new(clown_core::proxies::NoLauncher),
        first_proxy_port: 0,
        registry: clown_core::registry::RegistrySettings::default(),
        usage_sources: Vec::new(),
        usage_timezone: None,
        prices: Default::default(),
    })?;
    let core = Arc::new(core);
    let store = Arc::clone(&core.store);

    let mut settings = ServerSettings::new(([127, 0, 0, 1], 0).into());
    settings.limits.echo = true;
    settings.limits.message_bytes = MESSAGE_BYTES;
    settings.limits.messages_per_second = u32::MAX;
    settings.limits.ping_every = NO_PING..2 * NO_PING;

    let server = Server::bind(settings, core).await?;
    println!("{}", server.address());
    let stop = async move {
        let _ = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await;
        store.head()
    };
    server.serve(stop).await;
    Ok(())
}
