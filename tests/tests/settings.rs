//! What `config.toml` says is what the daemon does.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]

use clown_tests::{Stream, World, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

fn world(config: &str) -> World {
    let mut world = World::new();
    fs::write(world.path("config/config.toml"), config).unwrap();
    world.start();
    world
}

/// Sends `text` and gives what comes back until `enough`, or the end of the connection.
fn exchange(world: &World, text: &[u8], enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut socket = TcpStream::connect(world.address()).unwrap();
    socket
        .set_read_timeout(Some(clown_tests::PATIENCE))
        .unwrap();
    socket.write_all(text).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    while !enough(&answer) {
        match socket.read(&mut buffer).unwrap() {
            0 => break,
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    answer
}

/// The status of a request with these headers.
fn status(world: &World, line: &str, headers: &str) -> String {
    let text = format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    let answer = exchange(world, text.as_bytes(), |answer| answer.len() >= 12);
    String::from_utf8_lossy(&answer[9..12]).into_owned()
}

fn handshake(world: &World) -> String {
    let address = world.address();
    format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A text frame as a client sends it, masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn limits_are_those_of_the_file() {
    let world = world(
        "[limits]\nconnections = 1\nmessage_bytes = 200\nmessages_per_second = 2\nhandshake_secs = 1\n",
    );
    let open = Stream::connect(world.address(), "");
    let refused = exchange(&world, handshake(&world).as_bytes(), |answer| {
        holds(answer, b"}")
    });
    let refused = String::from_utf8(refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(
        refused.to_ascii_lowercase().contains("\r\nretry-after: "),
        "{refused}"
    );
    drop(open);
    wait_for("a free place", || {
        let daemon = world.get("/api/v1/daemon").json();
        (daemon["counts"]["connections"] == 0).then_some(())
    });

    let ping = frame(r#"{"action":"ping"}"#);
    let too_long = frame(&format!(
        r#"{{"action":"ping","id":"{}"}}"#,
        "x".repeat(200)
    ));
    let too_many: Vec<u8> = [&ping[..], &ping, &ping].concat();
    let sent = |frames: &[u8]| {
        let text = [handshake(&world).as_bytes(), frames].concat();
        exchange(&world, &text, |answer| {
            holds(answer, b"rate_limited") || holds(answer, &[0x03, 0xf1])
        })
    };
    assert!(holds(&sent(&too_many), b"rate_limited"));
    wait_for("a free place", || {
        let daemon = world.get("/api/v1/daemon").json();
        (daemon["counts"]["connections"] == 0).then_some(())
    });
    // 1009, in a close frame.
    assert!(holds(&sent(&too_long), &[0x03, 0xf1]));

    // Nothing comes of a head that does not end, but the end of the connection.
    exchange(&world, b"GET /ws HTTP/1.1\r\nHost: loc", |_| false);
}

#[test]
fn a_client_that_takes_nothing_is_dropped_after_the_time_of_the_file() {
    let world = world("[limits]\nstall_secs = 1\n");
    let mut frozen = TcpStream::connect(world.address()).unwrap();
    frozen.write_all(handshake(&world).as_bytes()).unwrap();
    let connections = || world.get("/api/v1/daemon").json()["counts"]["connections"].clone();
    wait_for("the stream", || (connections() == 1).then_some(()));
    // Large events, until the buffers of both sides are full.
    let long = "x".repeat(100_000);
    let mut number = 0;
    wait_for("the end of the stream", || {
        let body = json!({"alias": format!("p{number}"), "agent_id": "claude", "model": long});
        number += 1;
        if number < 200 {
            let answer = world.send("POST", "/api/v1/profiles", &body);
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        (connections() == 0).then_some(())
    });
    drop(frozen);
}

#[test]
fn hosts_and_origins_are_those_of_the_file() {
    let world =
        world("[access]\nhosts = [\"clown.internal\"]\norigins = [\"https://app.example:8443\"]\n");
    let reads = |headers: &str| status(&world, "GET /api/v1/agents", headers);
    let writes = |headers: &str| {
        status(
            &world,
            "POST /api/v1/agents/detect",
            &format!("{headers}Content-Length: 0\r\n"),
        )
    };
    assert_eq!(reads("Host: clown.internal:80\r\n"), "200");
    assert_eq!(reads("Host: other.internal\r\n"), "421");
    let page = |origin: &str| format!("Host: localhost\r\nOrigin: {origin}\r\n");
    for (origin, reading, writing) in [
        ("https://app.example:8443", "200", "200"),
        ("https://app.example", "403", "403"),
        ("http://localhost:5173", "200", "403"),
        ("null", "403", "403"),
    ] {
        assert_eq!(reads(&page(origin)), reading, "{origin}");
        assert_eq!(writes(&page(origin)), writing, "{origin}");
    }
}

#[test]
fn the_journal_keeps_what_the_file_says() {
    let mut world = world("[journal]\nmax_bytes = 2000\nsync = \"power\"\n");
    for number in 0..30 {
        world.create_profile(&format!("p{number}"));
    }
    let items = |world: &World| {
        let page = world.get("/api/v1/events?since=0&limit=1000").json();
        page["items"].as_array().unwrap().clone()
    };
    let before = items(&world);
    // The journal is trimmed at the start, and then now and then.
    world.crash_daemon();
    world.start();
    let after = wait_for("the trim", || {
        let after = items(&world);
        (after[0]["seq"] != before[0]["seq"]).then_some(after)
    });
    let bytes: usize = after.iter().map(|item| item.to_string().len()).sum();
    assert!(bytes < 4_000, "{bytes}");
    let last = before.last().unwrap();
    assert!(after.contains(last), "{last} is not among {after:?}");
    // Who was before that is told.
    let oldest = before[0]["seq"].as_u64().unwrap();
    let mut stream = world.stream(&format!("?since={oldest}"));
    let gap: Value = stream.next_message();
    assert_eq!(gap["type"], "Gap");
    assert_eq!(gap["data"]["oldest"], after[0]["seq"]);
}

#[test]
fn a_mistake_in_the_file_is_named_and_nothing_starts() {
    let world = World::new();
    for (config, named) in [
        ("[limits]\nconections = 1\n", "conections"),
        ("[limits]\nhandshake_secs = 0\n", "limits.handshake_secs"),
        ("[access]\nhosts = [\"http://x\"]\n", "http://x"),
        ("[access]\norigins = [\"app.example\"]\n", "app.example"),
    ] {
        fs::write(world.path("config/config.toml"), config).unwrap();
        let mut command = world.command(&clown_tests::binaries().clownd);
        let output = command.args(["--listen", "127.0.0.1:0"]).output().unwrap();
        assert!(!output.status.success(), "{config}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(named), "{config}: {said}");
    }
    assert!(!world.path("state/daemon.json").exists());
}
