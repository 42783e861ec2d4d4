use crate::usage::sources::tests::{
    HOME, bytes_of_fixture, check, fixture, look, models, put, sessions,
};
use crate::usage::tests::World;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::fs;

const THREAD: &str = "codex/sessions/2026/03/01/rollout-2026-03-01T10-00-00-01a20d33.jsonl";
const CHILD: &str = "codex/sessions/2026/03/01/rollout-2026-03-01T10-30-00-01a20d44.jsonl";
const ARCHIVED: &str = "codex/archived_sessions/rollout-2026-03-01T10-00-00-01a20d33.jsonl";

/// Of the thread that the others are copies of.
const PARENT: (i64, [i64; 5]) = (2, [1100, 110, 0, 0, 1400]);

#[test]
fn events_that_are_written_again_count_nothing() {
    let fixture = "codex/reemitted-and-null-info.jsonl";
    check(&[(fixture, THREAD)], PARENT);
    check(&[(fixture, THREAD), (fixture, ARCHIVED)], PARENT);
}

#[test]
fn what_a_fork_or_a_subagent_repeats_is_its_parents() {
    let parent = ("codex/reemitted-and-null-info.jsonl", THREAD);
    let fork = ("codex/fork-replays-parent.jsonl", CHILD);
    check(&[parent, fork], (3, [1400, 130, 0, 0, 1400]));
    let subagent = ("codex/subagent-replays-parent.jsonl", CHILD);
    check(&[parent, subagent], (4, [1190, 119, 0, 0, 1400]));
    let world = World::new();
    put(&world, subagent.0, subagent.1);
    assert_eq!(look(&world).0, 2);
    assert_eq!(models(&world), [("gpt-5.1-codex-mini".to_owned(), false)]);
    let session = "01a20d55-0000-7c82-ad4f-8bc4024ef832".to_owned();
    assert_eq!(sessions(&world), [(session, "/work/app".to_owned())]);
}

#[test]
fn a_fork_of_a_quick_provider_loses_no_answer() {
    let parent = ("codex/reemitted-and-null-info.jsonl", THREAD);
    for name in [
        "codex/fork-of-a-quick-provider.jsonl",
        "codex/subagent-of-a-quick-provider.jsonl",
        "codex/fork-with-numbered-turns.jsonl",
    ] {
        check(&[parent, (name, CHILD)], (7, [2100, 210, 0, 0, 1400]));
        check(&[(name, CHILD)], (5, [1000, 100, 0, 0, 0]));
    }
}

#[test]
fn a_sum_that_falls_does_not_hide_what_follows() {
    check(
        &[("codex/counter-falls.jsonl", THREAD)],
        (4, [2500, 115, 0, 0, 0]),
    );
}

#[test]
fn a_record_and_the_event_behind_it_are_one_answer() {
    let records = ("codex/records-beside-counts.jsonl", THREAD);
    check(&[records], (3, [700, 65, 100, 0, 500]));
    let fork = ("codex/fork-repeats-records.jsonl", CHILD);
    check(&[records, fork], (4, [770, 72, 100, 0, 500]));
    let world = World::new();
    put(&world, records.0, records.1);
    look(&world);
    let expected = [("gpt-5.2-codex", false), ("gpt-5.6-codex", true)];
    assert_eq!(
        models(&world),
        expected.map(|(model, fast)| (model.to_owned(), fast))
    );
}

#[test]
fn a_server_that_gives_one_id_to_everything_loses_nothing() {
    check(
        &[("codex/server-that-gives-one-id.jsonl", THREAD)],
        (2, [24, 6, 0, 0, 0]),
    );
}

#[test]
fn half_a_line_counts_when_it_is_whole() {
    let fixture = "codex/no-model-and-half-a-line.jsonl";
    check(&[(fixture, THREAD)], (1, [10, 5, 0, 0, 0]));
    let world = World::new();
    put(&world, fixture, THREAD);
    look(&world);
    assert_eq!(models(&world), [("unknown".to_owned(), false)]);
    let rest = "9,\"output_tokens\":7},\"last_token_usage\":null}}}\n";
    world.append(&format!("{HOME}/{THREAD}"), rest);
    assert_eq!(look(&world), (2, [99, 7, 0, 0, 0]));
}

/// By zstd 1.5 with `-19`, of the file of that name without `.zst`.
const COMPRESSED: &str = "codex/reemitted-and-null-info.jsonl.zst";

fn compressed(text: &str) -> Vec<u8> {
    compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
}

#[test]
fn a_thread_counts_once_however_often_it_is_compressed_and_taken_up_again() {
    let mut world = World::new();
    let text = fixture("codex/reemitted-and-null-info.jsonl");
    let plain = format!("{HOME}/{THREAD}");
    let packed = format!("{plain}.zst");
    world.write(&packed, &bytes_of_fixture(COMPRESSED));
    assert_eq!(look(&world), PARENT, "compressed alone");
    let expected = (sessions(&world), models(&world));
    let remove = |world: &World, path: &str| {
        fs::remove_file(world.folder.path().join(path)).unwrap();
    };
    world.write(&plain, &text);
    assert_eq!(look(&world), PARENT, "both");
    remove(&world, &packed);
    world.restart();
    assert_eq!(look(&world), PARENT, "taken up again");
    world.write(&packed, &compressed(&text));
    remove(&world, &plain);
    assert_eq!(look(&world), PARENT, "compressed otherwise");
    world.write(
        &format!("{HOME}/{ARCHIVED}.zst"),
        &bytes_of_fixture(COMPRESSED),
    );
    assert_eq!(look(&world), PARENT, "archived");
    assert_eq!((sessions(&world), models(&world)), expected);

    // What is plain first, and then compressed.
    let world = World::new();
    world.write(&plain, &text);
    assert_eq!(look(&world), PARENT);
    world.write(&packed, &bytes_of_fixture(COMPRESSED));
    remove(&world, &plain);
    assert_eq!(look(&world), PARENT);
    assert_eq!((sessions(&world), models(&world)), expected);
}

#[test]
fn a_fork_of_a_compressed_thread_repeats_it() {
    let world = World::new();
    world.write(
        &format!("{HOME}/{THREAD}.zst"),
        &bytes_of_fixture(COMPRESSED),
    );
    let fork = fixture("codex/fork-replays-parent.jsonl");
    world.write(&format!("{HOME}/{CHILD}.zst"), &compressed(&fork));
    assert_eq!(look(&world), (3, [1400, 130, 0, 0, 1400]));
}

#[test]
fn a_damaged_file_hides_no_other_one() {
    let world = World::new();
    let packed = bytes_of_fixture(COMPRESSED);
    let folder = format!("{HOME}/codex/sessions");
    let put =
        |name: &str, content: &[u8]| world.write(&format!("{folder}/{name}.jsonl.zst"), content);
    put("rollout-a", b"");
    put("rollout-b", b"no zstd at all");
    put("rollout-c", &packed[..packed.len() / 2]);
    let mut changed = packed.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x55;
    put("rollout-d", &changed[..changed.len() - 4]);
    put("rollout-e", &packed);
    world.usage.look().unwrap();
    let counted = world.sums();
    assert!(counted.0 >= PARENT.0, "{counted:?}");
    // Each is read once, and again when it is another one.
    world.usage.look().unwrap();
    assert_eq!(world.sums(), counted);
    let world = World::new();
    let path = format!("{folder}/rollout-c.jsonl.zst");
    world.write(&path, &packed[..packed.len() / 2]);
    look(&world);
    world.write(&path, &packed);
    assert_eq!(look(&world), PARENT, "it is whole now");
}

#[test]
fn more_answers_than_one_transaction_takes_are_in_a_compressed_thread() {
    const ANSWERS: u64 = 40_000;
    let mut text = fixture("codex/reemitted-and-null-info.jsonl")
        .lines()
        .take(2)
        .fold(String::new(), |text, line| text + line + "\n");
    for answer in 1..=ANSWERS {
        let (input, output) = (10 * answer, 3 * answer);
        text += &format!(
            r#"{{"timestamp":"2026-03-01T10:00:10Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{input},"output_tokens":{output}}},"last_token_usage":{{"input_tokens":10,"output_tokens":3}}}}}}}}"#
        );
        text.push('\n');
    }
    let world = World::new();
    world.write(&format!("{HOME}/{THREAD}.zst"), &compressed(&text));
    let answers = ANSWERS as i64;
    let expected = (answers, [10 * answers, 3 * answers, 0, 0, 0]);
    assert_eq!(look(&world), expected);
    world.write(&format!("{HOME}/{THREAD}"), &text);
    assert_eq!(look(&world), expected, "and plain");
}

#[test]
fn a_thread_without_its_first_line_is_known_by_its_name() {
    let id = "01a20d33-66e5-7c82-ad4f-8bc4024ef832";
    let text = fixture("codex/reemitted-and-null-info.jsonl");
    let (_, headless) = text.split_once('\n').unwrap();
    let check = |name: &str, session: &str| {
        let world = World::new();
        world.write(&format!("{HOME}/codex/sessions/{name}"), headless);
        assert_eq!(look(&world), PARENT, "{name}");
        let [(found, _)] = &sessions(&world)[..] else {
            panic!("{name} is one session");
        };
        assert_eq!(found, session);
        // The same with its first line, and compressed.
        world.write(&format!("{HOME}/{ARCHIVED}"), &text);
        if session == id {
            assert_eq!(look(&world), PARENT, "{name} and whole");
        }
        let packed = format!("{HOME}/codex/sessions/again/{name}.zst");
        let before = look(&world);
        world.write(&packed, &compressed(headless));
        assert_eq!(look(&world), before, "{name} compressed");
    };
    check(&format!("rollout-2026-03-01T10-00-00-{id}.jsonl"), id);
    check("rollout-short.jsonl", "rollout-short");
    check("mine.jsonl", "mine");
}
