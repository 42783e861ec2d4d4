//! What becomes of files while they are followed.

use super::*;
use std::io::{Seek as _, SeekFrom};

#[test]
fn all_of_a_file_belongs_to_its_profile_however_many_batches_it_takes() {
    let world = World::new();
    let answers = scan::BATCH as u64 + 7;
    let line = claude("msg_01AAAAAAAAAAAAAAAAAAAAAA", 1, json!({}));
    let (before, after) = line.split_once("msg_01AAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let lines: Vec<String> = (0..answers)
        .map(|number| format!("{before}msg_01{number:022}{after}"))
        .collect();
    world.write("homes/work/claude/projects/p/s.jsonl", &lines.concat());
    world.usage.look().unwrap();
    assert_eq!(
        keys(&ask(&world, GroupBy::Profile, "UTC")),
        [("work", answers)]
    );
    assert_eq!(
        keys(&ask(&world, GroupBy::Agent, "UTC")),
        [("claude", answers)]
    );
    assert_eq!(world.told("work").output_tokens, answers);
}

fn answer(number: u64) -> String {
    claude(&format!("msg_01{number:022}"), 1, json!({}))
}

/// Puts `content` into a file that stays the same file, from `offset` on.
fn write_over(world: &World, path: &str, offset: usize, content: &str) {
    let path = world.folder.path().join(path);
    let mut file = File::options().write(true).open(path).unwrap();
    file.set_len(offset as u64).unwrap();
    file.seek(SeekFrom::Start(offset as u64)).unwrap();
    file.write_all(content.as_bytes()).unwrap();
}

#[test]
fn a_line_that_is_taken_out_of_a_file_hides_nothing_behind_it() {
    let check = |from: usize, content: &[u64], expected: i64| {
        let world = World::new();
        let path = "homes/work/claude/projects/p/s.jsonl";
        world.write(path, &(0..4).map(answer).collect::<String>());
        world.usage.look().unwrap();
        let content: String = content.iter().copied().map(answer).collect();
        write_over(&world, path, answer(0).len() * from, &content);
        world.usage.look().unwrap();
        assert_eq!(world.sums().0, expected, "from {from}");
        world.append(path, &answer(9));
        world.usage.look().unwrap();
        assert_eq!(world.sums().0, expected + 1, "from {from}, then one more");
    };
    // The last one, and what is written at once behind the one before it.
    check(3, &[4, 5], 6);
    // One in the middle, whose followers are written again.
    check(1, &[2, 3, 4, 5], 6);
    check(0, &[0, 1, 3, 4, 5], 6);
    check(2, &[3], 4);
}
