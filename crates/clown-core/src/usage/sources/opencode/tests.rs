use crate::usage::sources::tests::{HOME, check, fixture, look, models, put, sessions};
use crate::usage::tests::World;
use rusqlite::Connection;

const DATABASE: &str = "share/opencode/opencode.db";
const FILE: &str = "share/opencode/storage/message/ses_1/msg_a.json";

/// Thoughts are on top of the answer.
const ONE: (i64, [i64; 5]) = (1, [10, 7, 20, 0, 100]);

#[test]
fn a_fork_and_the_older_file_of_an_answer_count_nothing() {
    let database = ("opencode/fork-and-unfinished.sql", DATABASE);
    let file = ("opencode/file-of-the-same-answer.json", FILE);
    check(&[database], ONE);
    check(&[file], ONE);
    check(&[file, database], ONE);
}

#[test]
fn a_row_counts_when_it_is_finished_and_while_it_is_only_in_the_log() {
    let world = World::new();
    put(&world, "opencode/fork-and-unfinished.sql", DATABASE);
    assert_eq!(look(&world), ONE);
    let path = world.folder.path().join(HOME).join(DATABASE);
    // Stays open, so that what it writes stays in the log beside the database.
    let agent = Connection::open(path).unwrap();
    agent.pragma_update(None, "journal_mode", "wal").unwrap();
    agent
        .execute_batch(
            "UPDATE message SET time_updated = 1772000020000,
                 data = json_set(data, '$.time.completed', 1772000012000, '$.tokens.output', 30)
             WHERE id = 'msg_b'",
        )
        .unwrap();
    assert_eq!(look(&world), (2, [17, 37, 20, 0, 100]));
    assert_eq!(
        sessions(&world),
        [("ses_1".to_owned(), "/work/app".to_owned())]
    );
}

#[test]
fn odd_rows_hide_nothing_that_is_whole() {
    let odd = ("opencode/rows-that-are-odd.sql", DATABASE);
    let expected = (2, [11, 9, 20, 0, 100]);
    check(&[odd], expected);
    let world = World::new();
    put(&world, odd.0, odd.1);
    assert_eq!(look(&world), expected);
    // One row is of a time to come; what is written before then counts all the same.
    let agent = Connection::open(world.folder.path().join(HOME).join(DATABASE)).unwrap();
    agent
        .execute_batch(
            "INSERT INTO message SELECT 'msg_7', session_id, time_created,
                 unixepoch('subsec') * 1000 + 1, json_set(data, '$.time.created', 1772000030000)
             FROM message WHERE id = 'msg_5'",
        )
        .unwrap();
    assert_eq!(look(&world), (3, [21, 16, 40, 0, 200]));
    let expected = ["claude-sonnet-4-5", "ollama/qwen3"];
    assert_eq!(
        models(&world),
        expected.map(|name| (name.to_owned(), false))
    );
}

#[test]
fn a_newer_table_counts_where_the_older_one_has_nothing() {
    let newer = ("opencode/newer-table-beside-the-older.sql", DATABASE);
    check(&[newer], (2, [18, 14, 20, 0, 130]));
    let world = World::new();
    put(&world, newer.0, &DATABASE.replace(".db", "-beta.db"));
    look(&world);
    let expected = [("ses_1", "/work/app"), ("ses_3", "/work/lib")];
    let owned = |(session, project): (&str, &str)| (session.to_owned(), project.to_owned());
    assert_eq!(sessions(&world), expected.map(owned));
}

#[test]
fn a_file_counts_when_its_answer_is_finished_and_a_database_when_it_has_tables() {
    let world = World::new();
    let growing = "opencode/file-of-a-growing-answer.json";
    put(&world, growing, FILE);
    world.write(&format!("{HOME}/{DATABASE}"), "");
    assert_eq!(look(&world), (0, [0; 5]));
    let created = "\"created\":1772000007000";
    let finished =
        fixture(growing).replace(created, &format!("{created},\"completed\":1772000009000"));
    assert_ne!(finished, fixture(growing));
    world.write(&format!("{HOME}/{FILE}"), &finished);
    assert_eq!(look(&world), (1, [7, 1, 0, 0, 0]));
    put(&world, "opencode/fork-and-unfinished.sql", DATABASE);
    assert_eq!(look(&world), (2, [17, 8, 20, 0, 100]));
}

/// A database of answers that an agent has open.
fn database(world: &World) -> Connection {
    world.write(&format!("{HOME}/{DATABASE}"), "");
    let agent = Connection::open(world.folder.path().join(HOME).join(DATABASE)).unwrap();
    agent
        .execute_batch(
            "CREATE TABLE session (id TEXT PRIMARY KEY, directory TEXT);
             CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER,
                 time_updated INTEGER, data TEXT)",
        )
        .unwrap();
    agent
}

fn write(agent: &Connection, id: &str, updated: i64, input: u64) {
    let data = serde_json::json!({"role": "assistant", "providerID": "anthropic", "modelID": "m",
        "time": {"created": updated - 500, "completed": updated},
        "tokens": {"input": input, "output": 1, "reasoning": 0, "cache": {"read": 0, "write": 0}}});
    agent
        .execute(
            "INSERT OR REPLACE INTO message VALUES (?1, 's', ?2, ?2, ?3)",
            (id, updated, data.to_string()),
        )
        .unwrap();
}

const MOMENT: i64 = 1_772_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

#[test]
fn rows_that_are_put_in_late_count() {
    let world = World::new();
    let agent = database(&world);
    write(&agent, "a", MOMENT, 10);
    assert_eq!(look(&world), (1, [10, 1, 0, 0, 0]));
    // Committed after a later one, by another process.
    write(&agent, "b", MOMENT - 500, 20);
    assert_eq!(look(&world), (2, [30, 2, 0, 0, 0]));
    // Taken over from elsewhere.
    write(&agent, "c", MOMENT - 90 * DAY, 30);
    assert_eq!(look(&world), (3, [60, 3, 0, 0, 0]));
    // A row that was there is finished late.
    write(&agent, "d", MOMENT + DAY, 5);
    agent
        .execute_batch(
            "UPDATE message SET data = json_set(data, '$.time.completed', 0) WHERE id = 'd'",
        )
        .unwrap();
    write(&agent, "e", MOMENT + DAY + 5_000, 6);
    look(&world);
    agent
        .execute_batch(
            "UPDATE message SET data = json_set(data, '$.time.completed', 1772086400000)
             WHERE id = 'd'",
        )
        .unwrap();
    assert_eq!(look(&world), (5, [71, 5, 0, 0, 0]));
}

#[test]
fn a_database_that_is_made_again_counts_from_its_beginning() {
    let world = World::new();
    let agent = database(&world);
    for (number, id) in ["a", "b"].into_iter().enumerate() {
        write(&agent, id, MOMENT + number as i64, 10);
    }
    assert_eq!(look(&world).0, 2);
    let state = |agent: &Connection, ids: &[&str], expected: i64| {
        // The same file with other content, as when an inode is used again.
        agent.execute_batch("DELETE FROM message").unwrap();
        for (number, id) in ids.iter().enumerate() {
            write(
                agent,
                id,
                MOMENT - 90 * DAY - number as i64,
                ids.len() as u64,
            );
        }
        assert_eq!(look(&world).0, expected, "{ids:?}");
    };
    state(&agent, &["z"], 3);
    state(&agent, &["v", "w", "x"], 6);
}

#[test]
fn two_answers_of_the_same_moments_are_two() {
    let world = World::new();
    let agent = database(&world);
    write(&agent, "a", MOMENT, 100);
    write(&agent, "b", MOMENT, 300);
    assert_eq!(look(&world), (2, [400, 2, 0, 0, 0]));
}
