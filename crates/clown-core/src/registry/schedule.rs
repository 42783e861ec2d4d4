//! When a sync is due that nobody asks for.

use clown_events::Timestamp;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// Between two syncs.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// After one that failed: the machine may have been offline.
const AFTER_FAILURE: Duration = Duration::from_secs(3 * 3_600);

/// Before the first one, so that a start is not slowed down by it.
const FIRST: Duration = Duration::from_secs(1);

/// How long to wait from `now`. `chance`, from 0 to 1, spreads those who began at the same time: up
/// to an hour is added to a day and to three hours, and a few seconds to the first.
pub fn pause(tried_at: Option<Timestamp>, failed: bool, now: Timestamp, chance: f64) -> Duration {
    let chance = chance.clamp(0.0, 1.0);
    let Some(tried_at) = tried_at else {
        return FIRST + Duration::from_secs(9).mul_f64(chance);
    };
    let every = if failed { AFTER_FAILURE } else { DAY };
    let due = every + HOUR.mul_f64(chance);
    // A clock that was set back must not put it off for years.
    let since = u64::try_from(now.unix_millis() - tried_at.unix_millis()).unwrap_or(0);
    // Whoever starts many daemons at once, all of which are late, is spread as well.
    due.saturating_sub(Duration::from_millis(since))
        .max(FIRST + Duration::from_secs(9).mul_f64(chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_day_and_sooner_after_a_failure() {
        let now = Timestamp::from_unix_millis(1_800_000_000_000).unwrap();
        let ago =
            |hours: i64| Timestamp::from_unix_millis(1_800_000_000_000 - hours * 3_600_000).ok();
        let check = |tried_at: Option<Timestamp>, failed: bool, chance: f64, expected: u64| {
            let pause = pause(tried_at, failed, now, chance);
            assert_eq!(pause.as_secs(), expected, "{tried_at:?} {failed} {chance}");
        };
        check(None, false, 0.0, 1);
        check(None, false, 1.0, 10);
        check(ago(0), false, 0.0, 24 * 3_600);
        check(ago(0), false, 1.0, 25 * 3_600);
        check(ago(20), false, 0.5, 4 * 3_600 + 1_800);
        check(ago(48), false, 0.0, 1);
        check(ago(1), true, 0.0, 2 * 3_600);
        check(ago(-1_000), false, 0.0, 24 * 3_600);
    }
}
