//! Several keys of one provider.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a key rests that a provider has refused, where it does not say.
const REST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3_600);

/// Which keys rest, by provider and place.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    resting: Mutex<BTreeMap<(String, usize), Instant>>,
}

impl Pool {
    /// In which order the `count` keys of a provider are tried: a session stays with one, so that
    /// the provider's cache helps; those that rest come last.
    pub fn order(
        &self,
        provider: &str,
        count: usize,
        session: Option<&str>,
        now: Instant,
    ) -> Vec<usize> {
        if count < 2 {
            return (0..count).collect();
        }
        let mut hasher = DefaultHasher::new();
        match session {
            Some(session) => session.hash(&mut hasher),
            None => now.hash(&mut hasher),
        }
        let first = usize::try_from(hasher.finish() % count as u64).unwrap_or_default();
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = |place: usize| {
            let until = resting.get(&(provider.to_owned(), place));
            until.is_some_and(|until| *until > now)
        };
        let all = (0..count).map(|step| (first + step) % count);
        let (last, mut order): (Vec<usize>, Vec<usize>) = all.partition(|place| rests(*place));
        order.extend(last);
        order
    }

    /// A provider has refused a key, or it has been used too much.
    pub fn rest(&self, provider: &str, place: usize, wait: Option<Duration>, now: Instant) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|_, until| *until > now);
        let until = now + wait.unwrap_or(REST).min(LONGEST);
        resting.insert((provider.to_owned(), place), until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stays_with_its_key_until_that_rests() {
        let pool = Pool::default();
        let now = Instant::now();
        assert_eq!(pool.order("p", 0, None, now), [] as [usize; 0]);
        assert_eq!(pool.order("p", 1, Some("s"), now), [0]);
        let order = pool.order("p", 3, Some("s"), now);
        assert_eq!(pool.order("p", 3, Some("s"), now), order);
        let sessions = (0..50).map(|number| pool.order("p", 3, Some(&number.to_string()), now)[0]);
        let used: std::collections::BTreeSet<usize> = sessions.collect();
        assert_eq!(used.len(), 3);
        pool.rest("p", order[0], Some(Duration::from_secs(5)), now);
        assert_eq!(
            pool.order("p", 3, Some("s"), now),
            [order[1], order[2], order[0]]
        );
        assert_eq!(pool.order("other", 3, Some("s"), now), order);
        let later = now + Duration::from_secs(5);
        assert_eq!(pool.order("p", 3, Some("s"), later), order);
    }
}
