use crate::usage::sources::tests::check;

#[test]
fn thoughts_are_counted_once_within_the_answer_or_beside_it() {
    let file = "qwen/usage/token-usage-2026-03.jsonl";
    let fixture = "qwen/thoughts-within-and-beside.jsonl";
    check(&[(fixture, file)], (2, [160, 70, 0, 0, 40]));
}
