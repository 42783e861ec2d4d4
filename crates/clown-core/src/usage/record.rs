//! One answer of a model, as a source tells of it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::cmp::Reverse;

/// Tokens by what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Of the prompt, without those that went to or came from a cache.
    pub input: u64,
    /// Of the answer, with what the model thought.
    pub output: u64,
    /// Put into the cache for a short time: 5 minutes, or what the provider takes as its usual one.
    pub cache_write: u64,
    /// Put into the cache for an hour.
    pub cache_write_hour: u64,
    /// Taken from the cache.
    pub cache_read: u64,
}

/// No model reads or writes so much at once: what says so is damaged, or made up.
const MOST_OF_AN_ANSWER: u64 = 1_000_000_000;
const MOST_OF_A_SUM: u64 = 1_000_000_000_000;

impl Counts {
    /// All kinds, for sums in a loop.
    pub const KINDS: usize = 5;

    /// Each kind, in a fixed order.
    pub fn kinds(self) -> [u64; Self::KINDS] {
        [
            self.input,
            self.output,
            self.cache_write,
            self.cache_write_hour,
            self.cache_read,
        ]
    }

    /// The same as a part of a [`Key`].
    pub(super) fn bytes(self) -> Vec<u8> {
        self.kinds().map(u64::to_le_bytes).concat()
    }

    /// Of [`Counts::kinds`].
    pub fn of_kinds(kinds: [u64; Self::KINDS]) -> Self {
        let [input, output, cache_write, cache_write_hour, cache_read] = kinds;
        Self {
            input,
            output,
            cache_write,
            cache_write_hour,
            cache_read,
        }
    }

    /// What went to the cache.
    pub fn cache_writes(self) -> u64 {
        self.cache_write.saturating_add(self.cache_write_hour)
    }

    /// The length of the prompt, on which some prices depend.
    pub fn prompt(self) -> u64 {
        self.input
            .saturating_add(self.cache_writes())
            .saturating_add(self.cache_read)
    }

    /// All tokens.
    pub fn total(self) -> u64 {
        self.prompt().saturating_add(self.output)
    }

    /// Of counts whose `input` has in it what went to caches and came from them.
    #[must_use]
    pub(super) fn without_caches_in_input(self) -> Self {
        let cache_read = self.cache_read.min(self.input);
        let cache_write = self.cache_write.min(self.input - cache_read);
        Self {
            input: self.input - cache_read - cache_write,
            cache_read,
            cache_write,
            ..self
        }
    }

    /// Whether there is nothing.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// Whether one answer can have used so much.
    pub(super) fn is_believable(self) -> bool {
        self.total() <= MOST_OF_AN_ANSWER
    }

    /// Whether the answers of one session can have.
    pub(super) fn is_believable_sum(self) -> bool {
        self.total() <= MOST_OF_A_SUM
    }

    /// Both together. No sum goes beyond what a database holds.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.each(other, |a, b| a.saturating_add(b).min(i64::MAX as u64))
    }

    /// What is beyond `other`.
    #[must_use]
    pub fn beyond(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    fn each(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let mut kinds = self.kinds();
        for (kind, other) in kinds.iter_mut().zip(other.kinds()) {
            *kind = join(*kind, other);
        }
        Self::of_kinds(kinds)
    }

    /// Of two reports of one answer, what the answer has used: reports come while it grows, and the
    /// larger one is right as a whole.
    #[must_use]
    pub fn larger(self, other: Self) -> Self {
        let (small, large) = if other.is_larger_than(self) {
            (self, other)
        } else {
            (other, self)
        };
        if large.prompt() > 0 {
            return large;
        }
        // The end of an answer says nothing of its prompt.
        Self {
            output: large.output,
            ..small
        }
    }

    /// Whether it was reported later, of one answer.
    #[must_use]
    pub fn is_larger_than(self, other: Self) -> bool {
        // Of equal sums, the one that knows more of caches.
        let rank = |counts: Self| {
            let caches = (Reverse(counts.input), counts.cache_write_hour);
            (counts.output, counts.total(), caches)
        };
        rank(self) > rank(other)
    }
}

/// By what a record is known again, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key(pub(super) [u8; 12], Giver);

/// By whose id something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Giver {
    Provider,
    Others,
}

impl Key {
    /// Of the provider's own id of the answer: the same in every log.
    pub(super) fn of_message(id: &[u8]) -> Self {
        Self(Self::of(&[b"message", id]).0, Giver::Provider)
    }

    /// Whether it is the provider's own id, by which the same answer is known wherever it stands.
    pub(super) fn is_providers(self) -> bool {
        self.1 == Giver::Provider
    }

    /// Of parts that are one record's alone. The first says whose.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut key = [0; 12];
        key.copy_from_slice(&hash.finalize()[..12]);
        Self(key, Giver::Others)
    }
}

/// What a source found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) key: Key,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) session: &'a str,
    pub(super) model: &'a str,
    /// Whether it is answered by a faster and dearer service; None where that is not told.
    pub(super) fast: Option<bool>,
    pub(super) counts: Counts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_reports_the_larger_counts() {
        let counts = |input, output, write, hour| Counts {
            input,
            output,
            cache_write: write,
            cache_write_hour: hour,
            cache_read: 7,
        };
        let check = |a: Counts, b: Counts, expected: Counts| {
            assert_eq!(a.larger(b), expected);
            assert_eq!(b.larger(a), expected);
        };
        check(
            counts(3, 1, 50, 0),
            counts(3, 90, 50, 0),
            counts(3, 90, 50, 0),
        );
        // The later report says for how long.
        check(
            counts(3, 1, 50, 0),
            counts(3, 90, 20, 30),
            counts(3, 90, 20, 30),
        );
        // Nothing of the smaller one is added to the larger one.
        check(counts(3, 1, 0, 0), counts(0, 90, 0, 0), counts(0, 90, 0, 0));
        check(counts(3, 1, 9, 0), counts(12, 1, 0, 0), counts(3, 1, 9, 0));
        let end = Counts {
            output: 90,
            ..Counts::default()
        };
        check(counts(3, 1, 50, 0), end, counts(3, 90, 50, 0));
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        assert_ne!(Key::of(&[b"ab", b"c"]), Key::of(&[b"a", b"bc"]));
        assert_eq!(Key::of_message(b"msg_1"), Key::of_message(b"msg_1"));
    }
}
