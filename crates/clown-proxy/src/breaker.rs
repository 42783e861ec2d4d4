//! Targets that fail again and again are left alone for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many failures after each other open it.
const FAILURES: u32 = 5;
/// How long it stays open the first time, and at most.
const FIRST: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_secs(300);
/// Whoever tries a target that was left alone has so long until another may.
const TRIAL: Duration = Duration::from_secs(30);

/// What is known of each target, by its name.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    targets: Mutex<BTreeMap<String, Breaker>>,
}

#[derive(Debug, Clone, Default)]
struct Breaker {
    failures: u32,
    /// Until when it is open, how long that was, and why.
    open: Option<Open>,
}

#[derive(Debug, Clone)]
struct Open {
    until: Instant,
    pause: Duration,
    why: String,
}

/// How a target stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub target: String,
    pub state: State,
    /// What went wrong last.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Left alone for so long.
    Open(Duration),
    /// The next request tries it.
    HalfOpen,
}

impl Breakers {
    /// Whether a request may go to a target. Of one that was left alone, one at a time.
    pub fn admits(&self, target: &str, now: Instant) -> bool {
        let mut targets = self.lock();
        let Some(open) = targets.get_mut(target).and_then(|it| it.open.as_mut()) else {
            return true;
        };
        let is_over = now >= open.until;
        if is_over {
            open.until = now + TRIAL;
        }
        is_over
    }

    /// A target has answered.
    pub fn succeeded(&self, target: &str) {
        let mut targets = self.lock();
        // Most requests: nothing to do.
        targets.remove(target);
    }

    /// A target has failed. True if it is left alone from now on.
    pub fn failed(&self, target: &str, why: &str, now: Instant) -> bool {
        let mut targets = self.lock();
        let breaker = targets.entry(target.to_owned()).or_default();
        breaker.failures = breaker.failures.saturating_add(1);
        let pause = match &breaker.open {
            Some(open) => (open.pause * 2).min(LONGEST),
            None if breaker.failures >= FAILURES => FIRST,
            None => return false,
        };
        breaker.open = Some(Open {
            until: now + pause,
            pause,
            why: why.to_owned(),
        });
        true
    }

    /// Those that are left alone.
    pub fn standings(&self, now: Instant) -> Vec<Standing> {
        let targets = self.lock();
        let open = targets.iter().filter_map(|(target, breaker)| {
            let open = breaker.open.as_ref()?;
            Some(Standing {
                target: target.clone(),
                state: match open.until.saturating_duration_since(now) {
                    Duration::ZERO => State::HalfOpen,
                    left => State::Open(left),
                },
                why: open.why.clone(),
            })
        });
        open.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Breaker>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_half_opens_and_closes() {
        let breakers = Breakers::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for _ in 1..FAILURES {
            assert!(!breakers.failed("a", "x", at(0)));
            assert!(breakers.admits("a", at(0)));
        }
        assert!(breakers.standings(at(0)).is_empty());
        // A success in between begins anew.
        breakers.succeeded("a");
        for _ in 1..FAILURES {
            assert!(!breakers.failed("a", "x", at(0)));
        }
        assert!(breakers.failed("a", "529", at(0)));
        assert!(!breakers.admits("a", at(14)) && breakers.admits("b", at(14)));
        let standings = breakers.standings(at(5));
        assert_eq!(standings[0].state, State::Open(Duration::from_secs(10)));
        assert_eq!(standings[0].why, "529");
        assert_eq!(breakers.standings(at(15))[0].state, State::HalfOpen);
        // One tries it, and nobody else meanwhile.
        assert!(breakers.admits("a", at(15)));
        assert!(!breakers.admits("a", at(15)));
        assert!(breakers.failed("a", "529", at(16)));
        assert!(!breakers.admits("a", at(45)));
        assert!(breakers.admits("a", at(46)));
        breakers.succeeded("a");
        assert!(breakers.admits("a", at(46)) && breakers.admits("a", at(46)));
        assert!(breakers.standings(at(46)).is_empty());
        // The pauses grow, and not for ever.
        for _ in 0..40 {
            breakers.failed("c", "x", at(0));
        }
        assert_eq!(breakers.standings(at(0))[0].state, State::Open(LONGEST));
    }
}
