mod secrecy;

use super::*;
use crate::Seq;
use crate::bus::Read;
use serde_json::{Map, Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// Accepts all agents but `nobody`.
#[derive(Debug)]
struct AnyAgent;

impl Rules for AnyAgent {
    fn fixed(&self) -> Arc<dyn Rules> {
        Arc::new(Self)
    }

    fn check(&self, definition: &Definition) -> Result<(), ProfileError> {
        if definition.agent_id == "nobody" {
            return Err(ProfileError::invalid(
                "agent_id",
                "there is no agent \"nobody\"",
            ));
        }
        Ok(())
    }

    fn model_in_effect(&self, definition: &Definition) -> String {
        definition
            .model
            .clone()
            .unwrap_or_else(|| "default".to_owned())
    }
}

struct World {
    _root: tempfile::TempDir,
    profiles: Arc<Profiles>,
    store: Arc<Store>,
    folder: PathBuf,
    cursor: Seq,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("state");
        fs::create_dir(&state).unwrap();
        let store = Arc::new(Store::open_in_memory().unwrap());
        let keys = Arc::new(KeyStore::open(&state, false).unwrap());
        let folder = root.path().join("config/profiles");
        let profiles = Arc::new(Profiles::new(
            Arc::clone(&store),
            Arc::new(AnyAgent),
            keys,
            folder.clone(),
            state.join("homes"),
        ));
        profiles.reconcile().unwrap();
        let cursor = store.head();
        Self {
            _root: root,
            profiles,
            store,
            folder,
            cursor,
        }
    }

    fn write(&self, alias: &str, content: &str) {
        fs::write(self.folder.join(format!("{alias}.toml")), content).unwrap();
    }

    fn read(&self, alias: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{alias}.toml"))).unwrap()
    }

    /// Type and data of each event since the last call.
    fn events(&mut self) -> Vec<(String, Value)> {
        let Read::Slices(slices) = self.store.bus().read_after(self.cursor, usize::MAX) else {
            panic!("behind the ring");
        };
        self.cursor = self.store.head();
        slices
            .iter()
            .flat_map(|slice| (0..slice.entries().len()).map(|index| slice.json(index, false)))
            .map(|json| {
                let mut envelope: Value = serde_json::from_slice(&json).unwrap();
                let kind = envelope["type"].as_str().unwrap().to_owned();
                (kind, envelope["data"].take())
            })
            .collect()
    }
}

fn alias(text: &str) -> Alias {
    text.parse().unwrap()
}

fn members(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn event(kind: &str, data: Value) -> (String, Value) {
    (kind.to_owned(), data)
}

const GOOD: &str = "agent_id = \"claude\"\nprovider_id = \"anthropic\"\nmodel = \"a\"\n";

#[test]
fn a_file_written_by_hand_is_created_changed_and_deleted_once() {
    let mut world = World::new();
    world.write("work", GOOD);
    world.profiles.reconcile().unwrap();
    world.profiles.reconcile().unwrap();
    assert_eq!(
        world.events(),
        [event(
            "ProfileCreated",
            json!({"alias": "work", "agent_id": "claude", "provider_id": "anthropic", "model": "a"})
        )]
    );

    world.write("work", &GOOD.replace("\"a\"", "\"b\""));
    world.profiles.reconcile().unwrap();
    world.write(
        "work",
        &format!("# only a comment\n{}", GOOD.replace("\"a\"", "\"b\"")),
    );
    world.profiles.reconcile().unwrap();
    assert_eq!(
        world.events(),
        [event(
            "ProfileUpdated",
            json!({"alias": "work", "changes": ["model"]})
        )]
    );

    fs::remove_file(world.folder.join("work.toml")).unwrap();
    world.profiles.reconcile().unwrap();
    world.profiles.reconcile().unwrap();
    assert_eq!(
        world.events(),
        [event("ProfileDeleted", json!({"alias": "work"}))]
    );
}

#[test]
fn a_broken_file_keeps_the_last_good_definition_and_its_bytes() {
    let mut world = World::new();
    world.write("work", GOOD);
    world.profiles.reconcile().unwrap();
    world.events();
    let broken = "agent_id = \"claude\"\nmodel = \n";
    world.write("work", broken);
    world.profiles.reconcile().unwrap();

    let work = alias("work");
    let profile = world.profiles.get(&work).unwrap();
    assert_eq!(profile.published.definition.model.as_deref(), Some("a"));
    let fault = profile.fault.unwrap();
    assert_eq!(fault.place.map(|(line, _)| line), Some(2), "{fault}");
    assert!(fault.to_string().contains("work.toml:2:"), "{fault}");

    let refusals = [
        world
            .profiles
            .patch(&work, members(json!({"model": "c"})))
            .map(drop),
        world.profiles.delete(&work, false),
        world
            .profiles
            .create(&work, members(json!({"agent_id": "x"})))
            .map(drop),
        world.profiles.with_runnable(&work, |_| Ok(())),
    ];
    for refusal in &refusals[..2] {
        assert!(
            matches!(refusal, Err(ProfileError::Broken { .. })),
            "{refusal:?}"
        );
    }
    assert!(matches!(refusals[2], Err(ProfileError::Exists(_))));
    assert!(matches!(refusals[3], Err(ProfileError::Broken { .. })));
    assert_eq!(world.read("work"), broken);
    assert_eq!(world.events(), []);

    world.write("work", GOOD);
    world.profiles.reconcile().unwrap();
    assert!(world.profiles.get(&work).unwrap().fault.is_none());
    assert_eq!(world.events(), []);
}

#[test]
fn a_missing_folder_is_an_error_and_deletes_nothing() {
    let mut world = World::new();
    for number in 0..300 {
        world.write(&format!("p{number}"), GOOD);
    }
    world.profiles.reconcile().unwrap();
    assert_eq!(world.events().len(), 300);

    let away = world.folder.with_extension("away");
    fs::rename(&world.folder, &away).unwrap();
    assert!(matches!(
        world.profiles.reconcile(),
        Err(ProfileError::FolderMissing { .. })
    ));
    assert!(matches!(
        world
            .profiles
            .create(&alias("new"), members(json!({"agent_id": "x"}))),
        Err(ProfileError::FolderMissing { .. })
    ));
    assert!(!world.folder.exists());
    assert_eq!(world.profiles.faults().len(), 1);
    fs::rename(&away, &world.folder).unwrap();
    world.profiles.reconcile().unwrap();
    assert_eq!(world.profiles.list().unwrap().len(), 300);
    assert_eq!(world.events(), []);
    assert_eq!(world.profiles.faults(), []);
}

#[test]
fn a_request_writes_the_file_and_keeps_what_a_person_wrote() {
    let mut world = World::new();
    let work = alias("work");
    world
        .profiles
        .create(
            &work,
            members(json!({"agent_id": "claude", "provider_id": "anthropic"})),
        )
        .unwrap();
    assert_eq!(
        world.read("work"),
        "agent_id = \"claude\"\nprovider_id = \"anthropic\"\n"
    );
    let again = world
        .profiles
        .create(&work, members(json!({"agent_id": "claude"})));
    assert!(matches!(again, Err(ProfileError::Exists(_))));

    world.write(
        "work",
        "# mine\nagent_id = \"claude\"\nprovider_id = \"anthropic\" # ours\n",
    );
    world
        .profiles
        .patch(
            &work,
            members(json!({"model": "b", "hooks_config": {"Stop": []}})),
        )
        .unwrap();
    let text = world.read("work");
    assert!(
        text.starts_with("# mine\n") && text.contains("# ours\nmodel = \"b\""),
        "{text}"
    );
    world
        .profiles
        .patch(&work, members(json!({"model": "b"})))
        .unwrap();
    world.profiles.reconcile().unwrap();
    assert_eq!(
        world.events(),
        [
            event(
                "ProfileCreated",
                json!({"alias": "work", "agent_id": "claude", "provider_id": "anthropic", "model": "default"})
            ),
            event(
                "ProfileUpdated",
                json!({"alias": "work", "changes": ["model", "hooks_config"]})
            ),
        ]
    );

    world.profiles.delete(&work, false).unwrap();
    world.profiles.reconcile().unwrap();
    assert_eq!(
        world.events(),
        [event("ProfileDeleted", json!({"alias": "work"}))]
    );
    assert_eq!(fs::read_dir(&world.folder).unwrap().count(), 0);
    assert!(matches!(
        world.profiles.delete(&work, false),
        Err(ProfileError::NotFound(_))
    ));
}

#[test]
fn a_request_tells_of_a_change_by_hand_before_its_own() {
    let mut world = World::new();
    world.write("work", GOOD);
    world.profiles.reconcile().unwrap();
    world.events();
    world.write("work", &format!("{GOOD}args = [\"-x\"]\n"));
    world
        .profiles
        .patch(&alias("work"), members(json!({"model": "b"})))
        .unwrap();
    assert_eq!(
        world.events(),
        [
            event(
                "ProfileUpdated",
                json!({"alias": "work", "changes": ["args"]})
            ),
            event(
                "ProfileUpdated",
                json!({"alias": "work", "changes": ["model"]})
            ),
        ]
    );
}

#[test]
fn a_running_profile_is_not_deleted() {
    let mut world = World::new();
    world.write("work", GOOD);
    world.profiles.reconcile().unwrap();
    world.events();
    world
        .store
        .commit(|tx| {
            tx.execute(
                "INSERT INTO runs (id, profile, state, cli_pid, cli_start, boot, prepared_at)
                 VALUES ('r', 'work', 'running', 1, 1, '', 0)",
                [],
            )?;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let refused = world.profiles.delete(&alias("work"), false);
    assert!(
        matches!(refused, Err(ProfileError::Running { runs: 1, .. })),
        "{refused:?}"
    );
    assert_eq!(world.read("work"), GOOD);
    assert_eq!(world.events(), []);
}

#[test]
fn a_stored_key_stands_nowhere_but_in_the_store() {
    let world = World::new();
    let work = alias("work");
    let profile = world
        .profiles
        .create(
            &work,
            members(json!({"agent_id": "claude", "key": {"value": "s3cret"}})),
        )
        .unwrap();
    assert!(
        world.read("work").contains("key = { store = \"work\" }"),
        "{}",
        world.read("work")
    );
    assert!(!world.read("work").contains("s3cret"));
    assert!(!format!("{profile:?}").contains("s3cret"));
    assert!(world.profiles.keys.get(&work).unwrap().is_some());
    world.profiles.delete(&work, false).unwrap();
    assert!(world.profiles.keys.get(&work).unwrap().is_none());
}

#[test]
fn a_refused_definition_changes_nothing() {
    let mut world = World::new();
    let refused = world.profiles.create(
        &alias("work"),
        members(json!({"agent_id": "nobody", "key": {"value": "k"}})),
    );
    assert!(
        matches!(refused, Err(ProfileError::Invalid { .. })),
        "{refused:?}"
    );
    assert!(!world.folder.join("work.toml").exists());
    assert!(world.profiles.keys.get(&alias("work")).unwrap().is_none());
    assert_eq!(world.events(), []);
}

#[test]
fn concurrent_patches_are_each_told() {
    let mut world = World::new();
    let work = alias("work");
    world
        .profiles
        .create(&work, members(json!({"agent_id": "claude"})))
        .unwrap();
    world.events();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let profiles = Arc::clone(&world.profiles);
            std::thread::spawn(move || {
                let patch = json!({"env": {format!("V{number}"): "1"}});
                profiles.patch(&alias("work"), members(patch)).unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(world.events().len(), 8);
    let profile = world.profiles.get(&work).unwrap();
    assert_eq!(profile.published.definition.env.len(), 8);
}

#[test]
fn an_edit_by_hand_at_the_moment_of_a_request_is_not_lost() {
    let world = World::new();
    let work = alias("work");
    world.write("work", GOOD);
    world.profiles.reconcile().unwrap();
    let file = world.folder.join("work.toml");
    for number in 0..40 {
        let profiles = Arc::clone(&world.profiles);
        let patch = std::thread::spawn(move || {
            let patch = members(json!({"env": {"REQUEST": number.to_string()}}));
            profiles.patch(&alias("work"), patch)
        });
        // Somewhere in the request's way, another place each time.
        std::thread::sleep(Duration::from_micros(number * 150));
        let edited = format!("# edit {number}\n{}", world.read("work"));
        let beside = world.folder.join("work.new");
        fs::write(&beside, edited).unwrap();
        fs::rename(&beside, &file).unwrap();
        patch.join().unwrap().unwrap();
        world.profiles.reconcile().unwrap();
        let text = world.read("work");
        assert!(text.contains(&format!("# edit {number}\n")), "{text}");
    }
    assert!(world.profiles.get(&work).unwrap().fault.is_none());
}

#[test]
fn what_a_killed_daemon_left_is_cleared_away() {
    let world = World::new();
    for name in ["kept", "gone"] {
        world
            .profiles
            .create(
                &alias(name),
                members(json!({"agent_id": "claude", "key": {"value": "k"}})),
            )
            .unwrap();
    }
    // Killed while it deleted one profile, before the commit; and another one, right after it.
    fs::rename(
        world.folder.join("kept.toml"),
        world.folder.join(".kept.toml.removed"),
    )
    .unwrap();
    fs::rename(
        world.folder.join("gone.toml"),
        world.folder.join(".gone.toml.removed"),
    )
    .unwrap();
    fs::write(world.folder.join(".clown-abc.tmp"), "").unwrap();
    let gone = alias("gone");
    world
        .store
        .commit(move |tx| {
            rows::doubt_key(tx, &gone)?;
            reconcile::delete(tx, &gone)
        })
        .unwrap();

    world.profiles.clear_litter().unwrap();
    world.profiles.reconcile().unwrap();
    assert!(world.profiles.get(&alias("kept")).is_ok());
    assert!(world.profiles.keys.get(&alias("kept")).unwrap().is_some());
    assert!(world.profiles.keys.get(&alias("gone")).unwrap().is_none());
    let left: Vec<_> = fs::read_dir(&world.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["kept.toml"]);
}

#[test]
fn a_file_that_could_not_be_read_again_is_not_written() {
    let world = World::new();
    let work = alias("work");
    let long = "a".repeat(700_000);
    world
        .profiles
        .create(&work, members(json!({"agent_id": "claude", "model": long})))
        .unwrap();
    let refused = world
        .profiles
        .patch(&work, members(json!({"env": {"A": long}})));
    assert!(matches!(refused, Err(ProfileError::Invalid { .. })));
    assert!(world.profiles.get(&work).unwrap().fault.is_none());
}

/// Waits until `wanted` events have come, and a while longer than a change needs to count.
fn watched_events(world: &mut World, wanted: usize) -> Vec<(String, Value)> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut events = Vec::new();
    while events.len() < wanted && Instant::now() < deadline {
        events.extend(world.events());
        std::thread::sleep(Duration::from_millis(5));
    }
    world.profiles.reconcile().unwrap();
    events.extend(world.events());
    events
}

#[test]
fn each_editors_way_of_saving_is_one_change() {
    let mut world = World::new();
    world.write("work", GOOD);
    world.profiles.reconcile().unwrap();
    world.events();
    let watching = world.profiles.watch().unwrap();
    let file = world.folder.join("work.toml");
    type Save = fn(&Path, &str);
    let ways: [(&str, Save); 4] = [
        ("in place", |file, text| fs::write(file, text).unwrap()),
        ("truncate, wait, write", |file, text| {
            fs::write(file, "").unwrap();
            std::thread::sleep(Duration::from_millis(30));
            fs::write(file, text).unwrap();
        }),
        ("rename away and create", |file, text| {
            let backup = file.with_extension("toml~");
            fs::rename(file, &backup).unwrap();
            std::thread::sleep(Duration::from_millis(30));
            fs::write(file, text).unwrap();
            fs::remove_file(&backup).unwrap();
        }),
        ("write beside and rename over", |file, text| {
            let beside = file.with_file_name("sedXYZ");
            fs::write(&beside, text).unwrap();
            fs::rename(&beside, file).unwrap();
        }),
    ];
    for (number, (way, save)) in ways.into_iter().enumerate() {
        save(&file, &GOOD.replace("\"a\"", &format!("\"m{number}\"")));
        assert_eq!(
            watched_events(&mut world, 1),
            [event(
                "ProfileUpdated",
                json!({"alias": "work", "changes": ["model"]})
            )],
            "{way}"
        );
    }
    drop(watching);
}

#[test]
fn the_watcher_follows_a_folder_that_is_moved_away_and_back() {
    let mut world = World::new();
    world.write("work", GOOD);
    world.profiles.reconcile().unwrap();
    world.events();
    let watching = world.profiles.watch().unwrap();
    let away = world.folder.with_extension("away");
    fs::rename(&world.folder, &away).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.profiles.faults().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(world.profiles.faults().len(), 1);
    fs::rename(&away, &world.folder).unwrap();
    world.write("second", GOOD);
    let events = watched_events(&mut world, 1);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].1["alias"], "second");
    drop(watching);
}
