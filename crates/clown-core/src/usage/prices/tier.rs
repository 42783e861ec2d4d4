//! What decides on a price beside the model.

use crate::usage::record::Counts;

/// What, beside the model, decides on the price of an answer's tokens: how long its prompt was, for
/// providers that charge more for all of a request beyond a length, and which service answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::usage) struct Tier(u8);

/// The lengths that price lists know, in tokens. A list in the database, by place: only ever
/// lengthened. One of them is not round: xAI charges more from 200,000 tokens on, others beyond.
const LENGTHS: [u64; 9] = [
    32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 1_000_000,
];

const FAST: u8 = 1 << 7;

impl Tier {
    pub(in crate::usage) fn new(counts: Counts, fast: bool) -> Self {
        let prompt = counts.prompt();
        let lengths = LENGTHS.iter().filter(|length| prompt > **length).count();
        Self(lengths as u8 | if fast { FAST } else { 0 })
    }

    pub(in crate::usage) fn is_fast(self) -> bool {
        self.0 & FAST != 0
    }

    /// Whether the prompt was longer than this; `None` where that is not known any more.
    ///
    /// A prompt's length is kept as its place between two of the [`LENGTHS`]. For a limit that is one
    /// of them, that is exact. For one between two of them it is not known of the prompts that are
    /// between the same two: to take the next or the last length for it would be a wrong price.
    pub(super) fn is_above(self, tokens: u64) -> Option<bool> {
        let passed = usize::from(self.0 & !FAST).min(LENGTHS.len());
        let longer_than = passed.checked_sub(1).map_or(0, |last| LENGTHS[last]);
        let at_most = LENGTHS.get(passed).copied().unwrap_or(u64::MAX);
        if tokens == 0 || tokens <= longer_than {
            Some(true)
        } else if at_most <= tokens {
            Some(false)
        } else {
            None
        }
    }

    /// Whether prompts are told apart at this length.
    pub(super) fn knows(tokens: u64) -> bool {
        LENGTHS.contains(&tokens)
    }

    pub(in crate::usage) fn to_sql(self) -> i64 {
        i64::from(self.0)
    }

    pub(in crate::usage) fn from_sql(tier: i64) -> Self {
        Self(tier as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_prompts_are_told_apart() {
        let check = |prompt: u64, above: u64, expected: Option<bool>| {
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
        check(200_000, 200_000, Some(false));
        check(200_001, 200_000, Some(true));
        check(300_000, 200_000, Some(true));
        check(150_000, 200_000, Some(false));
        check(0, 32_000, Some(false));
        check(5_000_000, 1_000_000, Some(true));
        // From a length on, rather than beyond it.
        check(199_999, 199_999, Some(false));
        check(200_000, 199_999, Some(true));
        // A limit that was never heard of: certain but for the prompts around it.
        check(128_000, 150_000, Some(false));
        check(140_000, 150_000, None);
        check(160_000, 150_000, None);
        check(200_000, 150_000, Some(true));
        check(1_000_000, 2_000_000, Some(false));
        check(3_000_000, 2_000_000, None);
    }
}
