//! The event stream against a daemon whose messages are written here.

use crate::fake::{Fake, Reader, event};
use clown_client::{Client, Discovery, EventStream, Since, StreamItem, StreamOptions};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

type Socket = WebSocketStream<TcpStream>;

async fn send(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

fn control(kind: &str, data: &str, seq: u64) -> String {
    format!(r#"{{"type":"{kind}","timestamp":"2026-01-08T10:30:00Z","data":{data},"seq":{seq}}}"#)
}

#[tokio::test]
async fn it_asks_for_what_was_wanted_and_hands_out_events() {
    let fake = Fake::start().await;
    let options = StreamOptions {
        events: vec!["Profile*".into(), "ProxyError".into()],
        profiles: vec!["a".into(), "b".into()],
        since: Some(Since::Seq(4)),
        keepalive: true,
        ..StreamOptions::default()
    };
    let mut reader = Reader::start(fake.discovery(), options);
    let (request, mut socket) = fake.socket().await;
    assert_eq!(
        request.target,
        "/ws?events=Profile*,ProxyError&profile=a,b&since=4&keepalive=true"
    );
    assert_eq!(request.header("host"), Some(fake.address().to_string()));
    assert_eq!(request.header("origin"), None);
    send(&mut socket, &event(5)).await;
    send(&mut socket, &event(9)).await;
    reader
        .expect(&["connected since 4", "event 5", "event 9"])
        .await;
}

#[tokio::test]
async fn it_resumes_after_the_last_event_without_a_gap_and_without_a_double() {
    let fake = Fake::start().await;
    let mut reader = Reader::start(fake.discovery(), StreamOptions::default());
    let (request, mut socket) = fake.live_socket(100).await;
    assert_eq!(request.target, "/ws?since=100");
    send(&mut socket, &event(101)).await;
    send(&mut socket, &event(105)).await;
    reader
        .expect(&["connected since 100", "event 101", "event 105"])
        .await;
    drop(socket);
    reader
        .expect(&["disconnected: the connection to the daemon was lost"])
        .await;

    let (request, mut socket) = fake.socket().await;
    assert_eq!(request.target, "/ws?since=105");
    // A daemon that repeats itself is not believed.
    for seq in [101, 105, 106] {
        send(&mut socket, &event(seq)).await;
    }
    reader.expect(&["connected since 105", "event 106"]).await;
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_first_event_loses_none() {
    let fake = Fake::start().await;
    let mut reader = Reader::start(fake.discovery(), StreamOptions::default());
    // The handshake breaks, then an open connection does; event 101 happens in between.
    fake.request().await.answer_state(100).await;
    let request = fake.request().await;
    assert_eq!(request.target, "/ws?since=100");
    drop(request);
    assert!(reader.next().await.starts_with("disconnected"));
    let (request, socket) = fake.socket().await;
    assert_eq!(request.target, "/ws?since=100");
    drop(socket);
    reader.expect(&["connected since 100"]).await;
    assert!(reader.next().await.starts_with("disconnected"));
    let (request, mut socket) = fake.socket().await;
    assert_eq!(request.target, "/ws?since=100");
    send(&mut socket, &event(101)).await;
    reader.expect(&["connected since 100", "event 101"]).await;
}

#[tokio::test]
async fn a_stretch_of_time_stays_where_it_was() {
    let fake = Fake::start().await;
    let since = Some(Since::Ago(Duration::from_secs(600)));
    let mut reader = Reader::start(
        fake.discovery(),
        StreamOptions {
            since,
            ..StreamOptions::default()
        },
    );
    let (first, socket) = fake.socket().await;
    assert!(first.target.starts_with("/ws?since=2"), "{}", first.target);
    drop(socket);
    reader.connected().await;
    let (second, _socket) = fake.socket().await;
    assert_eq!(first.target, second.target);
}

#[tokio::test]
async fn a_cursor_moves_the_place() {
    let fake = Fake::start().await;
    let since = Some(Since::Seq(4));
    let mut reader = Reader::start(
        fake.discovery(),
        StreamOptions {
            since,
            ..StreamOptions::default()
        },
    );
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &control("Cursor", "{}", 50)).await;
    reader.expect(&["connected since 4", "cursor 50"]).await;
    drop(socket);
    let (request, _socket) = fake.socket().await;
    assert_eq!(request.target, "/ws?since=50");
}

#[tokio::test]
async fn a_gap_is_told_and_what_follows_is_handed_out() {
    let fake = Fake::start().await;
    let since = Some(Since::Seq(1000));
    let mut reader = Reader::start(
        fake.discovery(),
        StreamOptions {
            since,
            ..StreamOptions::default()
        },
    );
    let (_, mut socket) = fake.socket().await;
    // Another journal, whose numbers are smaller.
    send(
        &mut socket,
        &control("Gap", r#"{"since":1000,"oldest":7,"latest":8}"#, 8),
    )
    .await;
    send(&mut socket, &event(7)).await;
    send(&mut socket, &event(8)).await;
    reader
        .expect(&["connected since 1000", "gap 1000 7 8", "event 7", "event 8"])
        .await;
    drop(socket);
    let (request, _socket) = fake.socket().await;
    assert_eq!(request.target, "/ws?since=8");
}

#[tokio::test]
async fn garbage_is_told_and_survived() {
    let fake = Fake::start().await;
    let since = Some(Since::Seq(4));
    let mut reader = Reader::start(
        fake.discovery(),
        StreamOptions {
            since,
            ..StreamOptions::default()
        },
    );
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, "{").await;
    send(
        &mut socket,
        &control("ProfileStarted", r#"{"alias":"a","pid":"x"}"#, 5),
    )
    .await;
    send(&mut socket, &control("FromTheFuture", r#"{"x":1}"#, 6)).await;
    reader.expect(&["connected since 4"]).await;
    assert!(reader.next().await.starts_with("unreadable"));
    let item = reader.next().await;
    assert!(
        item.starts_with("unreadable") && item.contains("pid"),
        "{item}"
    );
    reader.expect(&["event 6"]).await;
    send_binary(&mut socket).await;
    reader
        .expect(&["disconnected: the other side is not Clown's daemon: it sent a binary message"])
        .await;
    let (request, socket) = fake.socket().await;
    assert_eq!(request.target, "/ws?since=6");
    // Bytes that are no WebSocket frame.
    let mut stream = socket.into_inner();
    stream.write_all(&[0xff; 64]).await.unwrap();
    reader.expect(&["connected since 6"]).await;
    let item = reader.next().await;
    assert!(
        item.starts_with("disconnected: the other side is not Clown's daemon"),
        "{item}"
    );
}

async fn send_binary(socket: &mut Socket) {
    socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
}

#[tokio::test]
async fn the_close_code_is_told() {
    let fake = Fake::start().await;
    let since = Some(Since::Seq(4));
    let mut reader = Reader::start(
        fake.discovery(),
        StreamOptions {
            since,
            ..StreamOptions::default()
        },
    );
    let (_, mut socket) = fake.socket().await;
    let frame = CloseFrame {
        code: 1001.into(),
        reason: "shutting down".into(),
    };
    socket.close(Some(frame)).await.unwrap();
    // The client answers the close and does not just go away.
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
    reader
        .expect(&[
            "connected since 4",
            "disconnected: the daemon closed the connection (1001 shutting down)",
        ])
        .await;
}

#[tokio::test]
async fn a_half_open_connection_is_noticed() {
    let fake = Fake::start().await;
    let options = StreamOptions {
        since: Some(Since::Seq(4)),
        quiet_limit: Duration::from_millis(100),
        answer_limit: Duration::from_millis(200),
        ..StreamOptions::default()
    };
    let mut reader = Reader::start(fake.discovery(), options);
    let (_, socket) = fake.socket().await;
    // Open, and never read again: no pong comes.
    let mut stream = socket.into_inner();
    reader
        .expect(&[
            "connected since 4",
            "disconnected: the daemon no longer answers",
        ])
        .await;
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(received.first(), Some(&0x89), "a ping was sent first");
}

#[tokio::test]
async fn a_quiet_daemon_that_answers_pings_is_not_given_up() {
    let fake = Fake::start().await;
    let options = StreamOptions {
        since: Some(Since::Seq(4)),
        quiet_limit: Duration::from_millis(20),
        ..StreamOptions::default()
    };
    let mut reader = Reader::start(fake.discovery(), options);
    let (_, mut socket) = fake.socket().await;
    for _ in 0..5 {
        // Reading the ping queues the pong.
        assert!(matches!(socket.next().await, Some(Ok(Message::Ping(_)))));
        socket.flush().await.unwrap();
    }
    send(&mut socket, &event(5)).await;
    reader.expect(&["connected since 4", "event 5"]).await;
}

#[tokio::test]
async fn a_refusal_ends_the_stream_and_a_busy_daemon_does_not() {
    let fake = Fake::start().await;
    let since = Some(Since::Seq(4));
    let options = StreamOptions {
        since,
        events: vec!["Nope".into()],
        ..StreamOptions::default()
    };
    let mut reader = Reader::start(fake.discovery(), options);
    fake.request()
        .await
        .problem(503, "too_many_connections", "All taken.")
        .await;
    reader.expect(&["disconnected: All taken."]).await;
    fake.request()
        .await
        .problem(400, "invalid_events", "No event Nope.")
        .await;
    reader.expect(&["refused: No event Nope."]).await;
}

#[tokio::test]
async fn it_finds_a_daemon_that_comes_back_on_another_port() {
    let dir = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(dir.path().join("clownd.lock")).unwrap();
    lock.lock().unwrap();
    let announce = |fake: &Fake| {
        let text = format!(
            r#"{{"pid":1,"address":"{}","version":"0.1.0","started_at":"2026-01-08T10:30:00Z"}}"#,
            fake.address()
        );
        std::fs::write(dir.path().join("daemon.json"), text).unwrap();
    };
    let mut reader = Reader::start(
        Discovery::in_state_dir(dir.path()),
        StreamOptions::default(),
    );
    assert!(
        reader
            .next()
            .await
            .starts_with("disconnected: no daemon is running")
    );
    let first = Fake::start().await;
    announce(&first);
    let (_, mut socket) = first.live_socket(10).await;
    send(&mut socket, &event(11)).await;
    assert_eq!(reader.connected().await, "connected since 10");
    reader.expect(&["event 11"]).await;

    let second = Fake::start().await;
    announce(&second);
    drop((first, socket));
    let (request, mut socket) = second.socket().await;
    assert_eq!(request.target, "/ws?since=11");
    send(&mut socket, &event(12)).await;
    assert_eq!(reader.connected().await, "connected since 11");
    reader.expect(&["event 12"]).await;
}

#[tokio::test]
async fn a_dropped_future_loses_nothing() {
    let fake = Fake::start().await;
    let since = Some(Since::Seq(0));
    let options = StreamOptions {
        since,
        ..StreamOptions::default()
    };
    let mut stream = EventStream::new(fake.discovery(), options);
    let serve = async {
        let (_, mut socket) = fake.socket().await;
        for seq in 1..=200 {
            send(&mut socket, &event(seq)).await;
        }
        socket
    };
    let read = async {
        let mut seen = Vec::new();
        while seen.len() < 200 {
            // Polled once and dropped, over and over.
            tokio::select! {
                biased;
                item = stream.next() => {
                    if let StreamItem::Event(received) = item.unwrap() {
                        seen.push(received.envelope.seq.unwrap());
                    }
                }
                () = tokio::task::yield_now() => {}
            }
        }
        seen
    };
    let (socket, seen) = tokio::join!(serve, read);
    assert_eq!(seen, (1..=200).collect::<Vec<u64>>());
    assert_eq!(stream.last_seq(), Some(200));
    drop(socket);
}

#[tokio::test]
async fn the_snapshots_number_is_where_a_stream_can_begin() {
    let fake = Fake::start().await;
    let client = Client::new(fake.discovery());
    let (state, ()) = tokio::join!(client.state(), async {
        fake.request().await.answer_state(42).await;
    });
    let since = Some(Since::Seq(state.unwrap().seq));
    let mut reader = Reader::start(
        fake.discovery(),
        StreamOptions {
            since,
            ..StreamOptions::default()
        },
    );
    let (request, _socket) = fake.socket().await;
    assert_eq!(request.target, "/ws?since=42");
    reader.expect(&["connected since 42"]).await;
}

#[tokio::test]
async fn a_gap_can_be_asked_for() {
    async fn check(messages: &[String], expected: Option<(u64, u64, u64)>) {
        let fake = Fake::start().await;
        let client = Client::new(fake.discovery());
        let serve = async {
            let (request, mut socket) = fake.socket().await;
            assert!(request.target.ends_with("&since=50"), "{}", request.target);
            let ping = socket.next().await.unwrap().unwrap();
            assert_eq!(ping, Message::text(r#"{"action":"ping"}"#));
            for message in messages {
                send(&mut socket, message).await;
            }
            socket
        };
        let (gap, _socket) = tokio::join!(client.gap_after(50), serve);
        let gap = gap.unwrap().map(|gap| (gap.since, gap.oldest, gap.latest));
        assert_eq!(gap, expected, "{messages:?}");
    }
    let gap = control("Gap", r#"{"since":50,"oldest":7,"latest":9}"#, 6);
    let pong = |seq| control("Pong", "{}", seq);
    check(std::slice::from_ref(&gap), Some((50, 7, 9))).await;
    check(&[pong(0), gap], Some((50, 7, 9))).await;
    check(&[pong(50)], None).await;
    check(&[event(51)], None).await;
}
