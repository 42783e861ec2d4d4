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
