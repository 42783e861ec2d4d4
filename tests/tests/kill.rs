//! `kill -9` of the daemon under load, again and again. What anyone saw stays, with its number and
//! bytes; what was acknowledged stays; a client that resumes gets everything once.
//!
//! `CLOWN_KILLS=2000 cargo test -p clown-tests --test kill -- --nocapture` for more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{Stream, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WRITERS: usize = 4;

/// One writer's own profile, and the last value of it that was acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    value: AtomicU64,
    /// Whether a request was under way when the daemon was killed.
    in_flight: AtomicBool,
}

fn kills() -> u64 {
    std::env::var("CLOWN_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200)
}

#[test]
fn nothing_that_was_seen_or_acknowledged_is_lost() {
    let mut world = World::with_agent("");
    for writer in 0..WRITERS {
        world.create_profile(&format!("w{writer}"));
    }
    let start = world.get("/api/v1/state").json()["seq"].as_u64().unwrap();
    let acknowledged: Vec<Acknowledged> = (0..WRITERS).map(|_| Acknowledged::default()).collect();
    // What one client saw over all its connections, each resumed where the one before ended.
    let mut seen: BTreeMap<u64, String> = BTreeMap::new();
    let mut last = start;
    let (mut hits, mut unheard) = (0, 0);
    for kill in 0..kills() {
        let address = world.address().to_owned();
        std::thread::scope(|scope| {
            for (writer, acknowledged) in acknowledged.iter().enumerate() {
                let address = &address;
                scope.spawn(move || write_until_killed(address, writer, acknowledged));
            }
            let stream = Stream::connect(&address, &format!("?since={last}"));
            // Between 5 and 60 ms, another one each time, the same in each run.
            let span = Duration::from_millis(5 + kill * 37 % 56);
            let reader = scope.spawn(move || read_until_killed(stream));
            let until = Instant::now() + span;
            while Instant::now() < until {
                std::thread::yield_now();
            }
            world.crash_daemon();
            for text in reader.join().unwrap() {
                let seq = seq_of(&text);
                assert!(seq > last, "{seq} after {last}");
                last = seq;
                seen.insert(seq, text);
            }
        });
        let any = acknowledged
            .iter()
            .filter(|acknowledged| acknowledged.in_flight.load(Ordering::Relaxed))
            .count();
        hits += u64::from(any > 0);
        world.start();
        unheard += check(&world, &acknowledged);
    }
    let mut stream = world.stream(&format!("?since={last}"));
    let goal = world.get("/api/v1/state").json()["seq"].as_u64().unwrap();
    while last < goal {
        let text = stream.next_text();
        last = seq_of(&text);
        seen.insert(last, text);
    }
    let journal = history(&world, start);
    let resumed: Vec<(u64, Value)> = seen
        .iter()
        .map(|(seq, text)| (*seq, serde_json::from_str(text).unwrap()))
        .collect();
    assert_eq!(
        resumed, journal,
        "the resuming client and the journal differ"
    );
    assert_eq!(texts(&world, start), seen, "the bytes differ");
    println!(
        "{} kills, {hits} of them with a request under way; {unheard} requests were committed and not \
         yet acknowledged; {} events",
        kills(),
        journal.len()
    );
    assert!(
        hits * 2 > kills(),
        "the load was too light to hit anything: {hits}"
    );
}

fn seq_of(text: &str) -> u64 {
    let value: Value = serde_json::from_str(text).unwrap();
    value["seq"].as_u64().unwrap()
}

/// Changes its own profile as fast as it is acknowledged.
fn write_until_killed(address: &str, writer: usize, acknowledged: &Acknowledged) {
    loop {
        let next = acknowledged.value.load(Ordering::Relaxed) + 1;
        let body = json!({"env": {"VALUE": next.to_string()}}).to_string();
        let request = format!(
            "PATCH /api/v1/profiles/w{writer} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let Ok(mut socket) = TcpStream::connect(address) else {
            return;
        };
        acknowledged.in_flight.store(true, Ordering::Relaxed);
        let mut answer = String::new();
        let done = socket.write_all(request.as_bytes()).is_ok()
            && socket.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200");
        if !done {
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 200"),
                "refused: {answer}"
            );
            return;
        }
        acknowledged.value.store(next, Ordering::Relaxed);
        acknowledged.in_flight.store(false, Ordering::Relaxed);
    }
}

fn read_until_killed(mut stream: Stream) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(text) = stream.try_next_text() {
        texts.push(text);
    }
    texts
}

/// What was acknowledged is there; the one request under way may be, too: how many are.
fn check(world: &World, acknowledged: &[Acknowledged]) -> u64 {
    let mut unheard = 0;
    for (writer, acknowledged) in acknowledged.iter().enumerate() {
        let profile = world.get(&format!("/api/v1/profiles/w{writer}")).json();
        let value: u64 = profile["env"]["VALUE"]
            .as_str()
            .unwrap_or("0")
            .parse()
            .unwrap();
        let known = acknowledged.value.load(Ordering::Relaxed);
        let possible = known + u64::from(acknowledged.in_flight.load(Ordering::Relaxed));
        assert!(
            (known..=possible).contains(&value),
            "w{writer}: {value}, acknowledged {known}"
        );
        unheard += value - known;
        acknowledged.value.store(value, Ordering::Relaxed);
        acknowledged.in_flight.store(false, Ordering::Relaxed);
    }
    unheard
}

fn history(world: &World, since: u64) -> Vec<(u64, Value)> {
    let mut events = Vec::new();
    let mut since = since;
    loop {
        let page = world
            .get(&format!("/api/v1/events?since={since}&limit=1000"))
            .json();
        let items = page["items"].as_array().unwrap();
        if items.is_empty() {
            return events;
        }
        events.extend(
            items
                .iter()
                .map(|item| (item["seq"].as_u64().unwrap(), item.clone())),
        );
        since = page["next"].as_u64().unwrap();
    }
}

/// The journal as a fresh client gets it, byte by byte.
fn texts(world: &World, since: u64) -> BTreeMap<u64, String> {
    let goal = world.get("/api/v1/state").json()["seq"].as_u64().unwrap();
    let mut stream = world.stream(&format!("?since={since}"));
    let mut texts = BTreeMap::new();
    let mut last = since;
    while last < goal {
        let text = stream.next_text();
        last = seq_of(&text);
        assert!(texts.insert(last, text).is_none(), "{last} twice");
    }
    texts
}
