use super::*;
use clown_events::ProfileDeleted;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// A store with `count` events of now, and their numbers.
fn store_with(count: usize) -> (Store, Vec<Seq>) {
    let store = Store::open_in_memory().unwrap();
    let numbers = (0..count)
        .map(|_| {
            store
                .commit(|tx| {
                    tx.publish(ProfileDeleted::new("work"));
                    Ok::<_, StoreError>(())
                })
                .unwrap();
            store.head()
        })
        .collect();
    (store, numbers)
}

fn held(store: &Store) -> usize {
    let page = page(store, Seq::START, usize::MAX >> 1, usize::MAX).unwrap();
    page.segment.map_or(0, |segment| {
        crate::bus::Slice::whole(segment.into()).entries().len()
    })
}

fn in_two_hours() -> Timestamp {
    let later = Timestamp::now().unix_millis() + 2 * 3_600_000;
    Timestamp::from_unix_millis(later).unwrap()
}

#[test]
fn only_what_is_both_old_and_beyond_the_number_goes() {
    let keep = |keep_events, keep_for| Retention {
        keep_events,
        keep_for,
        ..Retention::default()
    };
    let check = |retention: Retention, left: usize| {
        let (store, numbers) = store_with(10);
        trim(&store, &retention, in_two_hours()).unwrap();
        assert_eq!(held(&store), left, "{retention:?}");
        assert_eq!(extent(&store).unwrap().latest, numbers[9]);
        assert_eq!(extent(&store).unwrap().oldest, numbers[10 - left]);
    };
    check(keep(100, HOUR), 10);
    check(keep(3, HOUR * 3), 10);
    check(keep(3, HOUR), 3);
    check(keep(0, HOUR), 1);
}

#[test]
fn the_oldest_beyond_the_size_go_whatever_their_age() {
    let (store, _) = store_with(10);
    let bytes: u64 = store
        .read(|connection| {
            Ok::<_, StoreError>(connection.query_row(
                "SELECT value FROM meta WHERE key = 'journal_bytes'",
                [],
                |row| row.get::<_, i64>(0),
            )?)
        })
        .unwrap()
        .unsigned_abs();
    let retention = Retention {
        max_bytes: bytes / 2,
        ..Retention::default()
    };
    assert_eq!(
        trim(&store, &retention, Timestamp::now()).unwrap().events,
        5
    );
    assert_eq!(
        trim(&store, &retention, Timestamp::now()).unwrap().events,
        0
    );
    let nothing = Retention {
        max_bytes: 0,
        ..retention
    };
    trim(&store, &nothing, Timestamp::now()).unwrap();
    assert_eq!(held(&store), 1);
}

#[test]
fn the_last_that_was_trimmed_is_a_place_to_resume_from_and_one_before_is_not() {
    let (store, numbers) = store_with(10);
    let retention = Retention {
        keep_events: 3,
        keep_for: HOUR,
        ..Retention::default()
    };
    trim(&store, &retention, in_two_hours()).unwrap();
    assert_eq!(
        resume(&store, numbers[6]).unwrap(),
        Start::After(numbers[6])
    );
    assert!(matches!(resume(&store, numbers[5]).unwrap(), Start::Gap(_)));
    assert_eq!(
        page(&store, Seq::START, 10, 1_000).unwrap().trimmed_to,
        numbers[6]
    );
}

#[test]
fn a_time_leads_to_the_number_before_it() {
    let (store, numbers) = store_with(3);
    let first = Timestamp::from_unix_millis(0).unwrap();
    assert_eq!(before_time(&store, first).unwrap(), Seq::START);
    assert_eq!(before_time(&store, in_two_hours()).unwrap(), numbers[2]);
}
