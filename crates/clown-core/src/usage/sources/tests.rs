//! Fixtures, put into a home and counted.

use super::super::ledger;
use super::super::record::Counts;
use super::super::tests::World;
use super::{Context, Memory, Read, of};
use crate::agents::UsageForm;
use crate::usage::batch::{Batch, Scope};
use proptest::prelude::*;
use rusqlite::Connection;
use std::fs;
use std::path::Path;

/// The home of the profile that tests count for.
pub(super) const HOME: &str = "homes/work";

/// What `name` in the folder of fixtures holds.
pub(super) fn fixture(name: &str) -> String {
    String::from_utf8(bytes_of_fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(super) fn bytes_of_fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/usage/sources/fixtures");
    fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Puts a fixture into the home: one of SQL becomes a database.
pub(super) fn put(world: &World, name: &str, path: &str) {
    let path = format!("{HOME}/{path}");
    if name.ends_with(".sql") {
        world.write(&path, "");
        let connection = Connection::open(world.folder.path().join(&path)).unwrap();
        connection.execute_batch(&fixture(name)).unwrap();
    } else {
        world.write(&path, &fixture(name));
    }
}

/// Looks, and gives the number of answers and the sum of each kind: input, output, written to caches
/// for a short time and for an hour, read from them.
pub(super) fn look(world: &World) -> (i64, [i64; Counts::KINDS]) {
    world.usage.look().unwrap();
    let sums = world.sums();
    let told = world.told("work");
    let [input, output, write, hour, read] = sums.1;
    assert_eq!(
        [
            told.input_tokens,
            told.output_tokens,
            told.cache_creation_input_tokens,
            told.cache_read_input_tokens
        ]
        .map(|count| count as i64),
        [input, output, write + hour, read],
        "told as counted"
    );
    sums
}

/// Fixtures at their places count for `expected`, again and again, and however they come to be there.
pub(super) fn check(files: &[(&str, &str)], expected: (i64, [i64; Counts::KINDS])) {
    let mut world = World::new();
    for (name, path) in files {
        put(&world, name, path);
    }
    assert_eq!(look(&world), expected, "{files:?}");
    world.restart();
    for (name, path) in files {
        if !name.ends_with(".sql") {
            // The same again, as a new file.
            fs::remove_file(world.folder.path().join(HOME).join(path)).unwrap();
            put(&world, name, path);
        }
    }
    assert_eq!(look(&world), expected, "{files:?} once more");
    let world = World::new();
    for (name, path) in files {
        if name.ends_with(".sql") {
            put(&world, name, path);
            continue;
        }
        // As it is written: in pieces that end anywhere.
        let content = fixture(name);
        for cut in [3, 2] {
            let part = &content.as_bytes()[..content.len() / cut];
            world.write(
                &format!("{HOME}/{path}"),
                std::str::from_utf8(part).expect("fixtures are plain text"),
            );
            look(&world);
        }
        let rest = &content[content.len() / 2..];
        world.append(&format!("{HOME}/{path}"), rest);
    }
    assert_eq!(look(&world), expected, "{files:?} in pieces");
}

/// The models that were counted, and whether by a faster service, in alphabetical order.
pub(super) fn models(world: &World) -> Vec<(String, bool)> {
    let series = world
        .store
        .read(|connection| ledger::series_from(connection, 0));
    let mut models: Vec<_> = series
        .unwrap()
        .into_iter()
        .map(|(_, _, model, tier)| (model, tier.is_fast()))
        .collect();
    models.sort();
    models.dedup();
    models
}

/// Sessions and their projects, in alphabetical order.
pub(super) fn sessions(world: &World) -> Vec<(String, String)> {
    let series = world
        .store
        .read(|connection| ledger::series_from(connection, 0));
    let mut sessions: Vec<_> = series
        .unwrap()
        .into_iter()
        .map(|(_, origin, ..)| (origin.session, origin.project))
        .collect();
    sessions.sort();
    sessions.dedup();
    sessions
}

/// The quarters of an hour that answers are of, since 1970.
pub(super) fn quarters(world: &World) -> Vec<i64> {
    let cells = world.store.read(ledger::cells).unwrap();
    cells.into_iter().map(|cell| cell.quarter).collect()
}

const FORMS: &[(UsageForm, &str)] = &[
    (UsageForm::Opencode, "s.json"),
    (UsageForm::Droid, "s.settings.json"),
    (UsageForm::Claude, "s.jsonl"),
    (UsageForm::Codex, "s.jsonl"),
    (UsageForm::Gemini, "s.jsonl"),
    (UsageForm::Gemini, "s.json"),
    (UsageForm::Qwen, "s.jsonl"),
    (UsageForm::Copilot, "s.jsonl"),
    (UsageForm::Kimi, "session/agents/main/wire.jsonl"),
    (UsageForm::Pi, "s.jsonl"),
    (UsageForm::Proxy, "spool.jsonl"),
    (UsageForm::Grok, "usage.json"),
    (UsageForm::Amp, "T-1.json"),
];

fn read(form: UsageForm, path: &Path, content: &[u8]) -> Batch {
    let mut batch = Batch::default();
    let mut memory = Memory::default();
    let mut context = Context {
        path,
        memory: &mut memory,
        batch: &mut batch,
        scope: &Scope::default(),
        proxied: None,
    };
    match of(form, path) {
        Read::Lines { line, .. } | Read::Compressed(line) => {
            for text in content.split(|byte| *byte == b'\n') {
                line(text, &mut context);
            }
        }
        Read::Whole(take) => drop(take(content, &mut context)),
        Read::Database(_) => panic!("{form:?} reads no text at {}", path.display()),
    }
    batch
}

/// Every fixture, with the form and the place that its name fits.
fn texts() -> Vec<(UsageForm, &'static str, Vec<u8>)> {
    let mut texts = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/usage/sources/fixtures");
    for (form, path) in FORMS {
        let name = format!("{form:?}").to_lowercase();
        let Ok(entries) = fs::read_dir(folder.join(name)) else {
            continue;
        };
        for entry in entries {
            let file = entry.unwrap().path();
            if file.extension() == Path::new(path).extension() {
                texts.push((*form, *path, fs::read(file).unwrap()));
            }
        }
    }
    texts
}

proptest! {
    #[test]
    fn no_bytes_make_a_source_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for (form, path) in FORMS {
            prop_assert_eq!(read(*form, Path::new(path), &bytes).len(), 0);
        }
    }

    #[test]
    fn no_change_of_a_log_makes_a_source_panic(at in 0.0..1.0_f64, byte in any::<u8>(), cut in any::<bool>()) {
        for (form, path, mut content) in texts() {
            let at = (content.len() as f64 * at) as usize;
            if cut {
                content.truncate(at);
            } else if let Some(place) = content.get_mut(at) {
                *place = byte;
            }
            read(form, Path::new(path), &content);
        }
    }
}
