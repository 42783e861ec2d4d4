use crate::usage::sources::tests::{check, look, models, put, sessions};
use crate::usage::tests::World;

const CHAT: &str = "qwen/projects/-work-app/chats/143dd933-3da5-42e7-88db-1327b0297d5a.jsonl";
const FORK: &str = "qwen/projects/-work-app/chats/e10f97c9-8a53-40af-8f8c-c0ed6b6c8687.jsonl";
const MONTH: &str = "qwen/usage/token-usage-2026-03.jsonl";

const ANSWERS: (&str, &str) = ("qwen/events-beside-assistant-lines.jsonl", CHAT);

#[test]
fn an_answer_counts_once_and_so_do_those_beside_the_chat() {
    let expected = (2, [650, 75, 0, 0, 400]);
    check(&[ANSWERS], expected);
    check(
        &[ANSWERS, ("qwen/month-has-the-same.jsonl", MONTH)],
        expected,
    );
    let world = World::new();
    put(&world, ANSWERS.0, ANSWERS.1);
    look(&world);
    let session = "143dd933-3da5-42e7-88db-1327b0297d5a".to_owned();
    assert_eq!(sessions(&world), [(session, "/work/app".to_owned())]);
    assert_eq!(models(&world), [("qwen3-coder-plus".to_owned(), false)]);
}

#[test]
fn what_a_fork_copies_is_known() {
    let fork = "qwen/fork-copies-events.jsonl";
    check(&[ANSWERS, (fork, FORK)], (3, [660, 76, 0, 0, 400]));
}

#[test]
fn thoughts_are_inside_of_the_output_or_beside_it() {
    check(
        &[("qwen/thoughts-inside-and-beside.jsonl", CHAT)],
        (5, [385, 217, 0, 0, 165]),
    );
}

#[test]
fn a_server_that_gives_one_id_to_everything_loses_nothing() {
    check(
        &[("qwen/server-that-gives-one-id.jsonl", CHAT)],
        (2, [24, 6, 0, 0, 0]),
    );
}
