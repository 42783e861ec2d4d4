use std::time::Duration;
use tokio::time::Instant;

/// Counts a client's messages, second by second.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u32,
    second_began: Instant,
    count: u32,
}

impl Rate {
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second,
            second_began: now,
            count: 0,
        }
    }

    /// Whether one more message is within the limit.
    pub(super) fn allow(&mut self, now: Instant) -> bool {
        if now.duration_since(self.second_began) >= Duration::from_secs(1) {
            self.second_began = now;
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_counts_for_itself() {
        let start = Instant::now();
        let mut rate = Rate::new(2, start);
        assert_eq!(
            [rate.allow(start), rate.allow(start), rate.allow(start)],
            [true, true, false]
        );
        let later = start + Duration::from_secs(1);
        assert!(rate.allow(later));
    }
}
