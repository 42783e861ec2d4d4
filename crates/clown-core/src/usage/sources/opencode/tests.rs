use crate::usage::sources::tests::{HOME, check, look, put, sessions};
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
