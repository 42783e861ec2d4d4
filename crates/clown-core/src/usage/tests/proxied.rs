//! What goes through a proxy, and stands in the agent's own log too.

use super::*;

/// What a proxy has metered of one answer.
fn spooled(id: &str, output: u64) -> String {
    let line = json!({"id": "19b9d3a8a40-00000001-0a1b2c3d", "at": "2026-03-01T10:00:00Z", "agent": "claude",
        "provider": "anthropic", "format": "anthropic-messages", "path": "/v1/messages", "model": "claude-opus-4-6",
        "message_id": id, "streamed": true, "status": 200, "duration_ms": 5,
        "tokens": {"input": 10, "output": output, "cache_write": 100, "cache_write_hour": 0, "cache_read": 1000}});
    format!("{line}\n")
}

#[test]
fn the_fast_service_of_an_answer_is_known_whoever_tells_of_it_first() {
    let fast = json!({"message": {"model": "claude-opus-4-6", "usage": {"speed": "fast"}}});
    let (spool, log) = (
        "proxies/work/spool.jsonl",
        "homes/work/claude/projects/p/s.jsonl",
    );
    for order in [[0, 1], [1, 0]] {
        let world = World::new();
        world
            .usage
            .is_proxied(&"work".parse().unwrap(), true)
            .unwrap();
        for place in order {
            match place {
                0 => world.append(spool, &spooled(ONE, 5)),
                _ => world.append(log, &claude(ONE, 5, fast.clone())),
            }
            world.usage.look().unwrap();
        }
        let total = ask(&world, GroupBy::Profile, "UTC").total;
        assert_eq!(total.answers, 1, "{order:?}");
        let tiers = world
            .store
            .read(|connection| ledger::series_from(connection, 0))
            .unwrap();
        let last = tiers.last().unwrap();
        assert!(last.3.is_fast(), "{order:?}");
    }
}
