use crate::usage::sources::tests::{HOME, check, look, models, put, sessions};
use crate::usage::tests::World;

const THREAD: &str = "codex/sessions/2026/03/01/rollout-2026-03-01T10-00-00-01a20d33.jsonl";
const CHILD: &str = "codex/sessions/2026/03/01/rollout-2026-03-01T10-30-00-01a20d44.jsonl";
const ARCHIVED: &str = "codex/archived_sessions/rollout-2026-03-01T10-00-00-01a20d33.jsonl";

/// Of the thread that the others are copies of.
const PARENT: (i64, [i64; 5]) = (2, [1100, 110, 0, 0, 1400]);

#[test]
fn events_that_are_written_again_count_nothing() {
    let fixture = "codex/reemitted-and-null-info.jsonl";
    check(&[(fixture, THREAD)], PARENT);
    check(&[(fixture, THREAD), (fixture, ARCHIVED)], PARENT);
}

#[test]
fn what_a_fork_or_a_subagent_repeats_is_its_parents() {
    let parent = ("codex/reemitted-and-null-info.jsonl", THREAD);
    let fork = ("codex/fork-replays-parent.jsonl", CHILD);
    check(&[parent, fork], (3, [1400, 130, 0, 0, 1400]));
    let subagent = ("codex/subagent-replays-parent.jsonl", CHILD);
    check(&[parent, subagent], (4, [1190, 119, 0, 0, 1400]));
    let world = World::new();
    put(&world, subagent.0, subagent.1);
    assert_eq!(look(&world).0, 2);
    assert_eq!(models(&world), [("gpt-5.1-codex-mini".to_owned(), false)]);
    let session = "01a20d55-0000-7c82-ad4f-8bc4024ef832".to_owned();
    assert_eq!(sessions(&world), [(session, "/work/app".to_owned())]);
}

#[test]
fn a_fork_of_a_quick_provider_loses_no_answer() {
    let parent = ("codex/reemitted-and-null-info.jsonl", THREAD);
    for name in [
        "codex/fork-of-a-quick-provider.jsonl",
        "codex/subagent-of-a-quick-provider.jsonl",
        "codex/fork-with-numbered-turns.jsonl",
    ] {
        check(&[parent, (name, CHILD)], (7, [2100, 210, 0, 0, 1400]));
        check(&[(name, CHILD)], (5, [1000, 100, 0, 0, 0]));
    }
}

#[test]
fn a_sum_that_falls_does_not_hide_what_follows() {
    check(
        &[("codex/counter-falls.jsonl", THREAD)],
        (4, [2500, 115, 0, 0, 0]),
    );
}

#[test]
fn a_record_and_the_event_behind_it_are_one_answer() {
    let records = ("codex/records-beside-counts.jsonl", THREAD);
    check(&[records], (3, [700, 65, 100, 0, 500]));
    let fork = ("codex/fork-repeats-records.jsonl", CHILD);
    check(&[records, fork], (4, [770, 72, 100, 0, 500]));
    let world = World::new();
    put(&world, records.0, records.1);
    look(&world);
    let expected = [("gpt-5.2-codex", false), ("gpt-5.6-codex", true)];
    assert_eq!(
        models(&world),
        expected.map(|(model, fast)| (model.to_owned(), fast))
    );
}

#[test]
fn a_server_that_gives_one_id_to_everything_loses_nothing() {
    check(
        &[("codex/server-that-gives-one-id.jsonl", THREAD)],
        (2, [24, 6, 0, 0, 0]),
    );
}

#[test]
fn half_a_line_counts_when_it_is_whole() {
    let fixture = "codex/no-model-and-half-a-line.jsonl";
    check(&[(fixture, THREAD)], (1, [10, 5, 0, 0, 0]));
    let world = World::new();
    put(&world, fixture, THREAD);
    look(&world);
    assert_eq!(models(&world), [("unknown".to_owned(), false)]);
    let rest = "9,\"output_tokens\":7},\"last_token_usage\":null}}}\n";
    world.append(&format!("{HOME}/{THREAD}"), rest);
    assert_eq!(look(&world), (2, [99, 7, 0, 0, 0]));
}
