use crate::usage::sources::tests::{HOME, check, look, models, put, sessions};
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
