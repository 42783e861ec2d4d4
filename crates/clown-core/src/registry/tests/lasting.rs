//! What lasts: a pin over damage, what is kept and what is not, and an end that the disk did not
//! take.

use super::*;
use std::collections::BTreeSet;

fn offline() -> SyncRequest {
    SyncRequest {
        offline: true,
        ..SyncRequest::default()
    }
}

/// The first commit pinned, a second one newest, and the first one's artifact damaged while no
/// daemon ran.
fn with_damaged_pin(world: &World) -> (Registry, Index, Index) {
    let registry = world.open(world.settings());
    let first = world.build("stable", &[("moon", "First")], false);
    sync(&registry).unwrap();
    registry.pin(first.commit.short()).unwrap();
    let second = world.build("stable", &[("moon", "Second")], false);
    sync(&registry).unwrap();
    drop(registry);
    fs::write(kept_artifact(world, &first), "changed by hand").unwrap();
    let registry = world.open(world.settings());
    assert_eq!(name_of(&registry, "moon"), None);
    (registry, first, second)
}

fn kept_artifact(world: &World, index: &Index) -> PathBuf {
    let name = index.artifacts[0].sha256.as_str();
    world.path("registry/artifacts").join(name)
}

#[test]
fn nothing_but_the_pin_is_used_while_it_is_pinned() {
    let world = World::new();
    let (registry, first, second) = with_damaged_pin(&world);

    let synced = registry.sync(&offline()).unwrap();
    assert_eq!(synced.commit, built_in::commit());
    assert_eq!((synced.previous, synced.from_cache), (None, true));
    let note = synced.note.unwrap();
    for part in [
        first.commit.short(),
        "pinned",
        "no longer whole",
        "built-in set is in use",
        "registry sync",
        "registry unpin",
    ] {
        assert!(note.contains(part), "{part}: {note}");
    }
    assert_eq!(name_of(&registry, "moon"), None);
    let status = registry.status().unwrap();
    assert_eq!(status.pin.as_ref(), Some(&first.commit));
    assert_eq!(status.active, None);
    assert!(status.problem.unwrap().contains("no longer whole"));

    // What comes back by itself is used without the network.
    world.asked();
    let whole = fs::read(
        world
            .path("served/artifacts")
            .join(kept_artifact(&world, &first).file_name().unwrap()),
    );
    fs::write(kept_artifact(&world, &first), whole.unwrap()).unwrap();
    let synced = registry.sync(&offline()).unwrap();
    assert_eq!(synced.commit, first.commit);
    assert_eq!(synced.previous, Some(built_in::commit()));
    assert_eq!(synced.note, None);
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("First"));
    assert_eq!(registry.status().unwrap().problem, None);
    assert!(world.asked().is_empty());
    let again = registry.sync(&offline()).unwrap();
    assert_eq!((again.previous, again.note), (None, None));

    assert_eq!(registry.unpin().unwrap().commit, second.commit);
}

#[test]
fn a_damaged_pin_is_got_again_from_its_own_channel() {
    let world = World::new();
    let (registry, first, _) = with_damaged_pin(&world);
    // Other channels do not have it; its own is asked.
    world.build("beta", &[("moon", "Beta")], false);
    let to_beta = SyncRequest {
        channel: Some("beta".parse().unwrap()),
        ..SyncRequest::default()
    };
    let synced = registry.sync(&to_beta).unwrap();
    assert_eq!(synced.commit, first.commit);
    assert_eq!(synced.artifacts_downloaded, 2);
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("First"));
}

#[test]
fn a_damaged_pin_that_nobody_has_any_more_is_given_up_by_hand_only() {
    let world = World::new();
    let (registry, first, newest) = with_damaged_pin(&world);
    let commit = world.path("served/stable").join(first.commit.as_str());
    fs::remove_dir_all(commit).unwrap();
    check_refused(&world, &registry, &["does not have it", "registry unpin"]);
    assert_eq!(name_of(&registry, "moon"), None);
    let synced = registry.unpin().unwrap();
    assert_eq!(synced.commit, newest.commit);
    assert_eq!(synced.previous, Some(built_in::commit()));
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("Second"));
}

/// Refuses the end of a sync, as a full disk does, or takes it again.
fn take_ends(registry: &Registry, taken: bool) {
    let sql = if taken {
        "DROP TRIGGER full"
    } else {
        "CREATE TRIGGER full BEFORE UPDATE ON registry
         WHEN OLD.syncing IS NOT NULL AND NEW.syncing IS NULL BEGIN SELECT RAISE(FAIL, 'no room'); END"
    };
    let done = registry.store_for_tests().commit(move |tx| {
        tx.execute(sql, [])?;
        Ok::<_, StoreError>(())
    });
    done.unwrap();
}

#[test]
fn an_end_that_cannot_be_recorded_is_known_at_once_and_told_when_it_can_be() {
    let world = World::new();
    let registry = world.open(world.settings());
    take_ends(&registry, false);
    let error = sync(&registry).unwrap_err().in_full();
    assert!(error.contains("there is nothing at"), "{error}");
    let status = registry.status().unwrap();
    assert!(!status.is_syncing);
    let (at, told) = status.failure.unwrap();
    for part in [error.as_str(), "built-in set stays in use", "no room"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(world.events().len(), 1, "only the beginning");

    take_ends(&registry, true);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while world.events().len() == 1 {
        assert!(std::time::Instant::now() < deadline, "it is never told");
        std::thread::yield_now();
    }
    let (began, ended) = world.last_pair();
    assert_eq!(began[0], "RegistrySyncStarted");
    let expected = format!("{error}; the built-in set stays in use");
    assert_eq!(ended, json!(["RegistrySyncFailed", {"error": expected}]));
    let status = registry.status().unwrap();
    assert!(!status.is_syncing);
    assert_eq!(status.failure, Some((at, expected)));

    // The next sync tells of it where it comes first, once.
    take_ends(&registry, false);
    sync(&registry).unwrap_err();
    registry.endings.stop();
    world.build("stable", &[("moon", "Moon")], false);
    take_ends(&registry, true);
    sync(&registry).unwrap();
    let told: Vec<Value> = world.events()[2..]
        .iter()
        .map(|event| event[0].clone())
        .collect();
    assert_eq!(
        told,
        [
            "RegistrySyncStarted",
            "RegistrySyncFailed",
            "RegistrySyncStarted",
            "RegistrySyncCompleted"
        ]
    );
    assert_eq!(registry.status().unwrap().failure, None);
}

/// What is in the registry's folders.
fn files_of(world: &World) -> (BTreeSet<String>, BTreeSet<String>) {
    let names = |folder: &str| {
        let entries = fs::read_dir(world.path(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    (names("registry/index"), names("registry/artifacts"))
}

/// Exactly these indices are kept, and exactly what they name.
#[track_caller]
fn check_kept(world: &World, registry: &Registry, kept: &[&Index]) {
    let commits: Vec<Commit> = kept.iter().map(|index| index.commit.clone()).collect();
    let status = registry.status().unwrap();
    let known: Vec<Commit> = status.kept.iter().map(|row| row.commit.clone()).collect();
    assert_eq!(known, commits);
    let (indices, artifacts) = files_of(world);
    let begins = |commit: &Commit, suffix: &str| {
        let name = |name: &&String| name.starts_with(commit.as_str()) && name.ends_with(suffix);
        indices.iter().filter(name).count()
    };
    for commit in &commits {
        assert_eq!(
            (begins(commit, ".json"), begins(commit, ".minisig")),
            (1, 1)
        );
    }
    assert_eq!(indices.len(), 2 * kept.len(), "{indices:?}");
    let named = kept.iter().flat_map(|index| &index.artifacts);
    let named: BTreeSet<String> = named.map(|a| a.sha256.as_str().to_owned()).collect();
    assert_eq!(artifacts, named);
}

#[test]
fn the_last_three_are_kept_and_the_pin_and_nothing_else() {
    let world = World::new();
    let settings = || RegistrySettings {
        key: Some(world.key.clone()),
        ..world.settings()
    };
    let registry = world.open(settings());
    // Each with something that all have, that the one before has, and of its own.
    let numbers: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    let build_and_sync = |number: usize| {
        let (this, before) = (&numbers[number], &numbers[number.saturating_sub(1)]);
        let providers = [("all", "All"), ("shared", before), ("own", this)];
        let index = world.build("stable", &providers, true);
        sync(&registry).unwrap();
        index
    };
    let first: Vec<Index> = (0..5).map(build_and_sync).collect();
    let [_, _, third, fourth, fifth] = first.as_slice() else {
        panic!("five were built");
    };
    check_kept(&world, &registry, &[fifth, fourth, third]);

    registry.pin(third.commit.as_str()).unwrap();
    let later: Vec<Index> = (5..10).map(build_and_sync).collect();
    let newest: Vec<&Index> = later.iter().rev().take(3).collect();
    check_kept(&world, &registry, &[newest[0], newest[1], newest[2], third]);
    assert_eq!(registry.status().unwrap().commit, third.commit);

    // Without the pin, it goes at once; nothing waits for the next sync with something new.
    registry.unpin().unwrap();
    check_kept(&world, &registry, &newest);

    // What a sync has fetched that failed goes with the next one, also where that has nothing new.
    let served = world.path("served");
    let backup = world.path("backup");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([&served, &backup])
        .status();
    assert!(copied.unwrap().success());
    let broken = world.build(
        "stable",
        &[("all", "Other"), ("sun", "Sun"), ("own", "X")],
        true,
    );
    let sun = broken
        .artifacts
        .iter()
        .find(|a| a.id.as_str() == "sun")
        .unwrap();
    fs::remove_file(served.join("artifacts").join(sun.sha256.as_str())).unwrap();
    check_refused(&world, &registry, &["there is nothing"]);
    assert!(files_of(&world).1.len() > 5, "something was fetched");
    fs::remove_dir_all(&served).unwrap();
    fs::rename(&backup, &served).unwrap();
    assert!(sync(&registry).unwrap().from_cache);
    check_kept(&world, &registry, &newest);
}

#[test]
fn a_sync_that_cannot_begin_is_not_tried_again_every_few_seconds() {
    let world = World::new();
    let registry = world.open(world.settings());
    let hours = || registry.next_sync_in(0.0).unwrap().unwrap().as_secs_f64() / 3_600.0;
    assert!(hours() < 1.0, "the first one is due");
    let say = |sql: &'static str| {
        let done = registry.store_for_tests().commit(move |tx| {
            tx.execute(sql, [])?;
            Ok::<_, StoreError>(())
        });
        done.unwrap();
    };
    say("CREATE TRIGGER full BEFORE UPDATE ON registry BEGIN SELECT RAISE(FAIL, 'no room'); END");
    sync(&registry).unwrap_err();
    assert!(world.events().is_empty());
    let failure = || registry.status().unwrap().failure.map(|(_, why)| why);
    assert!(failure().unwrap().contains("no room"), "{:?}", failure());
    assert!((2.9..3.1).contains(&hours()), "{}", hours());
    say("DROP TRIGGER full");
    world.build("stable", &[("moon", "Moon")], false);
    sync(&registry).unwrap();
    assert_eq!(failure(), None);
    assert!(hours() > 23.0, "{}", hours());
}
