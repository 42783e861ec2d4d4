//! Syncs of the registry that nobody asks for.

use clown_core::Core;
use clown_core::registry::SyncRequest;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A machine that slept has its clock ahead of ours: it is looked at now and then.
const LONGEST_SLEEP: Duration = Duration::from_secs(600);

/// Syncs whenever it is due, as long as there is an address to sync from.
pub(crate) async fn now_and_then(core: Arc<Core>) {
    let chance = chance();
    while let Some(pause) = next(&core, chance).await {
        if pause > LONGEST_SLEEP {
            sleep(LONGEST_SLEEP).await;
            continue;
        }
        sleep(pause).await;
        let core = Arc::clone(&core);
        let request = SyncRequest::default();
        // How it went is told by its events, and kept in the status.
        let synced = tokio::task::spawn_blocking(move || core.sync_registry(&request)).await;
        match synced {
            Ok(Ok(synced)) => tracing::info!(commit = %synced.commit, "the registry is synced"),
            Ok(Err(error)) => tracing::warn!("cannot sync the registry: {}", error.in_full()),
            Err(_) => return,
        }
    }
}

async fn next(core: &Arc<Core>, chance: f64) -> Option<Duration> {
    let core = Arc::clone(core);
    let next = tokio::task::spawn_blocking(move || core.registry.next_sync_in(chance)).await;
    match next.ok()? {
        Ok(pause) => pause,
        Err(error) => {
            tracing::warn!("cannot tell when to sync the registry: {}", error.in_full());
            Some(LONGEST_SLEEP)
        }
    }
}

/// From 0 to 1, another one for each daemon.
fn chance() -> f64 {
    // Without randomness, all of them sync at once: that is the server's load, and no harm.
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
