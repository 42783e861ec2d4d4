use crate::usage::sources::tests::{check, look, put, sessions};
use crate::usage::tests::World;

const FILE: &str = "copilot/session-state/s-1/events.jsonl";

#[test]
fn answers_count_once_and_the_sum_at_the_end_does_not() {
    let fixture = "copilot/one-id-for-two-answers.jsonl";
    check(&[(fixture, FILE)], (2, [80, 11, 10, 0, 60]));
    let world = World::new();
    put(&world, fixture, FILE);
    look(&world);
    assert_eq!(
        sessions(&world),
        [("s-1".to_owned(), "/work/app".to_owned())]
    );
}
