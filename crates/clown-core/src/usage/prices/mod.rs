//! What tokens cost.

use super::record::Counts;
use clown_events::Usd;

/// What, beside the model, decides on the price of an answer's tokens: how long its prompt was, for
/// providers that charge more for all of a request beyond a length, and which service answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Tier(u8);

/// The lengths that price lists know, in tokens. A list in the database, by place: only ever
/// lengthened.
const LENGTHS: [u64; 8] = [
    32_000, 100_000, 128_000, 200_000, 256_000, 272_000, 512_000, 1_000_000,
];

const FAST: u8 = 1 << 7;

impl Tier {
    pub(super) fn new(counts: Counts, fast: bool) -> Self {
        let prompt = counts.prompt();
        let lengths = LENGTHS.iter().filter(|length| prompt > **length).count();
        Self(lengths as u8 | if fast { FAST } else { 0 })
    }

    pub(super) fn is_fast(self) -> bool {
        self.0 & FAST != 0
    }

    /// Whether the prompt was longer than this.
    pub(super) fn is_above(self, tokens: u64) -> bool {
        let passed = usize::from(self.0 & !FAST);
        LENGTHS[..passed.min(LENGTHS.len())]
            .iter()
            .any(|length| *length >= tokens)
    }

    pub(super) fn to_sql(self) -> i64 {
        i64::from(self.0)
    }

    pub(super) fn from_sql(tier: i64) -> Self {
        Self(tier as u8)
    }
}

/// The prices of models.
#[derive(Debug, Default)]
pub(super) struct Prices {}

impl Prices {
    /// What `counts` of `model` cost; `None` where nobody says.
    pub(super) fn cost(&self, _model: &str, _tier: Tier, _counts: Counts) -> Option<Usd> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_prompts_are_told_apart() {
        let check = |prompt: u64, above: u64, expected: bool| {
            let counts = Counts {
                input: prompt / 2,
                cache_read: prompt - prompt / 2,
                output: 9_999_999,
                ..Counts::default()
            };
            for fast in [false, true] {
                let tier = Tier::from_sql(Tier::new(counts, fast).to_sql());
                assert_eq!(tier.is_above(above), expected, "{prompt} {above}");
                assert_eq!(tier.is_fast(), fast);
            }
        };
        check(200_000, 200_000, false);
        check(200_001, 200_000, true);
        check(300_000, 200_000, true);
        check(150_000, 200_000, false);
        check(0, 32_000, false);
        check(5_000_000, 1_000_000, true);
    }
}
