use crate::usage::sources::tests::{check, look, models, put, sessions};
use crate::usage::tests::World;

const SESSION: &str = "pi/sessions/--work-app--/2026-03-01T10-00-00-000Z_01a20e2b.jsonl";
const FORK: &str = "pi/sessions/--work-app--/2026-03-01T11-00-00-000Z_01a20e2c.jsonl";

const TREE: (&str, &str) = ("pi/branches-of-a-tree.jsonl", SESSION);

#[test]
fn every_branch_of_a_tree_counts() {
    check(&[TREE], (3, [105, 18, 25, 0, 140]));
    let world = World::new();
    put(&world, TREE.0, TREE.1);
    look(&world);
    let session = "01a20e2b-2bdf-71c0-b2a2-112fdaea7422".to_owned();
    assert_eq!(sessions(&world), [(session, "/work/app".to_owned())]);
    let expected = ["claude-sonnet-4-5", "gpt-5.2"];
    assert_eq!(
        models(&world),
        expected.map(|model| (model.to_owned(), false))
    );
}

#[test]
fn what_a_fork_copies_is_its_parents() {
    let fork = "pi/fork-copies-entries.jsonl";
    check(&[TREE, (fork, FORK)], (4, [112, 19, 25, 0, 140]));
    check(&[(fork, FORK), TREE], (4, [112, 19, 25, 0, 140]));
}

#[test]
fn a_server_that_gives_one_id_to_everything_loses_nothing() {
    let fixture = "pi/server-that-gives-one-id.jsonl";
    check(&[(fixture, SESSION)], (2, [24, 6, 0, 0, 0]));
}
