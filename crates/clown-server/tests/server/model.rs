//! The snapshot and the stream fit together for what no program outside starts: proxies and sums of
//! tokens. (The end-to-end tests do the same for profiles, runs and agents.)

use super::client::{Client, get};
use super::support::TestServer;
use clown_core::proxies::{Instance, Observed};
use clown_core::{Alias, Core};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What events tell, rebuilt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    /// Port and process of each running instance.
    proxies: BTreeMap<String, (u64, u64)>,
    /// Input, output, cache creation and read, and billionths of a dollar.
    used: BTreeMap<String, [i128; 5]>,
    /// Of which a part had no price.
    unpriced: BTreeSet<String>,
}

impl Model {
    fn of(state: &Value) -> Self {
        let mut model = Self::default();
        for proxy in state["proxies"].as_array().unwrap() {
            if proxy["state"] == "running" {
                let number = |name: &str| proxy[name].as_u64().unwrap();
                model
                    .proxies
                    .insert(text(&proxy["profile"]), (number("port"), number("pid")));
            }
        }
        for usage in state["usage"]["profiles"].as_array().unwrap() {
            model.use_up(usage);
        }
        model
    }

    fn use_up(&mut self, usage: &Value) {
        let tokens = |name: &str| i128::from(usage["tokens"][name].as_u64().unwrap_or(0));
        // Exact: amounts are small, and written with at most nine decimals.
        let nanos = (usage["cost"]["total_cost"].as_f64().unwrap() * 1e9).round();
        let more = [
            tokens("input_tokens"),
            tokens("output_tokens"),
            tokens("cache_creation_input_tokens"),
            tokens("cache_read_input_tokens"),
            nanos as i128,
        ];
        if usage["cost"]["unpriced"] == true {
            self.unpriced.insert(text(&usage["profile"]));
        }
        let sums = self.used.entry(text(&usage["profile"])).or_default();
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum += more;
        }
    }

    /// Takes in an event; one that cannot follow what is known is a gap or a double.
    fn apply(&mut self, event: &Value) {
        let data = &event["data"];
        match event["type"].as_str().unwrap() {
            "ProxyStarted" => {
                let number = |name: &str| data[name].as_u64().unwrap();
                let instance = (number("port"), number("pid"));
                let before = self.proxies.insert(text(&data["profile"]), instance);
                assert_eq!(before, None, "started twice: {event}");
            }
            "ProxyStopped" => {
                let before = self.proxies.remove(&text(&data["profile"]));
                assert!(before.is_some(), "never started: {event}");
            }
            "UsageUpdated" => self.use_up(data),
            other => assert_eq!(other, "ProxyError", "{event}"),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A repeatable choice.
struct Choice(u64);

impl Choice {
    fn below(&mut self, limit: u64) -> u64 {
        // Xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// As Claude Code writes down an answer.
fn use_tokens(homes: &Path, alias: &Alias, choice: &mut Choice, seed: u64) {
    let folder = homes.join(format!("{alias}/claude/projects/p"));
    std::fs::create_dir_all(&folder).unwrap();
    let model = ["claude-sonnet-4-5", "of-no-known-price"][choice.below(2) as usize];
    let line = serde_json::json!({
        "type": "assistant", "sessionId": "s", "cwd": "/p", "timestamp": "2026-03-01T10:00:00Z",
        "message": {"id": format!("msg_01{:020}", choice.below(1 << 60)), "model": model,
            "usage": {"input_tokens": choice.below(500), "output_tokens": choice.below(50) + 1,
                "cache_read_input_tokens": choice.below(3) * 1_000}},
    });
    let mut file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(folder.join(format!("{seed}.jsonl")))
        .unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Starts, adopts, kills and replaces instances, and uses tokens, at random.
fn write(core: &Core, homes: &Path, stop: &AtomicBool, seed: u64) {
    let mut choice = Choice(seed * 0x9e37_79b9 + 1);
    while !stop.load(Ordering::Relaxed) {
        let alias: Alias = format!("p{}", choice.below(4)).parse().unwrap();
        let observed = match choice.below(6) {
            0 | 1 => Observed::Accepts(Instance {
                pid: u32::try_from(choice.below(3) + 1).unwrap(),
                port: 8081,
            }),
            2 => Observed::Gone(i32::try_from(choice.below(256)).unwrap()),
            3 => Observed::Failed("all upstreams fail".to_owned()),
            _ => {
                use_tokens(homes, &alias, &mut choice, seed);
                core.usage.look().unwrap();
                continue;
            }
        };
        core.proxies.record(&alias, observed).unwrap();
    }
}

#[test]
fn a_snapshot_and_what_follows_it_rebuild_proxies_and_sums_under_concurrent_writes() {
    let server = TestServer::start();
    let stop = AtomicBool::new(false);
    let homes = server.folder.path().join("state/homes");
    thread::scope(|scope| {
        let (core, homes, stop) = (&server.core, &*homes, &stop);
        for seed in 1..=3 {
            scope.spawn(move || write(core, homes, stop, seed));
        }
        for _ in 0..12 {
            follow(&server);
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Once more with nobody writing: the very end agrees too.
    follow(&server);
}

/// Takes a snapshot, follows the stream for a while, and compares with a later snapshot.
fn follow(server: &TestServer) {
    let state = || -> Value {
        let answer = get(server.address, "/api/v1/state");
        assert_eq!(answer.status, 200);
        answer.json()
    };
    let first = state();
    let mut model = Model::of(&first);
    let mut last = first["seq"].as_u64().unwrap();
    let mut client = Client::open(server.address, &format!("/ws?since={last}"));
    // Let some events go by before the second look.
    let until = Instant::now() + Duration::from_millis(50);
    while Instant::now() < until {
        thread::yield_now();
    }
    let second = state();
    let goal = second["seq"].as_u64().unwrap();
    while last < goal {
        let event: Value = serde_json::from_str(&client.text()).unwrap();
        let seq = event["seq"].as_u64().unwrap();
        assert!(seq > last, "{seq} after {last}");
        last = seq;
        model.apply(&event);
    }
    assert_eq!(
        last, goal,
        "the snapshot names an event that the stream does not have"
    );
    assert_eq!(model, Model::of(&second));
}
