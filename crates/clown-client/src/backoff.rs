use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST_CEILING: Duration = Duration::from_millis(250);
const LAST_CEILING: Duration = Duration::from_secs(30);

/// Exponential backoff with full jitter: each wait lies anywhere between nothing and a ceiling
/// that doubles. Many clients of a daemon that went away so come back spread out.
#[derive(Debug)]
pub(crate) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self {
            ceiling: FIRST_CEILING,
        }
    }

    /// How long to wait before the next attempt.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.ceiling.mul_f64(random_fraction());
        self.ceiling = LAST_CEILING.min(self.ceiling * 2);
        wait
    }

    /// The connection worked: the next wait is short again.
    pub(crate) fn reset(&mut self) {
        self.ceiling = FIRST_CEILING;
    }
}

/// At least 0 and below 1. The standard library's hasher keys are random, which is all that
/// jitter needs.
fn random_fraction() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    // 53 bits fit a f64's mantissa exactly.
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_ceiling_that_doubles_up_to_thirty_seconds() {
        let mut backoff = Backoff::new();
        for ceiling_ms in [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            assert_eq!(backoff.ceiling, Duration::from_millis(ceiling_ms));
            assert!(backoff.next_wait() < Duration::from_millis(ceiling_ms));
        }
        backoff.reset();
        assert!(backoff.next_wait() < FIRST_CEILING);
    }

    #[test]
    fn waits_differ() {
        let waits: std::collections::HashSet<_> =
            (0..20).map(|_| Backoff::new().next_wait()).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
