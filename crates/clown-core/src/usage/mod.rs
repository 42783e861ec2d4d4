//! What profiles have used. Whoever counts it adds here what is new; the sums and the event are one
//! transaction, so that the sum of all events is the total at any time.

mod rows;

pub use rows::list_in;

use crate::Alias;
use crate::store::{Store, StoreError};
use clown_events::{Cost, Tokens, UsageUpdated};
use std::sync::Arc;

/// The sums of usage.
#[derive(Debug)]
pub struct Usage {
    store: Arc<Store>,
}

/// All that was added for a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The profile.
    pub profile: Alias,
    /// The tokens.
    pub tokens: Tokens,
    /// What they cost, as priced when they were added.
    pub cost: Cost,
}

impl Usage {
    /// The sums in `store`.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Adds what `profile` has used since the last time, and publishes it. Nothing is no news.
    pub fn add(&self, profile: &Alias, tokens: Tokens, cost: Cost) -> Result<(), StoreError> {
        if tokens == Tokens::default() && cost == Cost::default() {
            return Ok(());
        }
        let profile = profile.clone();
        self.store.commit(move |tx| {
            rows::add(tx, &profile, tokens, cost)?;
            tx.publish(UsageUpdated::new(profile.as_str(), tokens, cost));
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Read;
    use clown_events::Usd;

    #[test]
    fn the_total_is_the_sum_of_what_was_told() {
        let store = Arc::new(Store::open_in_memory().unwrap());
        let usage = Usage::new(Arc::clone(&store));
        let begin = store.head();
        let work: Alias = "work".parse().unwrap();
        let add = |input, output, nanos, unpriced| {
            let tokens = Tokens::new(input, output).with_cache_read_input_tokens(input * 2);
            let cost = Cost::new(Usd::from_nanos(nanos)).with_unpriced(unpriced);
            usage.add(&work, tokens, cost).unwrap();
        };
        add(5, 2, 45, false);
        add(0, 0, 0, false);
        add(7, 1, 5, true);
        add(1, 0, 0, false);
        let totals = store.read(list_in).unwrap();
        let expected = Total {
            profile: work.clone(),
            tokens: Tokens::new(13, 3).with_cache_read_input_tokens(26),
            cost: Cost::new(Usd::from_nanos(50)).with_unpriced(true),
        };
        assert_eq!(totals, [expected]);
        let Read::Slices(slices) = store.bus().read_after(begin, usize::MAX) else {
            panic!("the ring holds it");
        };
        let told: usize = slices.iter().map(|slice| slice.entries().len()).sum();
        assert_eq!(told, 3, "nothing was told of nothing");
    }

    #[test]
    fn sums_beyond_all_measure_stay_at_the_largest() {
        let store = Arc::new(Store::open_in_memory().unwrap());
        let usage = Usage::new(Arc::clone(&store));
        let work: Alias = "work".parse().unwrap();
        for _ in 0..2 {
            let tokens = Tokens::new(u64::MAX, 1);
            let cost = Cost::new(Usd::from_nanos(i64::MAX));
            usage.add(&work, tokens, cost).unwrap();
        }
        let totals = store.read(list_in).unwrap();
        assert_eq!(totals[0].tokens, Tokens::new(i64::MAX as u64, 2));
        assert_eq!(totals[0].cost.total_cost.nanos(), i64::MAX);
    }
}
