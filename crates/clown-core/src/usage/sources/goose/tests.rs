use crate::usage::sources::tests::{HOME, check, fixture, look, models, put, sessions};
use crate::usage::tests::World;
use rusqlite::Connection;

const DATABASE: &str = "goose/data/sessions/sessions.db";

#[test]
fn rows_of_the_ledger_count_and_sums_beside_it_do_not() {
    let ledger = ("goose/ledger.sql", DATABASE);
    check(&[ledger], (2, [207 + 5, 10, 0, 0, 8320]));
}

#[test]
fn sums_of_earlier_versions_count_by_what_they_grow() {
    let world = World::new();
    put(&world, "goose/sums.sql", DATABASE);
    assert_eq!(look(&world), (1, [90, 9, 0, 0, 0]));
    let database = Connection::open(world.folder.path().join(HOME).join(DATABASE)).unwrap();
    let grow = "UPDATE sessions SET accumulated_input_tokens = 100 WHERE id = 's-1'";
    database.execute_batch(grow).unwrap();
    assert_eq!(look(&world), (2, [100, 9, 0, 0, 0]));
    assert_eq!(models(&world), [("gpt-5".to_owned(), false)]);
    assert_eq!(
        sessions(&world),
        [("s-1".to_owned(), "/work/app".to_owned())]
    );
}

#[test]
fn a_session_of_before_the_ledger_goes_on_and_counts_once() {
    let before = "goose/session-of-before-the-ledger.sql";
    let mut world = World::new();
    put(&world, before, DATABASE);
    assert_eq!(look(&world), (1, [40, 9, 0, 0, 50]));
    let go_on = |world: &World| {
        let database = Connection::open(world.folder.path().join(HOME).join(DATABASE)).unwrap();
        let on = fixture("goose/session-goes-on-with-the-ledger.sql");
        database.execute_batch(&on).unwrap();
    };
    go_on(&world);
    let expected = (3, [100, 32, 60, 0, 60]);
    assert_eq!(look(&world), expected);
    world.restart();
    assert_eq!(look(&world), expected);
    // The same of one that is only looked at then.
    let late = World::new();
    put(&late, before, DATABASE);
    go_on(&late);
    assert_eq!(look(&late), expected);
    assert_eq!(models(&late), [("gpt-5.2".to_owned(), false)]);
}

#[test]
fn sessions_and_rows_of_another_database_are_others() {
    let world = World::new();
    put(&world, "goose/session-of-before-the-ledger.sql", DATABASE);
    let other = "goose/sessions/sessions.db";
    put(
        &world,
        "goose/another-database-with-the-same-numbers.sql",
        other,
    );
    assert_eq!(look(&world), (3, [52, 12, 0, 0, 50]));
    // A copy is the same.
    let path = |path: &str| world.folder.path().join(HOME).join(path);
    std::fs::copy(path(other), path(DATABASE)).unwrap();
    assert_eq!(look(&world), (3, [52, 12, 0, 0, 50]));
}

#[test]
fn a_database_without_tables_is_looked_at_again() {
    let world = World::new();
    world.write(&format!("{HOME}/{DATABASE}"), "");
    assert_eq!(look(&world), (0, [0; 5]));
    put(&world, "goose/ledger.sql", DATABASE);
    assert_eq!(look(&world), (2, [207 + 5, 10, 0, 0, 8320]));
}

#[test]
fn a_database_that_is_made_again_counts_from_its_beginning() {
    let world = World::new();
    put(&world, "goose/ledger.sql", DATABASE);
    assert_eq!(look(&world).0, 2);
    // The same file with other content, as when an inode is used again.
    let database = Connection::open(world.folder.path().join(HOME).join(DATABASE)).unwrap();
    database
        .execute_batch("DELETE FROM usage_ledger; DELETE FROM sessions; INSERT INTO sessions (id) VALUES ('another')")
        .unwrap();
    for number in 1..10 {
        database
            .execute(
                "INSERT INTO usage_ledger (id, session_id, created_timestamp, model, input_tokens,
                     output_tokens)
                 VALUES (?1, 'another', 1772000000 + ?1, 'gpt-5.2', 1, 1)",
                [number],
            )
            .unwrap();
    }
    assert_eq!(look(&world).0, 11);
}
