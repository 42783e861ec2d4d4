//! Whether anybody can answer.

use super::Shared;
use super::targets::Choice;
use crate::breaker::State;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Why nobody can answer, while that is so.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<String>>);

/// How the targets stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Those that are left alone for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetHealth>,
    /// Why a request could not be answered by anybody, while none has been since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// How one target stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealth {
    /// `provider/model`.
    pub target: String,
    /// `open`, or `half-open`: the next request tries it.
    pub state: String,
    /// For how many more seconds it is left alone.
    #[serde(default)]
    pub seconds: u64,
    /// What went wrong last.
    pub error: String,
}

impl Shared {
    /// A request was answered by nobody: if all that it could go to are left alone, that is worth
    /// telling.
    pub(super) fn look_for_trouble(&self, choice: &Choice<'_>, asked: Option<&str>) {
        let standings = self.breakers.standings(Instant::now());
        let names = choice.candidates.iter().map(|it| it.name(asked));
        let open: Vec<String> = names
            .filter_map(|name| {
                let standing = standings.iter().find(|it| it.target == name)?;
                Some(format!("{name} ({})", standing.why))
            })
            .collect();
        if open.len() == choice.candidates.len() {
            let what = format!("all upstreams fail: {}", open.join("; "));
            let mut trouble = self
                .trouble
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Told once, until one answers.
            trouble.get_or_insert(what);
        }
    }

    pub(super) fn all_is_well(&self) {
        let mut trouble = self
            .trouble
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *trouble = None;
    }

    pub(super) fn health(&self) -> Health {
        let standings = self.breakers.standings(Instant::now());
        let trouble = self
            .trouble
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Health {
            trouble: trouble.clone(),
            targets: standings
                .into_iter()
                .map(|standing| TargetHealth {
                    target: standing.target,
                    error: standing.why,
                    state: match standing.state {
                        State::Open(_) => "open".to_owned(),
                        State::HalfOpen => "half-open".to_owned(),
                    },
                    seconds: match standing.state {
                        State::Open(left) => left.as_secs().max(1),
                        State::HalfOpen => 0,
                    },
                })
                .collect(),
        }
    }
}
