use crate::usage::sources::tests::{HOME, check, look, models, put, sessions};
use crate::usage::tests::World;

const CHAT: &str = "gemini/.gemini/tmp/app/chats/session-2026-03-01T10-00-4009f77e.jsonl";
const RESUMED: &str = "gemini/.gemini/tmp/app/chats/session-2026-03-01T11-00-6a21c0de.jsonl";
const OLD: &str = "gemini/.gemini/tmp/4de2f8d9/chats/session-2026-03-01T10-00-4009f77e.json";
const OF_A_SUB_AGENT: &str = "gemini/.gemini/tmp/app/chats/4009f77e-2849/6a21c0de.jsonl";

const MESSAGES: (&str, &str) = ("gemini/message-written-again.jsonl", CHAT);

#[test]
fn a_message_counts_once_with_its_thoughts_and_without_its_cache() {
    check(&[MESSAGES], (2, [3908, 957, 0, 0, 11526]));
}

#[test]
fn a_message_that_stands_in_two_files_is_one() {
    let resumed = "gemini/resumed-copies-messages.jsonl";
    let expected = (3, [3958, 977, 0, 0, 11676]);
    check(&[MESSAGES, (resumed, RESUMED)], expected);
    check(&[(resumed, OF_A_SUB_AGENT), MESSAGES], expected);
}

#[test]
fn a_chat_that_is_written_anew_counts_what_is_new_in_it() {
    let old = ("gemini/old-chat-written-anew.json", OLD);
    let expected = (3, [3938, 960, 0, 0, 11526]);
    check(&[old], expected);
    // The program turns such a chat into lines.
    check(&[old, MESSAGES], expected);
    let world = World::new();
    put(&world, old.0, old.1);
    look(&world);
    let models_found = [("gemini-3-pro", false), ("unknown", false)];
    assert_eq!(
        models(&world),
        models_found.map(|(model, fast)| (model.to_owned(), fast))
    );
}

#[test]
fn what_was_taken_from_a_cache_may_stand_beside_the_rest() {
    let fixture = "gemini/cached-beside-input-and-no-tokens.jsonl";
    check(&[(fixture, CHAT)], (1, [40, 5, 0, 0, 60]));
}

#[test]
fn a_file_beside_the_chats_names_the_project() {
    let world = World::new();
    world.write(
        &format!("{HOME}/gemini/.gemini/tmp/app/.project_root"),
        "/work/app\n",
    );
    put(&world, MESSAGES.0, MESSAGES.1);
    look(&world);
    let session = "4009f77e-2849-4b76-bfce-2eaf868d351d".to_owned();
    assert_eq!(sessions(&world), [(session, "/work/app".to_owned())]);
}
