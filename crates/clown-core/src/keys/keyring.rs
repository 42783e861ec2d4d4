//! The system's keyring, kept at arm's length: it may be missing, locked, or waiting for a person.

use super::Secret;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

const SERVICE: &str = "clown";
/// A keyring that asks its owner for a password answers only when they have typed it.
const LIMIT: Duration = Duration::from_secs(5);
/// Calls that never came back, beyond which none is made.
const MAX_STUCK: usize = 4;

#[derive(Debug)]
pub(super) struct Keyring {
    /// Part of each account, so that two state folders do not share keys.
    owner: String,
    under_way: Arc<AtomicUsize>,
}

/// What the keyring said instead of doing it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct KeyringFailure(String);

impl Keyring {
    pub fn new(state_dir: &Path) -> Self {
        Self {
            owner: state_dir.display().to_string(),
            under_way: Arc::default(),
        }
    }

    /// Stores a key, and makes sure that the keyring really has it.
    pub fn set(&self, name: &str, secret: &Secret) -> Result<(), KeyringFailure> {
        let secret = secret.clone();
        self.call(name, move |account| {
            entry(account)?
                .set_password(secret.expose())
                .map_err(failure)?;
            // Through an entry of its own: a store that keeps values in its entries would
            // otherwise look like a keyring.
            let kept = Secret::new(entry(account)?.get_password().map_err(failure)?);
            if kept == secret {
                Ok(())
            } else {
                Err(KeyringFailure("it gave back another value".to_owned()))
            }
        })
    }

    /// The key, or none when the keyring has none by that name.
    pub fn get(&self, name: &str) -> Result<Option<Secret>, KeyringFailure> {
        self.call(name, |account| match entry(account)?.get_password() {
            Ok(value) => Ok(Some(Secret::new(value))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(failure(error)),
        })
    }

    /// Takes the key away, if it is there.
    pub fn delete(&self, name: &str) -> Result<(), KeyringFailure> {
        self.call(name, |account| match entry(account)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(failure(error)),
        })
    }

    /// Does `work` on a thread that can be left behind.
    fn call<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&str) -> Result<T, KeyringFailure> + Send + 'static,
    ) -> Result<T, KeyringFailure> {
        let account = format!("{name} in {}", self.owner);
        let under_way = Arc::clone(&self.under_way);
        if under_way.fetch_add(1, Ordering::SeqCst) >= MAX_STUCK {
            under_way.fetch_sub(1, Ordering::SeqCst);
            return Err(KeyringFailure(
                "it has not answered earlier requests".to_owned(),
            ));
        }
        let (sender, answer) = sync_channel(1);
        let spawned = std::thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || {
                let result = work(&account);
                under_way.fetch_sub(1, Ordering::SeqCst);
                // Nobody listens after the limit.
                let _ = sender.send(result);
            });
        if spawned.is_err() {
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            return Err(KeyringFailure(
                "no thread could be started to ask it".to_owned(),
            ));
        }
        match answer.recv_timeout(LIMIT) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(KeyringFailure(format!(
                "no answer within {} s",
                LIMIT.as_secs()
            ))),
            Err(RecvTimeoutError::Disconnected) => {
                self.under_way.fetch_sub(1, Ordering::SeqCst);
                Err(KeyringFailure("asking it failed".to_owned()))
            }
        }
    }
}

fn entry(account: &str) -> Result<keyring::Entry, KeyringFailure> {
    keyring::Entry::new(SERVICE, account).map_err(|error| match keyring::Entry::store_status() {
        Err(reason) if matches!(error, keyring::Error::NoDefaultStore) => {
            KeyringFailure(one_line(&reason.to_string()))
        }
        _ => failure(error),
    })
}

/// These texts tell of the keyring, never of what is in it.
#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function of `map_err`"
)]
fn failure(error: keyring::Error) -> KeyringFailure {
    KeyringFailure(one_line(&error.to_string()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
