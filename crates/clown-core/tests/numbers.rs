//! No number is given twice, whatever happens to the database.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_core::Seq;
use clown_core::journal::{self, Start};
use clown_core::store::{Store, StoreError, StoreSettings};
use clown_events::ProfileDeleted;
use std::fs;
use std::path::Path;

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("clown.db"), &StoreSettings::default()).unwrap()
}

fn publish(store: &Store, count: usize) -> Seq {
    store
        .commit(move |tx| {
            for _ in 0..count {
                tx.publish(ProfileDeleted::new("work"));
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    store.head()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_deleted_folder_does_not_start_again_and_an_old_place_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let old = publish(&store, 10);
    drop(store);
    for entry in fs::read_dir(folder.path()).unwrap().flatten() {
        fs::remove_file(entry.path()).unwrap();
    }
    let store = open(folder.path());
    let new = publish(&store, 1);
    assert!(new > old, "{new} after {old}");
    assert!(matches!(
        journal::resume(&store, old).unwrap(),
        Start::Gap(_)
    ));
}

#[test]
fn a_restored_backup_or_a_lost_write_does_not_give_a_number_again() {
    let folder = tempfile::tempdir().unwrap();
    let (live, backup) = (folder.path().join("live"), folder.path().join("backup"));
    fs::create_dir(&live).unwrap();
    let store = open(&live);
    let kept = publish(&store, 5);
    drop(store);
    copy(&live, &backup);
    let store = open(&live);
    let lost = publish(&store, 5);
    drop(store);

    fs::remove_dir_all(&live).unwrap();
    copy(&backup, &live);
    let store = open(&live);
    assert_eq!(store.head(), kept);
    let new = publish(&store, 5);
    assert!(new.0 - 4 > lost.0, "{new} is not beyond {lost}");
    assert_eq!(journal::resume(&store, kept).unwrap(), Start::After(kept));
    assert!(matches!(
        journal::resume(&store, lost).unwrap(),
        Start::Gap(_)
    ));
}

#[test]
fn a_burst_of_a_million_does_not_catch_up_with_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut last = Seq::START;
    for _ in 0..100 {
        let next = publish(&store, 10_000);
        assert!(next.0 >= last.0 + 10_000);
        last = next;
    }
    drop(store);
    let store = open(folder.path());
    let next = publish(&store, 1);
    assert!(next > last, "{next} after {last}");
    drop(store);
    // The worst case: the database is lost right after the burst.
    fs::remove_file(folder.path().join("clown.db")).unwrap();
    let fresh = publish(&open(folder.path()), 1);
    assert!(
        fresh > next,
        "{fresh} after {next}: the burst was faster than an event a microsecond"
    );
}
