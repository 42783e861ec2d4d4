//! Whether the daemon can do its work.

use clown_core::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Looks whether the database can be written, and not more often than that makes sense.
#[derive(Debug)]
pub(crate) struct Health {
    store: Arc<Store>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A look that has not ended.
    looking: Option<JoinHandle<Result<(), StoreError>>>,
    /// When a commit was last tried for the sake of looking.
    tried: Option<Instant>,
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    at: Instant,
    /// What is wrong, for people.
    problem: Option<String>,
}

/// A commit is tried at most this often, and only when someone asks.
const TRY_EVERY: Duration = Duration::from_secs(5);
/// So long a bad answer stands; whether it has become good is seen no later.
const BAD_FOR: Duration = Duration::from_secs(1);
/// A database that takes longer does not work.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

impl Health {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            state: Mutex::default(),
        }
    }

    /// What is wrong, as a sentence; `None` when all is well. With `thorough` a commit is tried even
    /// when the last one went well.
    pub(crate) async fn problem(&self, thorough: bool) -> Option<String> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(Known {
            at,
            problem: Some(problem),
        }) = &state.known
            && now.duration_since(*at) < BAD_FOR
        {
            return Some(problem.clone());
        }
        let due = state
            .tried
            .is_none_or(|at| now.duration_since(at) >= TRY_EVERY);
        let mut always = false;
        let store = &self.store;
        // Stays where it is until it has ended, so that there is never more than one.
        let looking = state.looking.get_or_insert_with(|| {
            always = thorough && due;
            let store = Arc::clone(store);
            tokio::task::spawn_blocking(move || store.check(always))
        });
        let looked = tokio::time::timeout(ANSWER_WITHIN, looking).await;
        if always {
            state.tried = Some(now);
        }
        if looked.is_ok() {
            state.looking = None;
        }
        let problem = match looked {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the look at the database has ended early");
                Some(
                    "it cannot be told whether Clown's database works; the log says more"
                        .to_owned(),
                )
            }
            Err(_) => Some(
                "Clown's database does not answer: check the disk of the state folder".to_owned(),
            ),
        };
        state.known = Some(Known {
            at: Instant::now(),
            problem: problem.clone(),
        });
        problem
    }
}
