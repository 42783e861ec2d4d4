//! What becomes of files while they are followed.

use super::*;

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
