use crate::usage::sources::tests::{check, look, models, put, sessions};
use crate::usage::tests::World;

const EVENTS: &str = "copilot/session-state/07d2459a-c61c-46a0-b295-3632ac76346e/events.jsonl";
const OTHER: &str = "copilot/session-state/2c6b4f8c-f86a-4f29-b0e7-c73c2ba851d9/events.jsonl";

const RECORDS: (&str, &str) = ("copilot/records-and-their-sum.jsonl", EVENTS);

#[test]
fn each_answer_counts_once_and_their_sum_not_at_all() {
    check(&[RECORDS], (3, [330, 33, 200, 0, 500]));
    let world = World::new();
    put(&world, RECORDS.0, RECORDS.1);
    look(&world);
    let session = "07d2459a-c61c-46a0-b295-3632ac76346e".to_owned();
    assert_eq!(sessions(&world), [(session, "/work/app".to_owned())]);
    let expected = ["claude-sonnet-4.5", "gpt-5.2"];
    assert_eq!(
        models(&world),
        expected.map(|model| (model.to_owned(), false))
    );
}

#[test]
fn what_a_resumed_session_repeats_is_known() {
    let resumed = "copilot/resumed-repeats-records.jsonl";
    check(&[RECORDS, (resumed, OTHER)], (4, [340, 34, 200, 0, 500]));
}

#[test]
fn of_sums_the_differences_count() {
    check(
        &[("copilot/old-sums-that-grow-and-fall.jsonl", EVENTS)],
        (5, [195, 75, 5, 0, 60]),
    );
}

#[test]
fn records_win_over_later_sums() {
    check(
        &[("copilot/old-sum-then-records.jsonl", EVENTS)],
        (2, [110, 11, 0, 0, 0]),
    );
}
