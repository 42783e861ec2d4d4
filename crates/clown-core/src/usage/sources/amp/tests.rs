use crate::usage::sources::tests::{check, look, models, put, quarters, sessions};
use crate::usage::tests::World;

const ONE: &str = "share/amp/threads/T-1.json";
const TWO: &str = "share/amp/threads/T-2.json";

#[test]
fn messages_of_the_assistant_count() {
    let fixture = "amp/messages-one-without-a-time.json";
    let expected = (2, [12, 198, 986, 0, 11872]);
    check(&[(fixture, ONE)], expected);
    check(&[(fixture, ONE), (fixture, TWO)], expected);
    let world = World::new();
    put(&world, fixture, ONE);
    assert_eq!(look(&world), expected);
    let expected = ["claude-haiku-4-5-20251001", "claude-opus-4-5"];
    assert_eq!(
        models(&world),
        expected.map(|name| (name.to_owned(), false))
    );
    let expected = ("T-1".to_owned(), "/work/my app".to_owned());
    assert_eq!(sessions(&world), [expected]);
    // The thread's own time, where a message has none.
    assert_eq!(quarters(&world), [1_768_822_900 / 900, 1_768_822_930 / 900]);
}

#[test]
fn events_of_a_ledger_count_and_the_messages_that_repeat_them_do_not() {
    let ledger = ("amp/ledger-that-messages-repeat.json", TWO);
    check(&[ledger], (3, [15, 202, 986, 0, 11872]));
    let messages = ("amp/messages-one-without-a-time.json", ONE);
    check(&[messages, ledger], (5, [27, 400, 1972, 0, 23744]));
}
