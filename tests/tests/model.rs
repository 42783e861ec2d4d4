//! The snapshot and the stream fit together: whoever starts from `GET /api/v1/state` and follows
//! `/ws?since=<its seq>` knows what the daemon knows, whatever is written meanwhile.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{FakeAgent, World, wait_for};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

/// What events tell, rebuilt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    aliases: BTreeSet<String>,
    /// Alias and process of each run.
    running: BTreeSet<(String, u64)>,
    /// Version of each agent that is there.
    agents: BTreeMap<String, String>,
}

impl Model {
    fn of(state: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = |name: &str| state[name].as_array().unwrap().clone();
        Self {
            aliases: list("profiles")
                .iter()
                .map(|profile| text(&profile["alias"]))
                .collect(),
            running: list("runs")
                .iter()
                .filter(|run| run["state"] == "running")
                .map(|run| (text(&run["profile"]), run["pid"].as_u64().unwrap()))
                .collect(),
            agents: list("agents")
                .iter()
                .filter(|agent| agent["installed"] == true)
                .map(|agent| (text(&agent["id"]), text(&agent["version"])))
                .collect(),
        }
    }

    /// Takes in an event; one that cannot follow what is known is a gap or a double.
    fn apply(&mut self, event: &Value, runs: &mut BTreeMap<String, Vec<u64>>) {
        let data = &event["data"];
        let alias = || data["alias"].as_str().unwrap().to_owned();
        match event["type"].as_str().unwrap() {
            "ProfileCreated" => assert!(self.aliases.insert(alias()), "twice: {event}"),
            "ProfileDeleted" => assert!(self.aliases.remove(&alias()), "never there: {event}"),
            "ProfileUpdated" => assert!(self.aliases.contains(&alias()), "never there: {event}"),
            "ProfileStarted" => {
                let pid = data["pid"].as_u64().unwrap();
                assert!(self.running.insert((alias(), pid)), "twice: {event}");
                runs.entry(alias()).or_default().push(pid);
            }
            "ProfileStopped" => {
                // The event names no process: with one run an alias at a time it is that one.
                let pid = runs
                    .get_mut(&alias())
                    .and_then(Vec::pop)
                    .unwrap_or_else(|| panic!("never started: {event}"));
                assert!(
                    self.running.remove(&(alias(), pid)),
                    "never started: {event}"
                );
            }
            "AgentDetected" => {
                let (id, version) = (&data["id"], &data["version"]);
                self.agents.insert(
                    id.as_str().unwrap().to_owned(),
                    version.as_str().unwrap().to_owned(),
                );
            }
            "AgentUpdated" => {
                let id = data["id"].as_str().unwrap();
                let old = match data["new_version"].as_str() {
                    Some(new) => self.agents.insert(id.to_owned(), new.to_owned()),
                    None => self.agents.remove(id),
                };
                assert_eq!(old.as_deref(), data["old_version"].as_str(), "{event}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_snapshot_and_what_follows_it_rebuild_the_state_under_concurrent_writes() {
    let world = World::with_agent("exit 0");
    wait_for("the agent", || {
        let agent = world.get("/api/v1/agents/claude").json();
        (agent["installed"] == true).then_some(())
    });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (world, stop) = (&world, &stop);
        for writer in 0..3 {
            scope.spawn(move || write_profiles(world, stop, writer));
        }
        scope.spawn(move || {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let version = format!("1.0.{round}");
                world.install("claude", &version, FakeAgent::Script("exit 0"));
                wait_for("the upgrade", || {
                    let agent = world.get("/api/v1/agents/claude").json();
                    (agent["version"] == version || stop.load(Ordering::Relaxed)).then_some(())
                });
            }
        });
        scope.spawn(move || {
            world.create_profile("runner");
            while !stop.load(Ordering::Relaxed) {
                assert!(world.clown(&["run", "runner"]).status().unwrap().success());
            }
        });
        for _ in 0..12 {
            follow(world);
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Once more with nobody writing: the very end agrees too.
    follow(&world);
}

fn write_profiles(world: &World, stop: &AtomicBool, writer: usize) {
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let alias = format!("w{writer}-{}", round % 5);
        let path = format!("/api/v1/profiles/{alias}");
        let answer = match round / 5 % 3 {
            0 => world.send(
                "POST",
                "/api/v1/profiles",
                &json!({"alias": alias, "agent_id": "claude"}),
            ),
            1 => world.send("PATCH", &path, &json!({"model": format!("m{round}")})),
            _ => world.send("DELETE", &path, &Value::Null),
        };
        assert!(answer.status < 300, "{answer:?}");
    }
}

/// Takes a snapshot, follows the stream for a while, and compares with a later snapshot.
fn follow(world: &World) {
    let first = world.get("/api/v1/state").json();
    let mut model = Model::of(&first);
    let mut runs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (alias, pid) in &model.running {
        runs.entry(alias.clone()).or_default().push(*pid);
    }
    let mut stream = world.stream(&format!("?since={}", first["seq"]));
    let mut last = first["seq"].as_u64().unwrap();
    // Let some events go by before the second look.
    let until = std::time::Instant::now() + std::time::Duration::from_millis(150);
    wait_for("time to pass", || {
        (std::time::Instant::now() > until).then_some(())
    });
    let second = world.get("/api/v1/state").json();
    let goal = second["seq"].as_u64().unwrap();
    while last < goal {
        let event = stream.next_message();
        let seq = event["seq"].as_u64().unwrap();
        assert!(seq > last, "{seq} after {last}");
        last = seq;
        model.apply(&event, &mut runs);
    }
    assert_eq!(
        last, goal,
        "the snapshot names an event that the stream does not have"
    );
    assert_eq!(model, Model::of(&second));
}
