//! Syncs against a server that is a map, with registries made by `build`.

mod lasting;

use super::*;
use crate::fetch::{Fetch, FetchError, FetchFailure, FetchRequest, FetchResponse};
use crate::store::{Store, StoreError};
use minisign::{KeyPair, SecretKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const URL: &str = "https://registry.example/r";

/// Serves the files of a folder.
#[derive(Debug)]
struct Server {
    folder: PathBuf,
    /// Answers of their own for some paths; None cuts the connection.
    odd: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
    asked: Mutex<Vec<String>>,
}

impl Fetch for Server {
    fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        let path = request.url.strip_prefix(URL).unwrap().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        let refused = |failure| Err(FetchError::new("registry.example", failure));
        let odd = self.odd.lock().unwrap().get(&path).cloned();
        let body = match odd {
            Some(None) => return refused(FetchFailure::CutShort { received: 1 }),
            Some(Some(body)) => Some(body),
            None => fs::read(self.folder.join(&path[1..])).ok(),
        };
        let Some(body) = body else {
            return Ok(FetchResponse {
                status: 404,
                headers: Vec::new(),
                body: Vec::new(),
            });
        };
        if body.len() as u64 > request.max_bytes {
            let limit = request.max_bytes;
            return refused(FetchFailure::TooLarge { limit });
        }
        let etag = format!("\"{}\"", Hash::of(&body).as_str());
        let same = request
            .headers
            .iter()
            .any(|(name, value)| name == "if-none-match" && *value == etag);
        Ok(FetchResponse {
            status: if same { 304 } else { 200 },
            headers: vec![("etag".to_owned(), etag)],
            body: if same { Vec::new() } else { body },
        })
    }
}

struct World {
    root: tempfile::TempDir,
    store: Arc<Store>,
    server: Arc<Server>,
    secret: SecretKey,
    key: VerifyingKey,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        Self {
            store: Arc::new(Store::open_in_memory().unwrap()),
            server: Arc::new(Server {
                folder: root.path().join("served"),
                odd: Mutex::default(),
                asked: Mutex::default(),
            }),
            key: VerifyingKey::parse(&pair.pk.to_base64()).unwrap(),
            secret: pair.sk,
            root,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Builds a channel of providers, each with its name, signed or not.
    fn build(&self, channel: &str, providers: &[(&str, &str)], signed: bool) -> Index {
        let source = self.path("source");
        let _ = fs::remove_dir_all(&source);
        fs::create_dir_all(source.join("providers")).unwrap();
        for (id, name) in providers {
            fs::write(
                source.join(format!("providers/{id}.toml")),
                provider(id, name),
            )
            .unwrap();
        }
        let signer = |bytes: &[u8], comment: &str| {
            Ok(minisign::sign(None, &self.secret, bytes, Some(comment), None)?.into_string())
        };
        let signer: &Signer<'_> = &signer;
        let built = build(&BuildRequest {
            folder: &source,
            out: &self.path("served"),
            channel: channel.parse().unwrap(),
            minimum_version: Version::parse("0.1.0").unwrap(),
            signer: signed.then_some(signer),
        });
        built.unwrap().index
    }

    fn settings(&self) -> RegistrySettings {
        RegistrySettings {
            address: Some(Address::parse(URL).unwrap()),
            ..RegistrySettings::default()
        }
    }

    fn open(&self, settings: RegistrySettings) -> Registry {
        let store = Arc::clone(&self.store);
        let server = Arc::clone(&self.server);
        Registry::open(store, &self.path("registry"), server, settings).unwrap()
    }

    /// All that was published, as type and data.
    fn events(&self) -> Vec<Value> {
        let read = self.store.read(|connection| {
            let mut rows = connection.prepare("SELECT body FROM journal ORDER BY seq")?;
            let bodies = rows.query_map([], |row| row.get(0))?;
            let bodies: Vec<Vec<u8>> = bodies.collect::<Result<_, _>>()?;
            Ok::<_, StoreError>(bodies)
        });
        let events = read.unwrap().into_iter().map(|body| {
            let event: Value = serde_json::from_slice(&body).unwrap();
            json!([event["type"], event["data"]])
        });
        events.collect()
    }

    /// The last two: how a sync began and ended.
    fn last_pair(&self) -> (Value, Value) {
        let events = self.events();
        let [.., began, ended] = events.as_slice() else {
            panic!("{events:?}");
        };
        (began.clone(), ended.clone())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.server.asked.lock().unwrap())
    }
}

fn provider(id: &str, name: &str) -> String {
    let url = match id {
        // One that is built in keeps its host.
        "openai" => "https://api.openai.com/v2",
        _ => "http://127.0.0.1:1/v1",
    };
    format!(
        "id = \"{id}\"\nname = \"{name}\"\n[[endpoints]]\nid = \"here\"\nurls = {{ openai-chat = \"{url}\" }}\n"
    )
}

/// The provider's name, as a catalogue over this registry has it.
fn name_of(registry: &Registry, id: &str) -> Option<String> {
    let catalog =
        crate::providers::load_over(&registry.active().layer(), Path::new("/nonexistent"));
    catalog.get(id).map(|manifest| manifest.name.clone())
}

fn sync(registry: &Registry) -> Result<Synced, Arc<RegistryError>> {
    registry.sync(&SyncRequest::default())
}

fn forced() -> SyncRequest {
    SyncRequest {
        force: true,
        ..SyncRequest::default()
    }
}

/// The sync fails, says this, and leaves what is in use.
#[track_caller]
fn check_refused(world: &World, registry: &Registry, parts: &[&str]) {
    let before = registry.status().unwrap();
    let error = sync(registry).unwrap_err().in_full();
    let (began, ended) = world.last_pair();
    assert_eq!(began[0], "RegistrySyncStarted");
    assert_eq!(ended[0], "RegistrySyncFailed");
    let told = ended[1]["error"].as_str().unwrap();
    assert!(told.starts_with(&error), "{told}\n{error}");
    assert!(told.contains("stays in use"), "{told}");
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    let after = registry.status().unwrap();
    assert_eq!(after.commit, before.commit);
    assert!(!after.is_syncing);
    assert_eq!(after.failure.unwrap().1, told);
}

#[test]
fn a_registry_comes_between_the_built_in_set_and_peoples_own() {
    let world = World::new();
    let registry = world.open(world.settings());
    let index = world.build("stable", &[("moon", "Moon"), ("openai", "Ours")], false);
    assert_eq!(name_of(&registry, "moon"), None);

    let synced = sync(&registry).unwrap();

    assert_eq!(synced.commit, index.commit);
    assert_eq!((synced.from_cache, synced.artifacts_downloaded), (false, 2));
    assert_eq!(
        world.last_pair(),
        (
            json!(["RegistrySyncStarted", {"channel": "stable", "force": false}]),
            json!(["RegistrySyncCompleted", {"channel": "stable", "commit": index.commit.as_str(),
                   "from_cache": false, "artifacts_downloaded": 2}])
        )
    );
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("Moon"));
    assert_eq!(name_of(&registry, "openai").as_deref(), Some("Ours"));
    assert_eq!(
        name_of(&registry, "anthropic").as_deref(),
        Some("Anthropic")
    );
    let own = world.path("providers.d");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("moon.toml"), provider("moon", "Mine")).unwrap();
    let catalog = crate::providers::load_over(&registry.active().layer(), &own);
    assert_eq!(catalog.get("moon").unwrap().name, "Mine");

    // Nothing has changed: one request, and nothing is fetched.
    world.asked();
    let again = sync(&registry).unwrap();
    assert_eq!((again.from_cache, again.artifacts_downloaded), (true, 0));
    assert_eq!(world.asked(), ["/stable/registry.json"]);

    // One has changed: only that is fetched.
    let next = world.build("stable", &[("moon", "Luna"), ("openai", "Ours")], false);
    let changed = sync(&registry).unwrap();
    assert_eq!(
        (changed.from_cache, changed.artifacts_downloaded),
        (false, 1)
    );
    assert_eq!(changed.commit, next.commit);
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("Luna"));
    let status = registry.status().unwrap();
    assert_eq!(status.signature, SignatureStatus::NotSigned);
    assert_eq!(status.counts[&Kind::Provider], 2);
    assert_eq!(status.kept.len(), 2);

    // What is in use is so after a restart, too; with another address it is not.
    drop(registry);
    let restarted = world.open(world.settings());
    assert_eq!(name_of(&restarted, "moon").as_deref(), Some("Luna"));
    drop(restarted);
    let elsewhere = world.open(RegistrySettings::default());
    assert_eq!(name_of(&elsewhere, "moon"), None);
    assert_eq!(
        elsewhere.status().unwrap().signature,
        SignatureStatus::BuiltIn
    );
}

#[test]
fn without_an_address_the_built_in_set_is_the_registry() {
    let world = World::new();
    let registry = world.open(RegistrySettings::default());
    let synced = sync(&registry).unwrap();
    assert_eq!((synced.from_cache, synced.artifacts_downloaded), (true, 0));
    assert_eq!(synced.commit, built_in::commit());
    assert_eq!(
        world.last_pair().1,
        json!(["RegistrySyncCompleted", {"channel": "stable", "commit": synced.commit.as_str(),
               "from_cache": true, "artifacts_downloaded": 0}])
    );
    assert!(world.asked().is_empty());
    let status = registry.status().unwrap();
    assert_eq!(status.commit, synced.commit);
    assert_eq!(status.counts[&Kind::Agent], crate::agents::built_in().len());
    assert!(matches!(
        *registry.pin("abcdef0").unwrap_err(),
        RegistryError::NoRegistry
    ));
    assert_eq!(registry.next_sync_in(0.5).unwrap(), None);
}

#[test]
fn only_what_is_signed_by_the_key_counts() {
    let world = World::new();
    let registry = world.open(RegistrySettings {
        key: Some(world.key.clone()),
        ..world.settings()
    });
    world.build("stable", &[("moon", "Moon")], false);
    check_refused(
        &world,
        &registry,
        &["registry.json.minisig", "registry.example", "sign it"],
    );

    let stable = world.build("stable", &[("moon", "Moon")], true);
    assert_eq!(sync(&registry).unwrap().commit, stable.commit);
    assert_eq!(
        registry.status().unwrap().signature,
        SignatureStatus::Verified
    );

    // Another channel's index, with its signature, under this channel's name.
    world.build("beta", &[("moon", "Beta")], true);
    let served = world.path("served");
    for file in ["registry.json", "registry.json.minisig"] {
        fs::copy(
            served.join("beta").join(file),
            served.join("stable").join(file),
        )
        .unwrap();
    }
    check_refused(&world, &registry, &["channel beta, not of channel stable"]);

    // Signed by somebody else, and changed behind the signature.
    let file = served.join("stable/registry.json");
    fs::remove_file(&file).unwrap();
    let other = World::new();
    other.build("stable", &[("moon", "Evil")], true);
    for name in ["registry.json", "registry.json.minisig"] {
        fs::copy(
            other.path("served/stable").join(name),
            served.join("stable").join(name),
        )
        .unwrap();
    }
    check_refused(&world, &registry, &["another key than registry.public_key"]);
    fs::remove_file(&file).unwrap();
    world.build("stable", &[("moon", "Luna")], true);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"moon\"", "\"noom\"")).unwrap();
    check_refused(&world, &registry, &["does not fit the index"]);

    // A good signature of another index's comment.
    let bytes = text.as_bytes();
    let comment = stable.trusted_comment();
    let signature = minisign::sign(None, &world.secret, bytes, Some(&comment), None).unwrap();
    fs::write(&file, bytes).unwrap();
    fs::write(
        served.join("stable/registry.json.minisig"),
        signature.into_string(),
    )
    .unwrap();
    check_refused(&world, &registry, &["about another index"]);

    // What is kept counts only under a key that has signed it.
    drop(registry);
    let rekeyed = world.open(RegistrySettings {
        key: Some(other.key),
        ..world.settings()
    });
    assert_eq!(name_of(&rekeyed, "moon"), None);
    let status = rekeyed.status().unwrap();
    assert_eq!(status.signature, SignatureStatus::BuiltIn);
    assert!(status.problem.unwrap().contains("another key"));
}

#[test]
fn an_older_index_is_taken_only_by_force() {
    let world = World::new();
    let registry = world.open(world.settings());
    let old = world.build("stable", &[("moon", "Old")], false);
    let file = world.path("served/stable/registry.json");
    let old_bytes = fs::read(&file).unwrap();
    sync(&registry).unwrap();
    let new = world.build("stable", &[("moon", "New")], false);
    assert!(new.serial > old.serial);
    sync(&registry).unwrap();

    fs::write(&file, &old_bytes).unwrap();
    check_refused(&world, &registry, &["older", "--force", "registry.example"]);
    let same = Index {
        serial: new.serial,
        ..old.clone()
    };
    fs::write(&file, same.to_json().unwrap()).unwrap();
    check_refused(&world, &registry, &["as one before"]);

    fs::write(&file, &old_bytes).unwrap();
    let synced = registry.sync(&forced()).unwrap();
    assert_eq!(synced.commit, old.commit);
    assert_eq!(synced.artifacts_downloaded, 1, "force fetches all anew");
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("Old"));
    let (began, _) = world.last_pair();
    assert_eq!(began[1], json!({"channel": "stable", "force": true}));
    assert!(sync(&registry).unwrap().from_cache);
}

#[test]
fn a_pin_stays_over_syncs() {
    let world = World::new();
    let registry = world.open(world.settings());
    let first = world.build("stable", &[("moon", "First")], false);
    sync(&registry).unwrap();
    assert_eq!(
        registry.pin(first.commit.short()).unwrap().commit,
        first.commit
    );
    let events = world.events().len();
    assert_eq!(
        events, 2,
        "it was in use already, so there is nothing to tell"
    );

    let second = world.build("stable", &[("moon", "Second")], false);
    let synced = sync(&registry).unwrap();
    assert_eq!(synced.commit, first.commit);
    assert_eq!((synced.from_cache, synced.artifacts_downloaded), (false, 1));
    assert!(synced.note.unwrap().contains(second.commit.short()));
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("First"));
    for name in ["3", "4", "5", "6"] {
        world.build("stable", &[("moon", name)], false);
        sync(&registry).unwrap();
    }
    assert_eq!(
        registry.status().unwrap().kept.len(),
        4,
        "three and the pin"
    );

    drop(registry);
    let registry = world.open(world.settings());
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("First"));
    assert_eq!(registry.status().unwrap().pin.as_ref(), Some(&first.commit));
    registry.unpin().unwrap();
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("6"));
    let (began, ended) = world.last_pair();
    assert_eq!(began[0], "RegistrySyncStarted");
    assert_eq!(ended[1]["from_cache"], true);

    // One that is no longer kept is fetched, by all of its digits.
    let error = registry.pin(second.commit.short()).unwrap_err().to_string();
    assert!(error.contains("40 digits"), "{error}");
    let pinned = registry.pin(second.commit.as_str()).unwrap();
    assert_eq!(pinned.artifacts_downloaded, 1);
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("Second"));
    let nowhere = "0".repeat(40);
    let error = registry.pin(&nowhere).unwrap_err().to_string();
    assert!(error.contains("does not have it"), "{error}");
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("Second"));
    for wrong in ["", "abc", "../../x", "ABCDEF0"] {
        let error = registry.pin(wrong).unwrap_err();
        assert!(matches!(*error, RegistryError::InvalidCommit(_)), "{wrong}");
    }
}

#[test]
fn what_is_wrong_is_refused_and_leaves_what_was() {
    let world = World::new();
    let registry = world.open(world.settings());
    check_refused(
        &world,
        &registry,
        &["there is nothing at https://registry.example", "built-in"],
    );
    world.build("stable", &[("moon", "Moon")], false);
    sync(&registry).unwrap();
    let index = world.build("stable", &[("moon", "Moon"), ("sun", "Sun")], false);
    let sun = &index.artifacts[1];
    let path = format!("/artifacts/{}", sun.sha256.as_str());
    let odd = |path: &str, answer: Option<Option<Vec<u8>>>, parts: &[&str]| {
        world.server.odd.lock().unwrap().clear();
        if let Some(answer) = answer {
            world
                .server
                .odd
                .lock()
                .unwrap()
                .insert(path.to_owned(), answer);
        }
        check_refused(&world, &registry, parts);
    };
    let size = usize::try_from(sun.size).unwrap();
    odd(
        &path,
        Some(Some(vec![b'x'; size])),
        &["provider sun", "its SHA-256 is"],
    );
    odd(&path, Some(Some(vec![b'x'; size - 1])), &["bytes, not"]);
    odd(
        &path,
        Some(Some(vec![b'x'; size + 1])),
        &["it is longer than"],
    );
    odd(
        &path,
        Some(None),
        &["registry.example", "before it was whole"],
    );
    let index_path = "/stable/registry.json";
    odd(
        index_path,
        Some(Some(b"<html>".to_vec())),
        &["no index of a registry"],
    );
    odd(
        index_path,
        Some(Some(vec![b' '; 5 << 20])),
        &["longer than 4194304 bytes"],
    );
    let text = index.to_json().unwrap();
    let with = |from: &str, to: &str| Some(Some(text.replace(from, to).into_bytes()));
    odd(
        index_path,
        with("\"sun\"", "\"../sun\""),
        &["../sun", "no good id"],
    );
    odd(
        index_path,
        with("\"0.1.0\"", "\"9.0.0\""),
        &["needs Clown 9.0.0", "update Clown"],
    );
    odd(
        index_path,
        with("\"format\": 1", "\"format\": 7"),
        &["format 7"],
    );

    // Nothing of that stayed behind.
    world.server.odd.lock().unwrap().clear();
    sync(&registry).unwrap();
    assert_eq!(name_of(&registry, "sun").as_deref(), Some("Sun"));
    let litter = fs::read_dir(world.path("registry/artifacts"))
        .unwrap()
        .count();
    assert_eq!(litter, 2);

    let plain = world.open(RegistrySettings {
        address: Some(Address::parse("http://registry.example/r").unwrap()),
        ..world.settings()
    });
    check_refused(
        &world,
        &plain,
        &["neither encrypted nor signed", "registry.public_key"],
    );
}

#[test]
fn a_manifest_that_is_too_new_is_left_out_with_a_problem() {
    let world = World::new();
    let registry = world.open(world.settings());
    let index = world.build("stable", &[("moon", "Moon"), ("sun", "Sun")], false);
    // As a later version would have written it.
    let content = provider("moon", "Moon") + "\n[later]\nx = 1\n";
    let mut index = index;
    index.artifacts[0].sha256 = Hash::of(content.as_bytes());
    index.artifacts[0].size = content.len() as u64;
    index.commit = Commit::of(index.artifacts.iter().map(|artifact| {
        let Artifact {
            kind,
            id,
            sha256,
            size,
        } = artifact;
        (kind.as_str(), id.as_str(), sha256.as_str(), *size)
    }));
    let served = world.path("served");
    let artifact = served
        .join("artifacts")
        .join(index.artifacts[0].sha256.as_str());
    fs::write(artifact, &content).unwrap();
    fs::write(
        served.join("stable/registry.json"),
        index.to_json().unwrap(),
    )
    .unwrap();

    sync(&registry).unwrap();

    assert_eq!(name_of(&registry, "sun").as_deref(), Some("Sun"));
    assert_eq!(name_of(&registry, "moon"), None);
    let layer = registry.active().layer();
    let [problem] = layer.problems() else {
        panic!("{:?}", layer.problems());
    };
    let told = problem.to_string();
    assert!(told.contains("providers/moon.toml"), "{told}");
    assert!(told.contains("later"), "{told}");
}

#[test]
fn what_is_lost_from_the_disk_is_noticed_and_fetched_again() {
    let world = World::new();
    let registry = world.open(world.settings());
    let index = world.build("stable", &[("moon", "Moon")], false);
    sync(&registry).unwrap();
    drop(registry);
    let file = world
        .path("registry/artifacts")
        .join(index.artifacts[0].sha256.as_str());
    fs::write(&file, "changed by hand").unwrap();

    let registry = world.open(world.settings());
    assert_eq!(name_of(&registry, "moon"), None);
    assert!(registry.problem().unwrap().contains("no longer whole"));
    let offline = SyncRequest {
        offline: true,
        ..SyncRequest::default()
    };
    let synced = registry.sync(&offline).unwrap();
    assert!(synced.note.unwrap().contains("built-in set"));
    assert_eq!(synced.commit, built_in::commit());

    let synced = sync(&registry).unwrap();
    assert_eq!(synced.artifacts_downloaded, 1);
    assert_eq!(name_of(&registry, "moon").as_deref(), Some("Moon"));
    assert_eq!(registry.problem(), None);
    world.asked();
    let synced = registry.sync(&offline).unwrap();
    assert!(synced.from_cache);
    assert_eq!(synced.commit, index.commit);
    assert!(world.asked().is_empty());
}

#[test]
fn another_channel_is_followed_until_the_configuration_says_otherwise() {
    let world = World::new();
    let registry = world.open(world.settings());
    world.build("stable", &[("moon", "Stable")], false);
    let beta = world.build("beta", &[("moon", "Beta")], false);
    sync(&registry).unwrap();
    let to_beta = SyncRequest {
        channel: Some("beta".parse().unwrap()),
        ..SyncRequest::default()
    };
    assert_eq!(registry.sync(&to_beta).unwrap().commit, beta.commit);
    assert_eq!(sync(&registry).unwrap().channel.as_str(), "beta");
    drop(registry);
    assert_eq!(
        name_of(&world.open(world.settings()), "moon").as_deref(),
        Some("Beta")
    );
    let reconfigured = world.open(RegistrySettings {
        channel: "nightly".parse().unwrap(),
        ..world.settings()
    });
    assert_eq!(name_of(&reconfigured, "moon"), None);
    drop(reconfigured);
    assert_eq!(
        name_of(&world.open(world.settings()), "moon").as_deref(),
        Some("Stable")
    );
}

#[test]
fn a_sync_that_a_crash_cut_off_is_told_to_have_failed() {
    let world = World::new();
    let registry = world.open(world.settings());
    registry
        .store_for_tests()
        .commit(|tx| {
            tx.execute("UPDATE registry SET syncing = 'stable'", [])?;
            tx.publish(clown_events::RegistrySyncStarted::new("stable", false));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    drop(registry);
    let registry = world.open(world.settings());
    assert!(registry.status().unwrap().is_syncing);
    registry.recover().unwrap();
    registry.recover().unwrap();
    assert_eq!(world.events().len(), 2);
    let (_, ended) = world.last_pair();
    assert_eq!(ended[0], "RegistrySyncFailed");
    let told = ended[1]["error"].as_str().unwrap();
    assert!(told.contains("daemon ended"), "{told}");
    assert!(!registry.status().unwrap().is_syncing);
}

#[test]
fn a_folder_is_as_good_as_a_server() {
    let world = World::new();
    let served = world.path("served");
    let registry = world.open(RegistrySettings {
        address: Some(Address::parse(served.to_str().unwrap()).unwrap()),
        ..RegistrySettings::default()
    });
    world.build("stable", &[("moon", "Moon")], false);
    assert_eq!(sync(&registry).unwrap().artifacts_downloaded, 1);
    assert!(sync(&registry).unwrap().from_cache);
    assert!(world.asked().is_empty());
}

#[test]
fn building_twice_changes_nothing_and_what_is_wrong_is_listed() {
    let world = World::new();
    let first = world.build("stable", &[("moon", "Moon")], true);
    assert_eq!(world.build("stable", &[("moon", "Moon")], true), first);
    let again = world.build("stable", &[("moon", "Luna")], true);
    assert!(again.serial > first.serial);
    assert_ne!(again.commit, first.commit);
    assert!(
        world
            .path("served/stable")
            .join(first.commit.as_str())
            .join("registry.json")
            .exists()
    );

    let source = world.path("bad");
    fs::create_dir_all(source.join("providers")).unwrap();
    fs::create_dir_all(source.join("agents")).unwrap();
    fs::create_dir_all(source.join("templates")).unwrap();
    fs::create_dir_all(source.join("prices")).unwrap();
    let request = || BuildRequest {
        folder: &source,
        out: Path::new("/nonexistent"),
        channel: Channel::stable(),
        minimum_version: Version::own(),
        signer: None,
    };
    assert!(matches!(build(&request()), Err(BuildError::Empty { .. })));
    fs::write(source.join("providers/moon.toml"), provider("sun", "Sun")).unwrap();
    fs::write(source.join("providers/bad.toml"), "id = 1\n").unwrap();
    fs::write(
        source.join("templates/t.toml"),
        "key = { command = \"x\" }\n",
    )
    .unwrap();
    fs::write(
        source.join("agents/sh.toml"),
        "id = \"sh\"\nname = \"S\"\nbinaries = [\"sh\"]\n[version]\nargs = [\"-c\", \"id\"]\npattern = '(x)'\n",
    )
    .unwrap();
    let price = "{\"m\": {\"input_cost_per_token\": 1e-6}}";
    fs::write(source.join("prices/2025.json"), price).unwrap();
    fs::write(source.join("prices/2025.toml"), price).unwrap();
    fs::write(source.join("prices/2026.json"), "{\n\"m\" 1}").unwrap();
    fs::write(source.join("prices/2027.toml"), "[m]\nprice = 1\n").unwrap();
    let error = build(&request()).unwrap_err().to_string();
    for part in [
        "2025.toml:1:1",
        "another file whose id is 2025",
        "2026.json:2:",
        "2027.toml",
        "no model in it has a price",
        "moon.toml:1:1",
        "listed as",
        "bad.toml:1:6",
        "t.toml",
        "`key`",
        "sh.toml",
        "`-c`",
    ] {
        let part = part.replace("listed as", "lists it as");
        assert!(error.contains(&part), "{part}: {error}");
    }
}
