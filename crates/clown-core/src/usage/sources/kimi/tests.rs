use crate::usage::sources::tests::{check, look, put, sessions};
use crate::usage::tests::World;

const FILE: &str = "kimi/sessions/ws/s-1/agents/main/wire.jsonl";

#[test]
fn requests_of_both_scopes_count_and_their_repeats_do_not() {
    let fixture = "kimi/both-scopes-and-repeats.jsonl";
    check(&[(fixture, FILE)], (2, [17, 4, 0, 0, 14]));
    let world = World::new();
    put(&world, fixture, FILE);
    look(&world);
    assert_eq!(sessions(&world), [("s-1".to_owned(), String::new())]);
}
