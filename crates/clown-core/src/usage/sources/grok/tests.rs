use crate::usage::sources::tests::{check, look, models, put, quarters, sessions};
use crate::usage::tests::World;

const PARENT: &str = "grok/sessions/%2Fwork%2Fapp/01a20e43-0001/usage.json";
const CHILD: &str = "grok/sessions/%2Fwork%2Fapp/01a20e44-0002/usage.json";
const SUB_AGENT: &str = "grok/sessions/%2Fwork%2Fapp/01a20e43-0003/usage.json";

/// Caches are in the prompt, thoughts in the answer; a turn counts for each model.
const TURNS: (i64, [i64; 5]) = (3, [1600, 110, 200, 0, 700]);

fn summary_of(path: &str) -> String {
    path.replace("usage.json", "summary.json")
}

#[test]
fn turns_count_for_each_of_their_models() {
    let fixture = "grok/turns-of-two-models-with-caches-inside.json";
    check(&[(fixture, PARENT)], TURNS);
    let world = World::new();
    put(&world, "grok/summary.json", &summary_of(PARENT));
    put(&world, fixture, PARENT);
    assert_eq!(look(&world), TURNS);
    let expected = ["grok-4.6", "grok-code"];
    assert_eq!(
        models(&world),
        expected.map(|name| (name.to_owned(), false))
    );
    let expected = ("01a20e43-0001".to_owned(), "/work/app".to_owned());
    assert_eq!(sessions(&world), [expected]);
    assert_eq!(quarters(&world), [1_772_359_200 / 900; 2]);
}

#[test]
fn turns_that_a_fork_begins_with_are_its_parents() {
    let parent = ("grok/turns-of-two-models-with-caches-inside.json", PARENT);
    let fork = ("grok/fork-begins-with-its-parents-turns.json", CHILD);
    let expected = (4, [1640, 114, 200, 0, 700]);
    check(&[parent, fork], expected);
    check(&[fork], expected);
    // In place, as a session that goes on.
    let mut world = World::new();
    put(&world, parent.0, PARENT);
    assert_eq!(look(&world), TURNS);
    put(&world, fork.0, PARENT);
    assert_eq!(look(&world), expected);
    world.restart();
    assert_eq!(look(&world), expected);
}

#[test]
fn what_a_sub_agent_used_is_in_the_turn_that_started_it() {
    let world = World::new();
    put(&world, "grok/summary.json", &summary_of(PARENT));
    put(
        &world,
        "grok/turns-of-two-models-with-caches-inside.json",
        PARENT,
    );
    put(
        &world,
        "grok/summary-of-the-sub-agent.json",
        &summary_of(SUB_AGENT),
    );
    put(
        &world,
        "grok/sub-agent-that-a-turn-has-in-it.json",
        SUB_AGENT,
    );
    assert_eq!(look(&world), TURNS);
}
