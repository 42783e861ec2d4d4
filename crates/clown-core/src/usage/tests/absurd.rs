//! Logs that tell of more than there can be.

use super::*;

/// A line whose prompt has `input` tokens.
fn of(number: u64, input: u64) -> String {
    let changes = json!({"message": {"usage": {"input_tokens": input}}});
    claude(&format!("msg_01{number:022}"), 1, changes)
}

#[test]
fn an_answer_that_is_not_to_be_believed_stops_nothing() {
    let world = World::new();
    let path = "homes/work/claude/projects/p/s.jsonl";
    let most = 9_000_000_000_000_000_000;
    let lines = [of(1, most), of(2, most), of(3, most), of(4, 7)];
    world.write(path, &lines.concat());
    world.usage.look().unwrap();
    let (answers, [input, ..]) = world.sums();
    assert_eq!((answers, input), (1, 7));
    // One at a time, as a follower meets them.
    for line in [of(5, most), of(6, most), of(7, 7)] {
        world.append(path, &line);
        world.usage.look().unwrap();
    }
    let (answers, [input, ..]) = world.sums();
    assert_eq!((answers, input), (2, 14));
    assert_eq!(world.told("work").input_tokens, 14);
    assert_eq!(ask(&world, GroupBy::Day, "UTC").total.answers, 2);
}

#[test]
fn a_sum_that_is_not_to_be_believed_stops_nothing() {
    let world = World::new();
    let settings = |session: &str, input: u64| {
        let path = format!("homes/work/droid/.factory/sessions/p/{session}.settings.json");
        let content =
            json!({"model": "m", "tokenUsage": {"inputTokens": input, "outputTokens": 1}});
        world.write(&path, &content.to_string());
    };
    settings("a", u64::MAX);
    settings("b", 1 << 62);
    settings("c", 7);
    world.usage.look().unwrap();
    settings("a", 8);
    world.usage.look().unwrap();
    let (answers, [input, ..]) = world.sums();
    assert_eq!((answers, input), (2, 15));
}

#[test]
fn sums_of_all_that_can_be_believed_stay_where_they_are() {
    let world = World::new();
    let path = "homes/work/claude/projects/p/s.jsonl";
    world.append(path, &of(1, 7));
    world.usage.look().unwrap();
    world
        .store
        .commit(|tx| {
            let most = i64::MAX - 1;
            tx.execute("UPDATE usage_cells SET input = ?1", [most])?;
            tx.execute(
                "INSERT INTO usage_untold VALUES ('work', ?1, 0, 0, 0, ?1, 0)",
                [most],
            )?;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    world.append(path, &of(2, 7));
    world.usage.look().unwrap();
    assert_eq!(world.sums().1[0], i64::MAX);
}
