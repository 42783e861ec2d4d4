//! What an upstream of Messages is told to cache.

use super::Dialect;
use super::model::{Request, Role};

/// Where to say that what comes before is to be cached.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) tools: bool,
    pub(super) system: bool,
    pub(super) turns: [Option<usize>; 2],
}

impl Marks {
    /// After what never changes, and at the end of the user's last two turns: the one is read from the
    /// cache, the other is written.
    pub(super) fn find(request: &Request<'_>, dialect: &Dialect) -> Self {
        let marked = request.tools.iter().any(|tool| tool.cache.is_some())
            || request
                .system
                .iter()
                .chain(request.turns.iter().flat_map(|turn| &turn.parts))
                .any(|part| part.cache().is_some());
        if marked || !dialect.cache_breakpoints {
            return Self::default();
        }
        let mut users = request
            .turns
            .iter()
            .enumerate()
            .filter(|(_, turn)| turn.role == Role::User)
            .map(|(place, _)| place)
            .rev();
        Self {
            tools: request.system.is_empty() && !request.tools.is_empty(),
            system: !request.system.is_empty(),
            turns: [users.next(), users.next()],
        }
    }
}
