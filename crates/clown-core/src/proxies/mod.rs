//! What is known of proxy instances. Whoever watches their processes records here what has become of
//! them; the events follow from the difference.

mod rows;
mod transition;

pub use rows::list_in;
pub use transition::Observed;

use crate::Alias;
use crate::store::{Store, StoreError};
use clown_events::Timestamp;
use std::sync::Arc;

/// The record of proxy instances.
#[derive(Debug)]
pub struct Proxies {
    store: Arc<Store>,
}

/// The last that is known of a profile's proxy instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The profile.
    pub profile: Alias,
    /// Its process, while it runs.
    pub instance: Option<Instance>,
    /// The code of the last one that ended.
    pub exit_code: Option<i32>,
    /// What last went wrong, while none has started since.
    pub error: Option<String>,
    /// When the last one began to accept connections.
    pub started_at: Option<Timestamp>,
    /// When the last one ended.
    pub stopped_at: Option<Timestamp>,
}

/// A process that accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// The process.
    pub pid: u32,
    /// The port.
    pub port: u16,
}

impl Proxies {
    /// The record in `store`.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Records what was seen of the instance of `profile`, and publishes what is new about it.
    pub fn record(&self, profile: &Alias, observed: Observed) -> Result<(), StoreError> {
        let profile = profile.clone();
        self.store.commit(move |tx| {
            let before = rows::get(tx, &profile)?.unwrap_or_else(|| Proxy::unknown(profile));
            let (after, events) = transition::observe(&before, observed, tx.now());
            if after != before {
                rows::put(tx, &after)?;
            }
            for event in events {
                tx.publish(event);
            }
            Ok(())
        })
    }
}

impl Proxy {
    /// Nothing is known yet.
    fn unknown(profile: Alias) -> Self {
        Self {
            profile,
            instance: None,
            exit_code: None,
            error: None,
            started_at: None,
            stopped_at: None,
        }
    }
}
