//! The stream as Server-Sent Events.

use super::client::{Client, get};
use super::support::{TestServer, at_fixed_time, created, deleted, eventually};
use clown_core::Seq;
use clown_events::Event;
use std::net::SocketAddr;
use std::time::Duration;

/// What came of one stream, as an `EventSource` cuts it: pieces that end in an empty line.
struct Source {
    client: Client,
    text: String,
    /// The first piece, which holds no event.
    start: String,
}

impl Source {
    /// Asks for a stream; `more` are header lines.
    fn open(address: SocketAddr, query: &str, more: &str) -> Self {
        let mut client = Client::raw(address);
        client.send_raw(ask(address, query, more).as_bytes());
        let head = client.head().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(
            head.contains("\r\ncontent-type: text/event-stream\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        let mut source = Self {
            client,
            text: String::new(),
            start: String::new(),
        };
        source.start = source.piece().unwrap();
        let start = &source.start;
        assert!(start.starts_with("retry: 1000\nid: "), "{start}");
        source
    }

    /// The next piece, without its empty line; `None` at the end of the stream.
    fn piece(&mut self) -> Option<String> {
        loop {
            if let Some((piece, rest)) = self.text.split_once("\n\n") {
                let piece = piece.to_owned();
                self.text = rest.to_owned();
                return Some(piece);
            }
            let chunk = self.client.chunk().expect("the body has an end of its own");
            if chunk.is_empty() {
                return None;
            }
            self.text.push_str(&chunk);
        }
    }

    /// The next event: id, type, data.
    fn event(&mut self) -> (u64, String, String) {
        let piece = self.piece().expect("another event");
        let lines: Vec<&str> = piece.lines().collect();
        let [id, kind, data] = lines[..] else {
            panic!("{piece:?}");
        };
        (
            id.strip_prefix("id: ").unwrap().parse().unwrap(),
            kind.strip_prefix("event: ").unwrap().to_owned(),
            data.strip_prefix("data: ").unwrap().to_owned(),
        )
    }
}

fn ask(address: SocketAddr, query: &str, more: &str) -> String {
    format!(
        "GET /api/v1/events{query} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{more}\r\n"
    )
}

#[test]
fn events_come_as_they_happen_with_their_number_as_id() {
    let server = TestServer::start();
    server.publish(vec![deleted("before")]);
    let mut source = Source::open(server.address, "", "");
    let last = server.publish(vec![created("a"), deleted("b")]);
    let journal = server.journal();
    let first = source.event();
    assert_eq!((first.0, first.1.as_str()), (last.0 - 1, "ProfileCreated"));
    assert_eq!(first.2, journal[1]);
    let second = source.event();
    assert_eq!((second.0, second.1.as_str()), (last.0, "ProfileDeleted"));
    assert_eq!(second.2, journal[2]);
    assert_eq!(server.store.head(), last);
}

#[test]
fn a_client_that_comes_back_goes_on_where_it_was() {
    let server = TestServer::start();
    let seq = server.publish(vec![deleted("a")]);
    server.publish(vec![deleted("b"), deleted("c")]);
    let check = |query: &str, last_id: &str, expected: &[&str]| {
        let more = match last_id {
            "-" => String::new(),
            id => format!("Last-Event-ID: {id}\r\n"),
        };
        let mut source = Source::open(server.address, query, &more);
        for alias in expected {
            let (_, _, data) = source.event();
            assert!(
                data.contains(&format!(r#"{{"alias":"{alias}"}}"#)),
                "{query}: {data}"
            );
        }
        source
    };
    check("?since=0", "-", &["a", "b", "c"]);
    check(&format!("?since={seq}"), "-", &["b", "c"]);
    check("?since=10m", "-", &["a", "b", "c"]);
    // The address is that of the first time, and the id is newer.
    check("?since=0", &seq.to_string(), &["b", "c"]);
    check("?since=now", &seq.to_string(), &["b", "c"]);
    check("?since=0", "", &["a", "b", "c"]);
    let mut filtered = check(
        "?since=0&events=ProfileDeleted&profile=b,c",
        "-",
        &["b", "c"],
    );
    server.publish(vec![created("c"), deleted("a"), deleted("c")]);
    assert_eq!(filtered.event().1, "ProfileDeleted");
    assert_eq!(filtered.text, "");
}

#[test]
fn a_number_that_is_not_held_gets_a_gap() {
    let server = TestServer::start();
    let trimmed = server.publish(vec![deleted("a")]);
    let kept = server.publish(vec![deleted("b")]);
    server.trim(trimmed);
    let mut source = Source::open(server.address, "", "Last-Event-ID: 17\r\n");
    // Whoever loses the connection before the gap is told comes back with the number it came with.
    assert_eq!(source.start, "retry: 1000\nid: 17");
    let (id, kind, data) = source.event();
    assert_eq!((id, kind.as_str()), (trimmed.0, "Gap"));
    assert_eq!(
        at_fixed_time(&data),
        format!(
            r#"{{"type":"Gap","timestamp":"T","data":{{"since":17,"oldest":{kept},"latest":{kept}}},"seq":{trimmed}}}"#
        )
    );
    assert_eq!(source.event().0, kept.0);
}

#[test]
fn a_quiet_stream_has_comments_and_a_filtered_one_learns_its_place() {
    let server = TestServer::with(|settings| {
        settings.limits.ping_every = Duration::from_millis(50)..Duration::from_millis(60);
        settings.limits.cursor_every = Duration::from_millis(100);
    });
    let mut source = Source::open(server.address, "?events=Agent*", "");
    assert_eq!(source.piece().as_deref(), Some(":"));
    let last = server.publish(vec![deleted("a")]);
    let place = loop {
        match source.piece() {
            Some(piece) if piece == ":" => {}
            piece => break piece,
        }
    };
    // No event of its own: the page of a browser does not see it.
    assert_eq!(place, Some(format!("id: {last}")));
}

#[test]
fn a_slow_client_is_served_from_the_journal() {
    let server = TestServer::with_ring(4_000, |_| {});
    let mut source = Source::open(server.address, "", "");
    let long = "x".repeat(300);
    let total = 20_000;
    for start in (0..total).step_by(100) {
        let events: Vec<Event> = (start..start + 100)
            .map(|number| deleted(format!("{number}-{long}")))
            .collect();
        server.publish(events);
    }
    let mut previous = 0;
    for number in 0..total {
        let (id, _, data) = source.event();
        assert!(
            id > previous && data.contains(&format!(":\"{number}-x")),
            "{number}: {data}"
        );
        previous = id;
    }
}

#[test]
fn a_client_that_takes_nothing_is_dropped_and_gives_its_place_back() {
    let server = TestServer::with(|settings| {
        settings.limits.stall = Duration::from_millis(300);
        settings.limits.connections = 1;
    });
    let source = Source::open(server.address, "", "");
    let refused = || {
        let mut client = Client::raw(server.address);
        client.send_raw(ask(server.address, "", "").as_bytes());
        client.head().starts_with("HTTP/1.1 503 ")
    };
    assert!(refused());
    let long = "x".repeat(50_000);
    for _ in 0..400 {
        server.publish(vec![deleted(long.as_str())]);
    }
    eventually("the stream is dropped", || !refused());
    drop(source);
}

#[test]
fn an_answer_that_nobody_reads_is_given_up() {
    let server = TestServer::with(|settings| {
        settings.limits.stall = Duration::from_millis(300);
        settings.limits.requests = 1;
    });
    let long = "x".repeat(50_000);
    for _ in 0..400 {
        server.publish(vec![deleted(long.as_str())]);
    }
    let mut frozen = Client::raw(server.address);
    let host = server.address;
    frozen.send_raw(
        format!("GET /api/v1/events?limit=1000 HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
    );
    // There is one place for requests, and this waits until it is free.
    assert_eq!(get(server.address, "/healthz").status, 200);
    drop(frozen);
}

#[test]
fn streams_count_as_streams_and_not_as_requests() {
    let server = TestServer::with(|settings| {
        settings.limits.requests = 2;
        settings.limits.connections = 4;
    });
    let mut open: Vec<Source> = (0..3)
        .map(|_| Source::open(server.address, "", ""))
        .collect();
    let _socket = Client::open(server.address, "/ws");
    let counts = || get(server.address, "/api/v1/daemon").json()["counts"]["connections"].clone();
    assert_eq!(counts(), 4);
    let mut fifth = Client::raw(server.address);
    fifth.send_raw(ask(server.address, "", "").as_bytes());
    let answer = fifth.answer();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "too_many_connections")
    );
    assert_eq!(answer.header("retry-after"), Some("5"));
    open.pop();
    eventually("its place is free", || counts() == 3);
}

#[test]
fn a_stopping_server_sends_everything_and_ends_the_stream() {
    let mut server = TestServer::with_ring(4_000, |_| {});
    let mut source = Source::open(server.address, "", "");
    let mut last = Seq::START;
    for number in 0..3_000 {
        last = server.publish(vec![deleted(format!("p{number}"))]);
    }
    server.begin_stop();
    let mut seen = 0;
    while let Some(piece) = source.piece() {
        seen = piece
            .lines()
            .find_map(|line| line.strip_prefix("id: ")?.parse().ok())
            .unwrap_or(seen);
    }
    assert_eq!(seen, last.0);
}

#[test]
fn a_client_that_takes_nothing_holds_a_stop_only_to_its_deadline() {
    let mut server = TestServer::with(|settings| {
        settings.limits.stop_within = Duration::from_millis(500);
    });
    let _frozen = Source::open(server.address, "", "");
    let long = "x".repeat(50_000);
    for _ in 0..400 {
        server.publish(vec![deleted(long.as_str())]);
    }
    server.stop();
}

#[test]
fn what_a_stream_cannot_do_is_told() {
    let server = TestServer::start();
    let check = |query: &str, more: &str, code: &str| {
        let mut client = Client::raw(server.address);
        client.send_raw(ask(server.address, query, more).as_bytes());
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{query}"
        );
    };
    check("?limit=3", "", "unknown_parameter");
    check("?until=now", "", "unknown_parameter");
    check("?events=ProfilCreated", "", "invalid_filter");
    check("", "Last-Event-ID: x\r\n", "invalid_last_event_id");
    check("", "Last-Event-ID: now\r\n", "invalid_last_event_id");
}

#[test]
fn whoever_asks_for_json_gets_a_page() {
    let server = TestServer::start();
    server.publish(vec![deleted("a")]);
    let answer = get(server.address, "/api/v1/events");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let host = server.address;
    let mut client = Client::raw(host);
    client.send_raw(
        format!(
            "HEAD /api/v1/events HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n"
        )
        .as_bytes(),
    );
    let head = client.head().to_ascii_lowercase();
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    client.read_to_end();
}

#[test]
fn a_client_that_leaves_gives_its_place_back_though_nothing_happens() {
    let server = TestServer::with(|settings| settings.limits.connections = 1);
    drop(Source::open(server.address, "", ""));
    let count = || get(server.address, "/api/v1/daemon").json()["counts"]["connections"].clone();
    eventually("its place is free", || count() == 0);
}

#[test]
fn keepalive_keeps_a_daemon_from_being_idle() {
    let server = TestServer::start();
    let looking = Source::open(server.address, "?keepalive=true", "");
    assert_eq!(server.observer.idle_since(), None);
    drop(looking);
    eventually("it is idle again", || {
        server.observer.idle_since().is_some()
    });
}
