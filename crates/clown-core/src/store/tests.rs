use super::*;
use crate::bus::Read;
use crate::journal;
use clown_events::{DaemonStarted, ProfileDeleted};

fn events_after(store: &Store, cursor: Seq) -> Vec<String> {
    let Read::Slices(slices) = store.bus().read_after(cursor, usize::MAX) else {
        panic!("behind the ring");
    };
    slices
        .iter()
        .flat_map(|slice| (0..slice.entries().len()).map(|index| slice.json(index, true)))
        .map(|json| String::from_utf8(json.to_vec()).unwrap())
        .collect()
}

fn publish(store: &Store, alias: &str) -> Result<(), StoreError> {
    let event = ProfileDeleted::new(alias);
    store.commit(move |tx| {
        tx.publish(event);
        Ok(())
    })
}

#[test]
fn what_failed_leaves_neither_state_nor_event() {
    let store = Store::open_in_memory().unwrap();
    let before = store.head();
    let failed: Result<(), StoreError> = store.commit(|tx| {
        tx.execute("INSERT INTO meta (key, value) VALUES ('x', 1)", [])?;
        tx.publish(ProfileDeleted::new("never"));
        Err(StoreError::Closed)
    });
    assert!(matches!(failed, Err(StoreError::Closed)));
    publish(&store, "work").unwrap();
    let events = events_after(&store, before);
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("\"alias\":\"work\""), "{events:?}");
    let rows: i64 = store
        .read(|connection| {
            Ok::<_, StoreError>(connection.query_row(
                "SELECT count(*) FROM meta WHERE key = 'x'",
                [],
                |row| row.get(0),
            )?)
        })
        .unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn a_commit_that_fails_at_the_very_end_publishes_nothing() {
    let store = Store::open_in_memory().unwrap();
    publish(&store, "a").unwrap();
    let before = store.head();
    let failed = store.commit(|tx| {
        // Looked at only when everything is to be committed.
        tx.execute_batch(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO child VALUES (1);",
        )?;
        tx.publish(ProfileDeleted::new("never"));
        Ok::<_, StoreError>(())
    });
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    assert_eq!(store.head(), before);
    assert_eq!(events_after(&store, before), [] as [&str; 0]);
    publish(&store, "b").unwrap();
    assert_eq!(events_after(&store, before).len(), 1);
}

#[test]
fn a_panic_is_one_callers_own() {
    let store = Store::open_in_memory().unwrap();
    let before = store.head();
    let panicked: Result<(), StoreError> = store.commit(|tx| {
        tx.publish(ProfileDeleted::new("never"));
        panic!("on purpose");
    });
    assert!(matches!(panicked, Err(StoreError::Closed)));
    publish(&store, "work").unwrap();
    assert_eq!(events_after(&store, before).len(), 1);
}

#[test]
fn ring_and_journal_hold_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("clown.db"), &StoreSettings::default()).unwrap();
    let before = store.head();
    for number in 0..10 {
        publish(&store, &format!("p{number}")).unwrap();
    }
    let page = journal::page(&store, before, 100, usize::MAX).unwrap();
    let journaled = bus_slice_texts(page.segment.unwrap());
    assert_eq!(journaled, events_after(&store, before));
    assert_eq!(journaled.len(), 10);
}

fn bus_slice_texts(segment: crate::bus::Segment) -> Vec<String> {
    let slice = crate::bus::Slice::whole(Arc::new(segment));
    (0..slice.entries().len())
        .map(|index| String::from_utf8(slice.json(index, true).to_vec()).unwrap())
        .collect()
}

#[test]
fn numbers_go_on_rising_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clown.db");
    let open = || Store::open(&path, &StoreSettings::default()).unwrap();
    let store = open();
    publish(&store, "a").unwrap();
    let last = store.head();
    // As if the clock had been ahead: the next start must not fall back behind it.
    let ahead = last.to_sql() + 1_000_000_000;
    store
        .commit(move |tx| {
            tx.execute(
                "INSERT INTO journal (seq, at, type, body) VALUES (?1, 0, 'DaemonStarted', x'7b7d')",
                [ahead],
            )?;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.head(), Seq::from_sql(ahead));
    publish(&store, "b").unwrap();
    assert_eq!(store.head(), Seq::from_sql(ahead).next());
}

#[test]
fn waiting_work_is_committed_in_order_and_each_caller_hears_its_own() {
    let store = Arc::new(Store::open_in_memory().unwrap());
    let before = store.head();
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                for number in 0..100 {
                    let wanted = thread * 1_000 + number;
                    let got = store.commit(move |tx| {
                        tx.publish(DaemonStarted::new("0", wanted));
                        Ok::<_, StoreError>(wanted)
                    });
                    assert_eq!(got.unwrap(), wanted);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let events = events_after(&store, before);
    assert_eq!(events.len(), 800);
    let page = journal::page(&store, before, usize::MAX >> 1, usize::MAX).unwrap();
    assert_eq!(bus_slice_texts(page.segment.unwrap()), events);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clown.db");
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 999).unwrap();
    drop(newer);
    let error = Store::open(&path, &StoreSettings::default()).unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 999, .. }),
        "{error}"
    );
}

/// Opens a damaged file, and checks that it is set aside whole and a new one works.
fn check_set_aside(damage: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clown.db");
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    publish(&store, "a").unwrap();
    let before = store.head();
    drop(store);
    damage(&path);
    let damaged = std::fs::read(&path).unwrap();

    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    let aside = store.set_aside().unwrap().to_owned();
    assert_eq!(std::fs::read(&aside).unwrap(), damaged);
    publish(&store, "b").unwrap();
    assert!(store.head() > before, "a number was given twice");
    drop(store);
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    assert_eq!(store.set_aside(), None);
}

#[test]
fn a_file_that_is_no_database_is_set_aside() {
    check_set_aside(|path| std::fs::write(path, "not a database, but something").unwrap());
}

#[test]
fn a_database_with_damaged_pages_is_set_aside() {
    check_set_aside(|path| {
        let mut bytes = std::fs::read(path).unwrap();
        let page = 4_096;
        for byte in &mut bytes[page..] {
            *byte ^= 0x5a;
        }
        std::fs::write(path, bytes).unwrap();
    });
}

#[test]
fn a_suspect_database_is_looked_at_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clown.db");
    drop(Store::open(&path, &StoreSettings::default()).unwrap());
    damage::suspect(&path);
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    assert_eq!(store.set_aside(), None);
    assert_eq!(
        std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .contains("suspect")
            })
            .count(),
        0
    );
}

#[test]
fn a_database_that_cannot_be_written_is_told_until_it_can() {
    let store = Store::open_in_memory().unwrap();
    let limit = |pages: i64| {
        // As a full disk does, for the writer's own connection.
        store.commit(move |tx| {
            tx.pragma_update(None, "max_page_count", pages)?;
            Ok::<_, StoreError>(())
        })
    };
    store.check(true).unwrap();
    limit(1).unwrap();
    let before = store.head();
    let big = "x".repeat(200_000);
    let full = store.commit(move |tx| {
        tx.publish(ProfileDeleted::new(big));
        Ok::<_, StoreError>(())
    });
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
    assert_eq!(
        store.head(),
        before,
        "an event was published that is not committed"
    );
    assert_eq!(events_after(&store, before), [] as [&str; 0]);
    limit(1_000_000).unwrap();
    store.check(false).unwrap();
    publish(&store, "again").unwrap();
}

#[test]
fn a_resuming_client_starts_at_a_number_that_is_held() {
    let store = Store::open_in_memory().unwrap();
    publish(&store, "a").unwrap();
    let first = store.head();
    publish(&store, "b").unwrap();
    let second = store.head();
    let whole = journal::Extent {
        oldest: first,
        latest: second,
    };
    let check = |since: Seq, expected: journal::Start| {
        assert_eq!(journal::resume(&store, since).unwrap(), expected, "{since}");
    };
    check(Seq::START, journal::Start::After(Seq::START));
    check(first, journal::Start::After(first));
    check(second, journal::Start::After(second));
    check(second.next(), journal::Start::Gap(whole));
    check(Seq(1), journal::Start::Gap(whole));
}

#[test]
fn the_log_stays_bounded_while_many_commit_without_a_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clown.db");
    let store = Arc::new(Store::open(&path, &StoreSettings::default()).unwrap());
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                // 200 MiB in all.
                for _ in 0..100 {
                    let committed = store.commit(|tx| {
                        let text = "x".repeat(1 << 20);
                        tx.publish(DaemonStarted::new(text, 1));
                        Ok::<_, StoreError>(())
                    });
                    committed.unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let log = std::fs::metadata(folder.path().join("clown.db-wal")).unwrap();
    assert!(log.len() < 128 << 20, "the log has {} bytes", log.len());
    drop(store);
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    let events = store.read(|connection| {
        connection
            .query_row("SELECT count(*) FROM journal", [], |row| row.get(0))
            .map_err(StoreError::from)
    });
    assert_eq!(events.ok(), Some(200));
}

#[test]
fn a_damage_that_only_a_callers_work_meets_is_told_too() {
    #[derive(Debug)]
    struct Hidden;
    impl From<StoreError> for Hidden {
        fn from(_: StoreError) -> Self {
            Self
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clown.db");
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    let root: usize = store
        .read(|connection| {
            let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'usage_totals'";
            let root: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            Ok(usize::try_from(root).unwrap())
        })
        .unwrap();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * 4_096..root * 4_096].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    // The start looks at every table but the journal.
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    assert!(store.set_aside().is_some());

    let hidden = store.commit(|_| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        Err::<(), _>(StoreError::from(rusqlite::Error::SqliteFailure(code, None)))?;
        Ok::<_, Hidden>(())
    });
    assert!(hidden.is_err());
    let told = store.check(false);
    assert!(matches!(told, Err(StoreError::Corrupt(_))), "{told:?}");
}

#[test]
fn a_damage_that_a_reader_meets_is_told_at_once_and_healed_by_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clown.db");
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    for number in 0..200 {
        publish(&store, &format!("{number}-{}", "x".repeat(500))).unwrap();
    }
    drop(store);
    // A page in the middle of the journal, which no start looks at.
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 4_096 / 2 * 4_096;
    for byte in &mut bytes[middle..middle + 4_096] {
        *byte ^= 0x5a;
    }
    std::fs::write(&path, bytes).unwrap();

    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    assert_eq!(store.set_aside(), None, "the start has not seen it");
    store.check(false).unwrap();
    let read = journal::page(&store, Seq::START, 1_000, usize::MAX);
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    let told = store.check(false);
    assert!(matches!(told, Err(StoreError::Corrupt(_))), "{told:?}");
    drop(store);
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    let aside = store.set_aside().unwrap();
    assert!(aside.to_string_lossy().contains("damaged"), "{aside:?}");
    store.check(true).unwrap();
}
