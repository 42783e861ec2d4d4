//! Several reports of one answer, of which one is right.

use super::*;

fn of(id: &str, input: u64, read: u64, output: u64, model: &str) -> String {
    let usage = json!({"input_tokens": input, "cache_read_input_tokens": read,
        "cache_creation_input_tokens": 0, "cache_creation": null});
    claude(
        id,
        output,
        json!({"message": {"model": model, "usage": usage}}),
    )
}

#[test]
fn the_report_that_is_larger_counts_whole() {
    let sonnet = "claude-sonnet-4-5";
    let early = of(ONE, 1000, 0, 1, sonnet);
    let late = of(ONE, 100, 900, 50, sonnet);
    let expected = (1, [100, 50, 0, 0, 900]);
    let path = "homes/work/claude/projects/p/s.jsonl";
    for order in [[&early, &late], [&late, &early]] {
        let world = World::new();
        world.write(path, &order.map(String::as_str).concat());
        world.usage.look().unwrap();
        assert_eq!(world.sums(), expected, "at once");
        let world = World::new();
        for line in order {
            world.append(path, line);
            world.usage.look().unwrap();
        }
        assert_eq!(world.sums(), expected, "one after the other");
    }
    // Whoever tells of the answer's end alone knows nothing of its prompt.
    let end = of(TWO, 0, 0, 50, sonnet);
    let world = World::new();
    world.write(path, &[of(TWO, 1000, 0, 1, sonnet), end].concat());
    world.usage.look().unwrap();
    assert_eq!(world.sums(), (1, [1000, 50, 0, 0, 0]));
}

#[test]
fn what_was_told_too_much_is_not_told_again() {
    let sonnet = "claude-sonnet-4-5";
    let world = World::new();
    let path = "homes/work/claude/projects/p/s.jsonl";
    for line in [of(ONE, 1000, 0, 1, sonnet), of(ONE, 100, 900, 50, sonnet)] {
        world.append(path, &line);
        world.usage.look().unwrap();
    }
    // An event takes nothing back.
    let told = world.told("work");
    assert_eq!(
        (told.input_tokens, told.cache_read_input_tokens),
        (1000, 900)
    );
    world.append(path, &of(TWO, 600, 0, 1, sonnet));
    world.usage.look().unwrap();
    assert_eq!(world.told("work").input_tokens, 1000);
    world.append(path, &of("msg_01CCCCCCCCCCCCCCCCCCCCCC", 700, 0, 1, sonnet));
    world.usage.look().unwrap();
    let told = world.told("work");
    assert_eq!(
        (
            told.input_tokens,
            told.cache_read_input_tokens,
            told.output_tokens
        ),
        (1400, 900, 52)
    );
    let total = ask(&world, GroupBy::Profile, "UTC").total.counts;
    assert_eq!((total.input, total.cache_read), (1400, 900));
}

/// What clients were told that `profile` has cost.
fn told_cost(world: &World, profile: &str) -> Cost {
    let mut sum = Cost::default();
    for event in world.events() {
        if let Event::UsageUpdated(updated) = event
            && updated.profile == profile
        {
            sum.total_cost = sum.total_cost.saturating_add(updated.cost.total_cost);
            sum.unpriced |= updated.cost.unpriced;
        }
    }
    sum
}

#[test]
fn what_is_told_to_cost_is_what_the_report_says() {
    let world = World::new();
    let path = "homes/work/claude/projects/p/s.jsonl";
    let (sonnet, opus) = ("claude-sonnet-4-5", "claude-opus-4-8");
    let line = |output: u64, model: &str, hour: u64, speed: &str, changes: Value| {
        let usage = json!({"speed": speed, "cache_creation_input_tokens": 100,
            "cache_creation": {"ephemeral_5m_input_tokens": 100 - hour,
                "ephemeral_1h_input_tokens": hour}});
        let mut all = json!({"message": {"model": model, "usage": usage}});
        merge(&mut all, changes);
        claude(ONE, output, all)
    };
    let compare = |what: &str| {
        world.usage.look().unwrap();
        let report = ask(&world, GroupBy::Profile, "UTC").total.cost;
        let told = told_cost(&world, "work");
        assert_eq!(told.total_cost, report.total_cost, "{what}");
        assert!(!report.unpriced && !told.unpriced, "{what}");
    };
    let add = |what: &str, line: String| {
        world.append(path, &line);
        compare(what);
    };
    add("at first", line(1, sonnet, 0, "standard", json!({})));
    add(
        "kept for an hour",
        line(2, sonnet, 100, "standard", json!({})),
    );
    add("another model", line(3, opus, 100, "standard", json!({})));
    add("a faster service", line(4, opus, 100, "fast", json!({})));
    // Cheaper than what was told: made up for by the next.
    world.append(path, &line(5, sonnet, 100, "standard", json!({})));
    world.usage.look().unwrap();
    let other = json!({"message": {"id": TWO, "usage": {"input_tokens": 100_000}}});
    add("made up for", line(1, opus, 0, "standard", other));
    // In another session, and before.
    let moved = json!({"sessionId": "s0", "timestamp": "2026-02-01T10:00:00Z"});
    add("moved", line(90, opus, 100, "standard", moved));
}
