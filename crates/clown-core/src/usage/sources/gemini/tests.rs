use crate::usage::sources::tests::{HOME, check, look, put, sessions};
use crate::usage::tests::World;

const CHAT: &str = "gemini/.gemini/tmp/app/chats/session-2026-03-01-s1.jsonl";
const OLDER: &str = "gemini/.gemini/tmp/app/chats/session-2026-02-01-s0.json";

/// Of the first, what came from the cache is in the prompt; of the second, beside it.
const TWO: (i64, [i64; 5]) = (2, [3808 + 100, 942 + 10, 0, 0, 11_526 + 40]);

#[test]
fn a_message_counts_once_however_often_it_is_written() {
    let chat = ("gemini/message-comes-again.jsonl", CHAT);
    check(&[chat], TWO);
    let older = ("gemini/older-chat-with-the-same-message.json", OLDER);
    let (answers, mut kinds) = TWO;
    kinds[0] += 5;
    kinds[1] += 6;
    check(&[chat, older], (answers + 1, kinds));
}

#[test]
fn the_project_stands_beside_the_chats() {
    let world = World::new();
    world.write(
        &format!("{HOME}/gemini/.gemini/tmp/app/.project_root"),
        "/work/app\n",
    );
    put(&world, "gemini/message-comes-again.jsonl", CHAT);
    assert_eq!(look(&world), TWO);
    assert_eq!(
        sessions(&world),
        [("s-1".to_owned(), "/work/app".to_owned())]
    );
}
