//! What is used at this moment.

use super::prices::Prices;
use super::report::{self, BLOCK_MILLIS, GroupBy, Question, Used};
use super::zone::Zone;
use super::{Usage, UsageError};
use crate::Alias;
use clown_events::{Cost, Timestamp, Usd};

/// Of whom, and in whose days.
#[derive(Debug, Clone)]
pub struct NowQuestion {
    /// Whose days.
    pub zone: Zone,
    /// Of one profile.
    pub profile: Option<Alias>,
    /// A session of an agent that is of interest.
    pub session: Option<String>,
}

/// What is used at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// Since midnight.
    pub today: Used,
    /// In the block of five hours that is under way.
    pub block: Option<Block>,
    /// In the session, as far as it is counted.
    pub session: Option<Used>,
}

/// A block of five hours that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// When it began.
    pub since: i64,
    /// When it ends.
    pub until: i64,
    /// What is used in it.
    pub used: Used,
    /// Tokens a minute, since it began.
    pub tokens_per_minute: u64,
    /// Cost an hour, since it began.
    pub cost_per_hour: Cost,
    /// What it will have cost if it goes on so.
    pub projected_cost: Cost,
    /// The tokens that it will have used if it goes on so.
    pub projected_tokens: u64,
}

impl Usage {
    /// What is used at this moment.
    pub fn now(&self, question: &NowQuestion) -> Result<Now, UsageError> {
        self.now_at(question, Timestamp::now().unix_millis())
    }

    pub(super) fn now_at(&self, question: &NowQuestion, now: i64) -> Result<Now, UsageError> {
        let zone = &question.zone;
        let midnight = zone.start_of(zone.day_at(now.div_euclid(1000))) * 1000;
        let ask = |from, group_by| Question {
            zone: zone.clone(),
            from: Some(from),
            to: None,
            profile: question.profile.clone(),
            agent: None,
            model: None,
            group_by,
        };
        self.with_cube(|cube, prices: &Prices| {
            let today = report::answer(cube, prices, &ask(midnight, GroupBy::Agent)).total;
            let block = report::last_block(cube, &ask(i64::MIN, GroupBy::Block))
                .filter(|since| since + BLOCK_MILLIS > now)
                .map(|since| {
                    let asked = ask(since, GroupBy::Agent);
                    block(since, now, report::answer(cube, prices, &asked).total)
                });
            let session = question.session.as_ref().map(|session| {
                let asked = ask(i64::MIN, GroupBy::Agent);
                report::of_session(cube, prices, &asked, session).total
            });
            Now {
                today,
                block,
                session,
            }
        })
    }
}

fn block(since: i64, now: i64, used: Used) -> Block {
    // Of the first minute, nothing can be said.
    let elapsed = (now - since).clamp(60_000, BLOCK_MILLIS);
    let scaled = |amount: i64, to: i64| {
        let scaled = i128::from(amount) * i128::from(to) / i128::from(elapsed);
        i64::try_from(scaled).unwrap_or(i64::MAX)
    };
    let tokens = i64::try_from(used.counts.total()).unwrap_or(i64::MAX);
    let cost = |to| {
        let nanos = scaled(used.cost.total_cost.nanos(), to);
        Cost::new(Usd::from_nanos(nanos)).with_unpriced(used.cost.unpriced)
    };
    Block {
        since,
        until: since + BLOCK_MILLIS,
        used,
        tokens_per_minute: scaled(tokens, 60_000).unsigned_abs(),
        cost_per_hour: cost(60 * 60 * 1000),
        projected_cost: cost(BLOCK_MILLIS),
        projected_tokens: scaled(tokens, BLOCK_MILLIS).unsigned_abs(),
    }
}
