//! What lasts: a pin over damage, what is kept and what is not, and an end that the disk did not
//! take.

use super::*;

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
