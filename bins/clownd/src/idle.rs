use std::time::Duration;
use tokio::time::Instant;

/// Returns when nobody has needed the daemon for `timeout`. `idle_since` tells since when nobody
/// has; `None` while somebody does.
pub(crate) async fn idle_for(
    timeout: Duration,
    mut idle_since: impl AsyncFnMut() -> Option<Instant>,
) {
    // Often enough that a run does not hold the daemon much longer than it should.
    let pause = (timeout / 10).clamp(Duration::from_millis(20), Duration::from_secs(10));
    let mut busy_until = Instant::now();
    loop {
        let now = Instant::now();
        match idle_since().await {
            None => busy_until = now,
            Some(since) => {
                let since = since.max(busy_until);
                if now.duration_since(since) >= timeout {
                    return;
                }
            }
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn counts_from_the_last_time_that_somebody_needed_it() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let busy = start + 30 * second..start + 47 * second;
        idle_for(60 * second, async || {
            let now = Instant::now();
            (!busy.contains(&now)).then_some(start)
        })
        .await;
        let ended = start.elapsed();
        assert!(
            (40 * second..60 * second).contains(&(ended - 47 * second)) || ended >= 100 * second,
            "{ended:?}"
        );
        assert!(ended <= 47 * second + 60 * second + 6 * second, "{ended:?}");
    }
}
