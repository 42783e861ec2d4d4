//! `mirror` against a daemon that the test plays.
#![expect(clippy::unwrap_used, reason = "a helper of the tests fails the test")]

use futures_util::SinkExt as _;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

const DEADLINE: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<TcpStream>;

async fn accept(listener: &TcpListener) -> TcpStream {
    timeout(DEADLINE, listener.accept())
        .await
        .unwrap()
        .unwrap()
        .0
}

/// Takes the question for the state; answers it with these runs, or with nothing at all.
async fn state(listener: &TcpListener, answer: Option<(u64, &[&str])>) {
    let mut stream = accept(listener).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
    }
    assert!(head.starts_with(b"GET /api/v1/state "));
    let Some((seq, profiles)) = answer else {
        return;
    };
    let run = |profile: &&str| {
        format!(
            r#"{{"id":"{profile}-1","profile":"{profile}","state":"running","pid":7,"prepared_at":"2026-01-08T10:30:00Z","started_at":"2026-01-08T10:30:00Z"}}"#
        )
    };
    let runs: Vec<String> = profiles.iter().map(run).collect();
    let daemon = r#"{"version":"0.1.0","pid":1,"address":"127.0.0.1:8765","started_at":"2026-01-08T10:30:00Z","uptime_secs":5,"counts":{"connections":1,"profiles":2,"agents":1,"runs":0},"problems":[]}"#;
    let body = format!(
        r#"{{"seq":{seq},"daemon":{daemon},"profiles":[],"agents":[],"providers":[],"registry":null,"runs":[{}],"proxies":[],"usage":null}}"#,
        runs.join(",")
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Takes a stream that goes on after `since`.
async fn stream(listener: &TcpListener, since: u64) -> Socket {
    let mut target = String::new();
    #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
    let callback = |request: &Request, response| {
        target = request.uri().to_string();
        Ok(response)
    };
    let socket = accept_hdr_async(accept(listener).await, callback)
        .await
        .unwrap();
    let expected = format!("/ws?since={since}");
    assert_eq!(target, expected);
    socket
}

async fn send(socket: &mut Socket, kind: &str, data: &str, seq: u64) {
    let text = format!(
        r#"{{"type":"{kind}","timestamp":"2026-01-08T10:30:00Z","data":{data},"seq":{seq}}}"#
    );
    socket.send(Message::text(text)).await.unwrap();
}

#[tokio::test]
async fn it_is_right_over_a_lost_connection_and_a_gap() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut mirror = Command::new(env!("CARGO_BIN_EXE_clown-mirror"))
        .arg(listener.local_addr().unwrap().to_string())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(mirror.stdout.take().unwrap()).lines();
    let mut line = async || {
        let line = timeout(DEADLINE, lines.next_line()).await.unwrap();
        line.unwrap().unwrap()
    };

    state(&listener, Some((10, &["work"]))).await;
    assert_eq!(line().await, "10: running work");
    let mut socket = stream(&listener, 10).await;
    let started = r#"{"alias":"home","pid":8}"#;
    send(&mut socket, "ProfileStarted", started, 11).await;
    send(&mut socket, "ProfileStarted", started, 12).await;
    // Asked once: this reflects both.
    state(&listener, Some((12, &["home", "work"]))).await;
    assert_eq!(line().await, "12: running home, work");
    let stopped = r#"{"alias":"home","exit_code":0,"runtime_secs":1}"#;
    send(&mut socket, "ProfileStopped", stopped, 13).await;
    state(&listener, Some((13, &["work"]))).await;
    assert_eq!(line().await, "13: running work");
    drop(socket);

    // The connection alone is another one; nothing has happened.
    let mut socket = stream(&listener, 13).await;
    send(&mut socket, "ProfileStopped", stopped, 14).await;
    // A daemon that is on its way out answers nothing: it is asked again.
    state(&listener, None).await;
    state(&listener, Some((14, &[]))).await;
    assert_eq!(line().await, "14: running ");
    drop(socket);

    // Another journal: what is true now is asked for.
    let mut socket = stream(&listener, 14).await;
    let gap = r#"{"since":14,"oldest":3,"latest":4}"#;
    send(&mut socket, "Gap", gap, 2).await;
    state(&listener, Some((4, &["lab", "lab"]))).await;
    assert_eq!(line().await, "4: running lab, lab");
    let started = r#"{"alias":"lab","pid":9}"#;
    // Of before that: passed over.
    send(&mut socket, "ProfileStarted", started, 3).await;
    send(&mut socket, "ProfileStarted", started, 4).await;
    send(&mut socket, "ProfileStopped", stopped, 5).await;
    state(&listener, Some((5, &["lab"]))).await;
    assert_eq!(line().await, "5: running lab");
}
