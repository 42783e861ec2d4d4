use crate::usage::sources::tests::{HOME, check, look, models, put, sessions};
use crate::usage::tests::World;

const WIRE: &str = "kimi/sessions/wd_app_4de2/session_8198d1ca/agents/main/wire.jsonl";
const FORK: &str = "kimi/sessions/wd_app_4de2/session_aefaa6bb/agents/main/wire.jsonl";
const OLDER: &str = "kimi/sessions/0cc175b9c0f1/5a8e6f1c/wire.jsonl";
const OLDER_SUB_AGENT: &str = "kimi/sessions/0cc175b9c0f1/5a8e6f1c/subagents/a1/wire.jsonl";

const RECORDS: (&str, &str) = ("kimi/records-of-turn-and-session.jsonl", WIRE);

#[test]
fn records_of_both_scopes_count_and_what_repeats_them_does_not() {
    check(&[RECORDS], (4, [163, 40, 7, 0, 900]));
    let world = World::new();
    put(&world, RECORDS.0, RECORDS.1);
    world.write(
        &format!("{HOME}/kimi/sessions/wd_app_4de2/session_8198d1ca/state.json"),
        r#"{"id":"session_8198d1ca","version":2,"cwd":"/work/app"}"#,
    );
    look(&world);
    let expected = [("kimi-k2.6", false), ("other", false)];
    assert_eq!(
        models(&world),
        expected.map(|(model, fast)| (model.to_owned(), fast))
    );
    let session = "session_8198d1ca".to_owned();
    assert_eq!(sessions(&world), [(session, "/work/app".to_owned())]);
}

#[test]
fn what_a_fork_copies_is_known() {
    let fork = "kimi/fork-copies-records.jsonl";
    check(&[RECORDS, (fork, FORK)], (5, [168, 41, 7, 0, 900]));
}

#[test]
fn a_record_whose_step_never_ends_counts_with_the_next() {
    let fixture = "kimi/step-without-end.jsonl";
    check(&[(fixture, WIRE)], (2, [30, 3, 0, 0, 0]));
}

#[test]
fn the_older_program_repeats_what_sub_agents_have_used() {
    let parent = ("kimi/older-with-sub-agent.jsonl", OLDER);
    let expected = (3, [160, 16, 5, 0, 40]);
    check(&[parent], expected);
    let own = ("kimi/older-sub-agent.jsonl", OLDER_SUB_AGENT);
    check(&[parent, own], (4, [168, 17, 5, 0, 40]));
    let world = World::new();
    put(&world, own.0, own.1);
    look(&world);
    assert_eq!(models(&world), [("unknown".to_owned(), false)]);
    assert_eq!(sessions(&world), [("5a8e6f1c".to_owned(), String::new())]);
}
