use serde::Serialize;

use super::read_members;
use crate::Usd;

/// Usage was added to a profile: the amounts are what was added, not totals.
///
/// ```
/// use clown_events::{Cost, Tokens, Usd, UsageUpdated};
///
/// let usage = UsageUpdated::new(
///     "work",
///     Tokens::new(5000, 2000).with_cache_read_input_tokens(900),
///     Cost::new(Usd::from_nanos(45_000_000)),
/// );
/// assert_eq!(usage.tokens.cache_creation_input_tokens, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UsageUpdated {
    /// The profile's alias.
    pub profile: String,
    /// The tokens that were added.
    pub tokens: Tokens,
    /// What they cost.
    pub cost: Cost,
}

impl UsageUpdated {
    /// The event's data.
    #[must_use]
    pub fn new(profile: impl Into<String>, tokens: Tokens, cost: Cost) -> Self {
        Self {
            profile: profile.into(),
            tokens,
            cost,
        }
    }
}

read_members!(UsageUpdated {
    profile,
    tokens,
    cost
});

/// Counts of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tokens {
    /// Tokens of the prompt, without those that went to or came from the provider's cache.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Tokens of the prompt that were put into the cache; left out on the wire when zero.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_creation_input_tokens: u64,
    /// Tokens of the prompt that came from the cache; left out on the wire when zero.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_read_input_tokens: u64,
}

impl Tokens {
    /// Counts without any use of a cache.
    #[must_use]
    pub const fn new(input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            input_tokens,
            output_tokens,
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: 0,
        }
    }

    /// Sets how many tokens were put into the cache.
    #[must_use]
    pub const fn with_cache_creation_input_tokens(mut self, tokens: u64) -> Self {
        self.cache_creation_input_tokens = tokens;
        self
    }

    /// Sets how many tokens came from the cache.
    #[must_use]
    pub const fn with_cache_read_input_tokens(mut self, tokens: u64) -> Self {
        self.cache_read_input_tokens = tokens;
        self
    }
}

read_members!(Tokens {
    input_tokens, output_tokens;
    or_default cache_creation_input_tokens, cache_read_input_tokens
});

/// What an amount of usage costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cost {
    /// The cost of everything that has a price.
    pub total_cost: Usd,
    /// Whether a model without a known price took part, so that the cost is more than this; left out on the wire when
    /// false.
    #[serde(skip_serializing_if = "is_false")]
    pub unpriced: bool,
}

impl Cost {
    /// A cost in which every model's price is known.
    #[must_use]
    pub const fn new(total_cost: Usd) -> Self {
        Self {
            total_cost,
            unpriced: false,
        }
    }

    /// Sets whether a model without a known price took part.
    #[must_use]
    pub const fn with_unpriced(mut self, unpriced: bool) -> Self {
        self.unpriced = unpriced;
        self
    }
}

read_members!(Cost { total_cost; or_default unpriced });

/// An import of usage records ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UsageImported {
    /// Where the records came from, such as `claude`.
    pub source: String,
    /// How many of them were new.
    pub records_imported: u64,
}

impl UsageImported {
    /// The event's data.
    #[must_use]
    pub fn new(source: impl Into<String>, records_imported: u64) -> Self {
        Self {
            source: source.into(),
            records_imported,
        }
    }
}

read_members!(UsageImported {
    source,
    records_imported
});

// serde hands the field over by reference.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}
