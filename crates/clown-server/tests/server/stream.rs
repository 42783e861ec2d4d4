//! What a client of the event stream sees, byte by byte.

use super::client::{Client, Frame, handshake, masked};
use super::support::{PATIENCE, TestServer, at_fixed_time, created, deleted, eventually, quick};
use clown_core::Seq;
use clown_events::Event;
use serde_json::json;
use std::time::Duration;

#[test]
fn the_default_stream_holds_events_and_nothing_else() {
    let server = TestServer::start();
    server.publish(vec![created("before")]);
    let mut client = Client::open(server.address, "/ws");
    server.publish(vec![created("work"), deleted("work")]);
    server.publish(vec![deleted("x".repeat(200))]);
    let expected = [
        r#"{"type":"ProfileCreated","timestamp":"T","data":{"alias":"work","agent_id":"claude","provider_id":"anthropic","model":"claude-sonnet-4"}}"#.to_owned(),
        r#"{"type":"ProfileDeleted","timestamp":"T","data":{"alias":"work"}}"#.to_owned(),
        format!(r#"{{"type":"ProfileDeleted","timestamp":"T","data":{{"alias":"{}"}}}}"#, "x".repeat(200)),
    ];
    for frame in expected {
        assert_eq!(at_fixed_time(&client.text()), frame);
    }
}

#[test]
fn since_gives_what_follows_and_every_frame_its_number() {
    let server = TestServer::start();
    let first = server.publish(vec![created("a")]);
    server.publish(vec![deleted("b"), deleted("c")]);
    let all = server.journal();
    let check = |target: &str, from: usize| {
        let mut client = Client::open(server.address, target);
        for expected in &all[from..] {
            assert_eq!(client.text(), *expected, "{target}");
        }
        client
    };
    check("/ws?since=0", 0);
    check(&format!("/ws?since={first}"), 1);
    check("/ws?since=10m", 0);
    check("/ws?since=2020-01-01T00:00:00Z", 0);
    check("/ws?since=2020-01-01T01:00:00%2B01:00", 0);
    let mut live = check("/ws?since=now", 3);
    let mut late = check("/ws?since=2999-01-01T00:00:00Z", 3);
    let latest = server.publish(vec![deleted("d")]);
    for client in [&mut live, &mut late] {
        let frame = client.text();
        assert!(
            frame.ends_with(&format!(r#"{{"alias":"d"}},"seq":{latest}}}"#)),
            "{frame}"
        );
    }
}

#[test]
fn what_was_trimmed_beside_a_filter_is_no_gap() {
    let server = TestServer::with_ring(1, |_| {});
    for target in [
        "/ws?events=ProfileDeleted&since=now",
        "/ws?events=ProfileDeleted",
    ] {
        for round in 0..30 {
            let mut client = Client::open(server.address, target);
            // Once it has this, the stream has looked at everything, and rests.
            server.publish(vec![deleted("first")]);
            assert_eq!(client.json()["data"]["alias"], "first");
            for number in 0..5 {
                server.publish(vec![created(&format!("a{number}"))]);
            }
            server.trim(server.store.head());
            // Behind the ring before the client's task has looked.
            server.publish(vec![deleted("wanted")]);
            for number in 0..3 {
                server.publish(vec![created(&format!("b{number}"))]);
            }
            let told = client.json();
            assert_eq!(told["type"], "ProfileDeleted", "{target} {round}: {told}");
        }
    }
}

#[test]
fn a_number_that_is_not_held_gets_a_gap_first() {
    let server = TestServer::start();
    let trimmed = server.publish(vec![created("a")]);
    let held = server.publish(vec![created("b")]);
    let latest = server.publish(vec![created("c")]);
    server.trim(trimmed);
    let check = |since: u64, gap: bool, events: usize| {
        let mut client = Client::open(server.address, &format!("/ws?since={since}"));
        if gap {
            let frame = client.json();
            assert_eq!(frame["type"], "Gap", "{since}");
            assert_eq!(
                frame["data"],
                json!({"since": since, "oldest": held.0, "latest": latest.0})
            );
            // A client that resumes from here gets the same events, and no gap.
            assert_eq!(frame["seq"], trimmed.0);
        }
        let all = server.journal();
        for expected in &all[all.len() - events..] {
            assert_eq!(client.text(), *expected, "{since}");
        }
    };
    check(0, false, 2);
    check(trimmed.0 - 1, true, 2);
    check(trimmed.0, false, 2);
    check(held.0, false, 1);
    check(latest.0, false, 0);
    check(latest.0 + 1, true, 2);
    check(5, true, 2);
    check((1 << 53) - 1, true, 2);
}

#[test]
fn nothing_is_answered_before_a_gap_is_told() {
    let server = TestServer::start();
    server.publish(vec![created("a")]);
    for _ in 0..20 {
        let mut client = Client::raw(server.address);
        let mut packet = handshake(server.address, "/ws?since=5", "").into_bytes();
        packet.extend(masked(0x81, br#"{"action":"ping","id":1}"#));
        client.send_raw(&packet);
        client.expect_upgrade();
        let first = client.frame();
        assert!(
            matches!(&first, Frame::Text(text) if text.contains(r#""type":"Gap""#)),
            "{first:?}"
        );
    }
}

#[test]
fn a_gap_with_nothing_retained_is_followed_by_what_comes() {
    let server = TestServer::start();
    let only = server.publish(vec![created("a")]);
    server.trim(only);
    let mut client = Client::open(server.address, "/ws?since=5");
    assert_eq!(
        client.json()["data"],
        json!({"since": 5, "oldest": only.0, "latest": only.0})
    );
    let next = server.publish(vec![deleted("a")]);
    assert_eq!(client.json()["seq"], next.0);
}

#[test]
fn no_gap_and_no_double_at_the_seam() {
    // A ring of a few events, so that clients change between journal and ring all the time.
    let server = TestServer::with_ring(2_000, |settings| settings.limits.batch_bytes = 700);
    let start = server.publish(vec![created("start")]);
    let total: u64 = 3_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..total {
                server.publish(vec![deleted(format!("p{number}"))]);
            }
        });
        for client in 0..6_u64 {
            let server = &server;
            scope.spawn(move || {
                // Some come at once, some in the middle of it.
                eventually("part of the events", || {
                    server.store.head() >= Seq(start.0 + client * 400)
                });
                let mut stream = Client::open(server.address, &format!("/ws?since={start}"));
                let mut last = start.0;
                for number in 0..total {
                    let frame = stream.json();
                    assert_eq!(
                        frame["data"]["alias"],
                        format!("p{number}"),
                        "client {client}"
                    );
                    let seq = frame["seq"].as_u64().unwrap();
                    assert!(seq > last);
                    last = seq;
                }
            });
        }
    });
}

#[test]
fn a_slow_client_is_served_from_the_journal_and_slows_nobody() {
    let server = TestServer::with_ring(4_000, |_| {});
    let mut slow = Client::open(server.address, "/ws");
    let mut quick = Client::open(server.address, "/ws");
    let total = 60_000;
    let long = "x".repeat(300);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for start in (0..total).step_by(100) {
                let events: Vec<Event> = (start..start + 100)
                    .map(|number| deleted(format!("{number}-{long}")))
                    .collect();
                server.publish(events);
            }
        });
        let check = |client: &mut Client| {
            for number in 0..total {
                let alias = client.json()["data"]["alias"].as_str().unwrap().to_owned();
                assert!(
                    alias.starts_with(&format!("{number}-")),
                    "{number}: {alias}"
                );
            }
        };
        // All of it is far more than socket buffers and the ring hold.
        check(&mut quick);
        check(&mut slow);
    });
}

#[test]
fn a_client_that_fell_out_of_retention_is_told() {
    let server = TestServer::with_ring(4_000, |settings| quick(&mut settings.limits));
    let mut plain = Client::open(server.address, "/ws");
    let mut resuming = Client::open(server.address, "/ws?since=now");
    let long = "x".repeat(3_000);
    let mut head = Seq::START;
    for number in 0..12_000 {
        head = server.publish(vec![deleted(format!("{number}-{long}"))]);
    }
    server.trim(Seq(head.0 - 1));
    let mut texts = 0;
    let end = loop {
        match plain.frame() {
            Frame::Text(_) => texts += 1,
            other => break other,
        }
    };
    assert_eq!(end, Frame::Close(1013));
    assert!(texts < 12_000);
    let mut last = 0;
    let gap = loop {
        let frame = resuming.json();
        if frame["type"] == "Gap" {
            break frame;
        }
        last = frame["seq"].as_u64().unwrap();
    };
    assert_eq!(
        gap["data"],
        json!({"since": last, "oldest": head.0, "latest": head.0})
    );
    assert_eq!(resuming.json()["seq"], head.0);
}

#[test]
fn pings_are_answered_between_frames_while_events_flow() {
    let server = TestServer::start();
    let mut client = Client::open(server.address, "/ws");
    let mut writer = client.stream.try_clone().unwrap();
    let (events, pings) = (4_000, 2_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..events {
                server.publish(vec![deleted(format!("p{number}"))]);
            }
        });
        scope.spawn(move || {
            use std::io::Write as _;
            for number in 0..pings {
                writer
                    .write_all(&masked(0x89, format!("{number}").as_bytes()))
                    .unwrap();
            }
        });
        let (mut next_event, mut last_pong) = (0, -1);
        // A pong may answer for pings before it (RFC 6455, section 5.5.3), but the last one comes.
        while next_event < events || last_pong < pings - 1 {
            match client.frame() {
                Frame::Text(text) => {
                    assert!(
                        text.contains(&format!(r#""p{next_event}""#)),
                        "{next_event}: {text}"
                    );
                    next_event += 1;
                }
                Frame::Pong(payload) => {
                    let number: i32 = String::from_utf8(payload).unwrap().parse().unwrap();
                    assert!(number > last_pong);
                    last_pong = number;
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_flood_of_pings_that_takes_no_answer_stops_itself_and_nobody_else() {
    let server = TestServer::start();
    let mut flood = Client::open(server.address, "/ws");
    let mut other = Client::open(server.address, "/ws");
    flood.stream.set_nonblocking(true).unwrap();
    let ping = masked(0x89, &[b'x'; 125]);
    let pings = ping.repeat(500);
    let mut sent = 0_usize;
    let mut blocked = 0;
    // Until the server takes no more, for so long that it is no coincidence.
    while blocked < 50 {
        use std::io::Write as _;
        // From where the last write broke off, so that the frames stay whole.
        match flood.stream.write(&pings[sent % pings.len()..]) {
            Ok(count) => {
                sent += count;
                blocked = 0;
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                blocked += 1;
                server.publish(vec![deleted("tick")]);
                assert!(other.text().contains("tick"));
            }
        }
        assert!(sent < 1 << 30, "the server takes pings without end");
    }
}

#[test]
fn what_comes_with_the_handshake_belongs_to_the_stream() {
    let server = TestServer::start();
    let mut client = Client::raw(server.address);
    let mut packet = handshake(server.address, "/ws", "").into_bytes();
    packet.extend(masked(
        0x81,
        br#"{"action":"subscribe","events":["Agent*"],"id":"now"}"#,
    ));
    packet.extend(masked(0x89, b"hello"));
    client.send_raw(&packet);
    client.expect_upgrade();
    let mut frames = vec![client.frame(), client.frame()];
    frames.sort_by_key(|frame| matches!(frame, Frame::Text(_)));
    assert_eq!(frames[0], Frame::Pong(b"hello".to_vec()));
    assert!(
        matches!(&frames[1], Frame::Text(text) if text.contains(r#""id":"now""#)),
        "{frames:?}"
    );
}

#[test]
fn filters_in_the_address() {
    let server = TestServer::start();
    let check = |query: &str, expected: &[&str]| {
        let mut client = Client::open(server.address, &format!("/ws?{query}"));
        server.publish(vec![created("work"), deleted("work"), created("home")]);
        let end = format!("end-{}", expected.len());
        server.publish(vec![created(&end), deleted(end.as_str())]);
        for expected in expected {
            let frame = client.json();
            let kind = frame["type"]
                .as_str()
                .unwrap()
                .trim_start_matches("Profile");
            assert_eq!(
                format!("{kind} {}", frame["data"]["alias"].as_str().unwrap()),
                *expected,
                "{query}"
            );
        }
    };
    check("events=ProfileDeleted", &["Deleted work", "Deleted end-2"]);
    check(
        "events=ProfileC*,Proxy*",
        &["Created work", "Created home", "Created end-3"],
    );
    check(
        "profile=home,end-2&events=ProfileCreated",
        &["Created home", "Created end-2"],
    );
    check("events=*&profile=work", &["Created work", "Deleted work"]);
}

#[test]
fn messages_are_answered_and_a_filter_holds_from_one_point() {
    let server = TestServer::start();
    let mut client = Client::open(server.address, "/ws");
    client.send_text(r#"{"action":"ping","id":2}"#);
    assert_eq!(
        at_fixed_time(&client.text()),
        r#"{"type":"Pong","timestamp":"T","data":{"id":2}}"#
    );
    client.send_text(
        r#"{"action":"subscribe","events":["ProfileCreated","Nova*"],"profiles":["work"],"id":1}"#,
    );
    let place = server.store.head();
    assert_eq!(
        client.json()["data"],
        json!({"id": 1, "events": ["ProfileCreated", "Nova*"], "profiles": ["work"], "unknown": ["Nova*"], "seq": place.0})
    );
    server.publish(vec![created("home"), deleted("work"), created("work")]);
    assert!(client.text().contains(r#""type":"ProfileCreated""#));
    client.send_text(r#"{"action":"unsubscribe","events":["ProfileCreated"]}"#);
    assert_eq!(client.json()["data"]["events"], json!(["Nova*"]));
    client.send_text(r#"{"action":"subscribe","events":["*"]}"#);
    assert_eq!(client.json()["type"], "Subscribed");
    server.publish(vec![deleted("home")]);
    assert_eq!(client.json()["type"], "ProfileDeleted");
}

#[test]
fn a_bad_message_gets_an_error_and_the_stream_goes_on() {
    let server = TestServer::start();
    let mut client = Client::open(server.address, "/ws");
    for (message, code) in [
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        (r#"{"action":"dance"}"#, "unknown_action"),
        (r#"{"action":"subscribe"}"#, "invalid_events"),
        (r#"{"action":"subscribe","events":"x"}"#, "invalid_events"),
        (
            r#"{"action":"subscribe","events":["a b"]}"#,
            "invalid_events",
        ),
    ] {
        client.send_text(message);
        assert_eq!(client.json()["data"]["code"], code, "{message}");
    }
    let many: Vec<String> = (0..129).map(|number| format!("E{number}")).collect();
    client.send_text(&json!({"action": "subscribe", "events": many, "id": 7}).to_string());
    let error = client.json();
    assert_eq!(
        (&error["data"]["code"], &error["data"]["id"]),
        (&json!("too_many"), &json!(7))
    );
    server.publish(vec![deleted("x")]);
    assert_eq!(client.json()["type"], "ProfileDeleted");
}

#[test]
fn too_many_messages_are_refused_and_do_not_close() {
    let server = TestServer::with(|settings| settings.limits.messages_per_second = 3);
    let mut client = Client::open(server.address, "/ws");
    let pings = masked(0x81, br#"{"action":"ping"}"#).repeat(40);
    client.send_raw(&pings);
    let replies: Vec<_> = (0..40).map(|_| client.json()).collect();
    let limited = replies
        .iter()
        .filter(|reply| reply["data"]["code"] == "rate_limited")
        .count();
    assert!(limited >= 30, "{limited} of 40 were refused");
    assert_eq!(replies[0]["type"], "Pong");
}

#[test]
fn close_codes() {
    let server = TestServer::with(|settings| quick(&mut settings.limits));
    let check = |name: &str, bytes: &[u8], code: u16| {
        let mut client = Client::open(server.address, "/ws");
        client.send_raw(bytes);
        assert_eq!(client.frame(), Frame::Close(code), "{name}");
        if code != 1000 {
            client.send_raw(&masked(0x88, &code.to_be_bytes()));
        }
        assert_eq!(client.frame(), Frame::End, "{name}");
    };
    check("binary", &masked(0x82, b"x"), 1003);
    check("large", &masked(0x81, &[b'x'; 65_537]), 1009);
    check(
        "huge",
        &[
            0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4,
        ],
        1009,
    );
    check(
        "large in pieces",
        &[masked(0x01, &[b'x'; 40_000]), masked(0x80, &[b'x'; 40_000])].concat(),
        1009,
    );
    check("not masked", &[0x81, 0x01, b'x'], 1002);
    check("reserved bits", &masked(0xf1, b"x"), 1002);
    check("reserved opcode", &masked(0x83, b"x"), 1002);
    check("ping in pieces", &masked(0x09, b"x"), 1002);
    check("ping too large", &masked(0x89, &[0; 126]), 1002);
    check("continues nothing", &masked(0x80, b"x"), 1002);
    check("not UTF-8", &masked(0x81, &[0xff]), 1007);
    check(
        "closed by the client",
        &masked(0x88, &1000_u16.to_be_bytes()),
        1000,
    );
}

#[test]
fn a_client_that_breaks_the_protocol_is_told_and_the_server_ends_first() {
    let server = TestServer::with(|settings| settings.limits.close_within = 3 * PATIENCE);
    let mut client = Client::open(server.address, "/ws");
    client.send_raw(&masked(0x83, b"x"));
    assert_eq!(client.frame(), Frame::Close(1002));
    // Whatever the client does: it is not asked to close first, and not reset while it speaks.
    client.send_text("still here");
    assert_eq!(client.frame(), Frame::End);
}

#[test]
fn what_was_asked_before_a_breach_is_answered() {
    let server = TestServer::start();
    for (end, code) in [(masked(0x83, b"x"), 1002), (masked(0x82, b"x"), 1003)] {
        let mut client = Client::open(server.address, "/ws");
        let ask = masked(0x81, br#"{"action":"ping","id":1}"#);
        client.send_raw(&[ask, end].concat());
        assert_eq!(client.json()["data"]["id"], 1);
        assert_eq!(client.frame(), Frame::Close(code));
    }
}

#[test]
fn a_stopping_server_sends_everything_then_1001() {
    let mut server = TestServer::with_ring(4_000, |settings| quick(&mut settings.limits));
    let address = server.address;
    let mut clients: Vec<Client> = ["/ws", "/ws?since=now", "/ws?events=ProfileDeleted"]
        .iter()
        .map(|target| Client::open(address, target))
        .collect();
    for number in 0..3_000 {
        server.publish(vec![deleted(format!("p{number}"))]);
    }
    server.begin_stop();
    for client in &mut clients {
        for number in 0..3_000 {
            assert!(client.text().contains(&format!(r#""p{number}""#)));
        }
        assert_eq!(client.frame(), Frame::Close(1001));
        client.send_raw(&masked(0x88, &1001_u16.to_be_bytes()));
        assert_eq!(client.frame(), Frame::End);
    }
    eventually("the port is closed", || {
        std::net::TcpStream::connect(address).is_err()
    });
}

#[test]
fn a_client_that_takes_nothing_holds_a_stop_only_to_its_deadline() {
    let mut server = TestServer::with(|settings| {
        settings.limits.stop_within = Duration::from_millis(500);
        quick(&mut settings.limits);
    });
    let _frozen = Client::open(server.address, "/ws");
    let long = "x".repeat(50_000);
    for _ in 0..400 {
        server.publish(vec![deleted(long.as_str())]);
    }
    server.stop();
}

#[test]
fn a_client_that_takes_nothing_is_dropped() {
    let server = TestServer::with(|settings| settings.limits.stall = Duration::from_millis(300));
    let mut frozen = Client::open(server.address, "/ws");
    let long = "x".repeat(50_000);
    for _ in 0..400 {
        server.publish(vec![deleted(long.as_str())]);
    }
    eventually("the stream is dropped", || {
        use std::io::Write as _;
        frozen.stream.write_all(&masked(0x8a, b"")).is_err()
    });
    drop(frozen);
}

#[test]
fn a_client_that_does_not_answer_pings_is_dropped_and_one_that_does_is_not() {
    let server = TestServer::with(|settings| {
        settings.limits.ping_every = Duration::from_millis(40)..Duration::from_millis(60);
        settings.limits.pong_within = Duration::from_millis(200);
    });
    let mut silent = Client::open(server.address, "/ws");
    let mut alive = Client::open(server.address, "/ws");
    assert_eq!(silent.frame(), Frame::Ping(Vec::new()));
    for _ in 0..12 {
        assert_eq!(alive.frame(), Frame::Ping(Vec::new()));
        alive.send_raw(&masked(0x8a, b""));
    }
    assert_eq!(silent.frame(), Frame::End);
}

#[test]
fn a_filtered_client_is_told_its_place() {
    let server =
        TestServer::with(|settings| settings.limits.cursor_every = Duration::from_millis(100));
    let mut client = Client::open(server.address, "/ws?since=now&events=Agent*");
    let last = server.publish(vec![deleted("a"), deleted("b")]);
    let frame = client.text();
    assert_eq!(
        at_fixed_time(&frame),
        format!(r#"{{"type":"Cursor","timestamp":"T","data":{{}},"seq":{last}}}"#)
    );
}

#[test]
fn streams_beyond_the_limit_are_refused_until_one_ends() {
    let server = TestServer::with(|settings| settings.limits.connections = 2);
    let first = Client::open(server.address, "/ws");
    let _second = Client::open(server.address, "/ws");
    let mut third = Client::raw(server.address);
    third.send_raw(handshake(server.address, "/ws", "").as_bytes());
    let answer = third.answer();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "too_many_connections")
    );
    assert!(answer.header("retry-after").is_some());
    drop(first);
    eventually("a place is free", || {
        let mut client = Client::raw(server.address);
        client.send_raw(handshake(server.address, "/ws", "").as_bytes());
        let mut first = [0; 12];
        std::io::Read::read_exact(&mut client.stream, &mut first).unwrap();
        &first == b"HTTP/1.1 101"
    });
}
