//! When to ping a client, and when to give it up.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::time::Duration;
use tokio::time::Instant;

/// Pings after a jittered time, and counts how long the answer takes. That clock runs only while
/// nothing waits for the client: a slow reader gets to the ping when it has read what came before.
#[derive(Debug)]
pub(super) struct Heartbeat {
    every: Range<Duration>,
    within: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    PingAt(Instant),
    Awaiting {
        quiet_since: Instant,
        check_at: Instant,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Nothing,
    Ping,
    Dead,
}

impl Heartbeat {
    pub(super) fn new(every: Range<Duration>, within: Duration, now: Instant) -> Self {
        let state = State::PingAt(now + jittered(&every));
        Self {
            every,
            within,
            state,
        }
    }

    /// What is due. `waits` tells whether something is yet to be sent or acknowledged.
    pub(super) fn tick(&mut self, now: Instant, waits: impl FnOnce() -> bool) -> Beat {
        match &mut self.state {
            State::PingAt(at) if *at <= now => {
                self.state = State::Awaiting {
                    quiet_since: now,
                    check_at: now + self.within / CHECKS,
                };
                Beat::Ping
            }
            State::Awaiting {
                quiet_since,
                check_at,
            } if *check_at <= now => {
                *check_at = now + self.within / CHECKS;
                if waits() {
                    *quiet_since = now;
                } else if now.duration_since(*quiet_since) >= self.within {
                    return Beat::Dead;
                }
                Beat::Nothing
            }
            _ => Beat::Nothing,
        }
    }

    /// The client has answered.
    pub(super) fn answered(&mut self, now: Instant) {
        self.state = State::PingAt(now + jittered(&self.every));
    }

    /// When [`Heartbeat::tick`] has something to do.
    pub(super) fn deadline(&self) -> Instant {
        match self.state {
            State::PingAt(at) => at,
            State::Awaiting { check_at, .. } => check_at,
        }
    }
}

/// How often it is looked whether something waits: the kernel does not call when a peer has
/// acknowledged.
const CHECKS: u32 = 10;

/// Somewhere in `range`, so that clients that came together are not pinged together.
fn jittered(range: &Range<Duration>) -> Duration {
    let width = range.end.saturating_sub(range.start);
    let steps = u32::try_from(RandomState::new().hash_one(0) % 1_024).unwrap_or(0);
    range.start + width * steps / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_clock_runs_only_while_nothing_waits() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(20 * SECOND..30 * SECOND, 10 * SECOND, start);
        let ping_at = heartbeat.deadline();
        assert!((20 * SECOND..30 * SECOND).contains(&(ping_at - start)));
        assert_eq!(heartbeat.tick(start, || false), Beat::Nothing);
        assert_eq!(heartbeat.tick(ping_at, || false), Beat::Ping);
        let mut now = ping_at;
        for _ in 0..100 {
            now = heartbeat.deadline();
            assert_eq!(heartbeat.tick(now, || true), Beat::Nothing);
        }
        let quiet_since = now;
        let dead_at = loop {
            now = heartbeat.deadline();
            if heartbeat.tick(now, || false) == Beat::Dead {
                break now;
            }
        };
        assert_eq!(dead_at - quiet_since, 10 * SECOND);
    }

    #[test]
    fn an_answer_starts_over() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(20 * SECOND..30 * SECOND, 10 * SECOND, start);
        let ping_at = heartbeat.deadline();
        assert_eq!(heartbeat.tick(ping_at, || false), Beat::Ping);
        let answered_at = ping_at + 9 * SECOND;
        heartbeat.answered(answered_at);
        assert_eq!(
            heartbeat.tick(ping_at + 11 * SECOND, || false),
            Beat::Nothing
        );
        assert!(heartbeat.deadline() >= answered_at + 20 * SECOND);
    }
}
