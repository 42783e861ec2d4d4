//! How often one that dies is started again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many within [`WITHIN`], and it is given up.
pub(super) const MOST: usize = 5;

const WITHIN: Duration = Duration::from_secs(60);

const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// When it was started again.
#[derive(Debug, Default)]
pub(super) struct Restarts(VecDeque<Instant>);

impl Restarts {
    /// It died `now`: after which pause it is started again; None if that was too often.
    pub(super) fn next(&mut self, now: Instant) -> Option<Duration> {
        while let Some(first) = self.0.front()
            && now.duration_since(*first) >= WITHIN
        {
            self.0.pop_front();
        }
        if self.0.len() >= MOST {
            return None;
        }
        self.0.push_back(now);
        let doublings = u32::try_from(self.0.len() - 1).unwrap_or(0);
        Some(FIRST_PAUSE * 2_u32.pow(doublings))
    }

    /// Somebody wants it: it begins anew.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_pauses_and_an_end() {
        let begin = Instant::now();
        let mut restarts = Restarts::default();
        let mut check = |second: u64, expected: Option<u64>| {
            let pause = restarts.next(begin + Duration::from_secs(second));
            assert_eq!(pause, expected.map(Duration::from_millis), "{second}");
        };
        check(0, Some(100));
        check(1, Some(200));
        check(2, Some(400));
        check(3, Some(800));
        check(59, Some(1_600));
        check(59, None);
        // The first of them is a minute ago.
        check(60, Some(1_600));
        check(60, None);
        check(200, Some(100));
        restarts.forget();
        assert_eq!(restarts.next(begin), Some(FIRST_PAUSE));
    }
}
