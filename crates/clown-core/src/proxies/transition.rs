//! From what was known and what was seen to what is known and told.

use super::{Instance, Proxy};
use clown_events::{Event, ProxyError, ProxyStarted, ProxyStopped, Timestamp};

/// What was seen of a profile's proxy instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// It accepts connections.
    Accepts(Instance),
    /// Its process is gone: with this code, 128+N for signal N, -1 when nobody knows.
    Gone(i32),
    /// It could not start, died unasked, or all its upstreams fail.
    Failed(String),
}

/// The exit code of one whose end nobody saw.
const UNKNOWN_CODE: i32 = -1;

pub(super) fn observe(before: &Proxy, observed: Observed, now: Timestamp) -> (Proxy, Vec<Event>) {
    let mut after = before.clone();
    let mut events = Vec::new();
    match observed {
        // It was adopted, and goes on as before.
        Observed::Accepts(instance) if before.instance == Some(instance) => {}
        Observed::Accepts(instance) => {
            // One that took its place unseen: the first is gone all the same.
            if before.instance.is_some() {
                end(&mut after, &mut events, UNKNOWN_CODE, now);
            }
            after.instance = Some(instance);
            after.started_at = Some(now);
            after.error = None;
            let profile = after.profile.as_str();
            events.push(ProxyStarted::new(profile, instance.port, instance.pid).into());
        }
        // Told already, or never told to have started.
        Observed::Gone(_) if before.instance.is_none() => {}
        Observed::Gone(code) => end(&mut after, &mut events, code, now),
        Observed::Failed(error) => {
            events.push(ProxyError::new(after.profile.as_str(), error.clone()).into());
            after.error = Some(error);
        }
    }
    (after, events)
}

fn end(proxy: &mut Proxy, events: &mut Vec<Event>, code: i32, now: Timestamp) {
    proxy.instance = None;
    proxy.exit_code = Some(code);
    proxy.stopped_at = Some(now);
    events.push(ProxyStopped::new(proxy.profile.as_str(), code).into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once_and_nothing_else_is() {
        let now = Timestamp::now();
        let first = Instance { pid: 7, port: 8081 };
        let second = Instance { pid: 8, port: 8081 };
        let mut proxy = Proxy::unknown("work".parse().unwrap());
        let mut check = |observed: Observed, instance: Option<Instance>, told: &[Event]| {
            let (after, events) = observe(&proxy, observed.clone(), now);
            assert_eq!(events, told, "{observed:?}");
            assert_eq!(after.instance, instance, "{observed:?}");
            proxy = after;
        };
        let started = |pid| Event::from(ProxyStarted::new("work", 8081, pid));
        let stopped = |code| Event::from(ProxyStopped::new("work", code));
        let failed = |error: &str| Event::from(ProxyError::new("work", error));

        check(Observed::Gone(0), None, &[]);
        check(
            Observed::Failed("Port already in use".to_owned()),
            None,
            &[failed("Port already in use")],
        );
        check(Observed::Accepts(first), Some(first), &[started(7)]);
        check(Observed::Accepts(first), Some(first), &[]);
        check(
            Observed::Failed("all upstreams fail".to_owned()),
            Some(first),
            &[failed("all upstreams fail")],
        );
        check(
            Observed::Accepts(second),
            Some(second),
            &[stopped(-1), started(8)],
        );
        check(Observed::Gone(143), None, &[stopped(143)]);
        check(Observed::Gone(0), None, &[]);
        assert_eq!(proxy.exit_code, Some(143));
        assert_eq!(proxy.error, None, "it has started since");
    }
}
