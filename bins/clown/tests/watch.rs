//! `clown watch` against a daemon that the tests play.
#![expect(clippy::unwrap_used, reason = "a helper of the tests fails the test")]

use futures_util::SinkExt as _;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

const DEADLINE: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<TcpStream>;

struct Fake(TcpListener);

impl Fake {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    async fn accept(&self) -> TcpStream {
        timeout(DEADLINE, self.0.accept()).await.unwrap().unwrap().0
    }

    /// Answers one plain request.
    async fn answer(&self, path: &str, body: &str) {
        let mut stream = self.accept().await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with(&format!("GET {path} ")), "{head}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    /// Takes one WebSocket; also its address, as it was asked for.
    async fn socket(&self) -> (String, Socket) {
        let stream = self.accept().await;
        let mut target = String::new();
        #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
        let callback = |request: &Request, response| {
            target = request.uri().to_string();
            Ok(response)
        };
        let socket = accept_hdr_async(stream, callback).await.unwrap();
        (target, socket)
    }
}

struct Watch {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
    _home: tempfile::TempDir,
}

impl Watch {
    /// Starts it at the fake daemon, and lets it see that this serves.
    async fn start(fake: &Fake, args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_clown"))
            .args([
                "watch",
                "--daemon",
                &fake.0.local_addr().unwrap().to_string(),
            ])
            .args(args)
            .env_clear()
            .env("HOME", home.path())
            .env("TZ", "IST-5:30")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        fake.answer("/healthz", "").await;
        Self {
            child,
            stdout,
            stderr,
            _home: home,
        }
    }

    async fn line(&mut self) -> String {
        timeout(DEADLINE, self.stdout.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }

    async fn note(&mut self) -> String {
        timeout(DEADLINE, self.stderr.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }

    async fn ended(&mut self) -> ExitStatus {
        timeout(DEADLINE, self.child.wait()).await.unwrap().unwrap()
    }

    fn interrupt(&self) {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    }
}

async fn send(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

fn started(seq: u64) -> String {
    format!(
        r#"{{"type":"ProfileStarted","timestamp":"2026-01-08T10:30:00Z","data":{{"alias":"work","pid":7,"later":[1]}},"seq":{seq}}}"#
    )
}

#[tokio::test]
async fn people_get_aligned_lines_in_their_own_time() {
    let fake = Fake::start().await;
    let mut watch = Watch::start(&fake, &["--since", "5", "--events", "Profile*"]).await;
    let (target, mut socket) = fake.socket().await;
    assert_eq!(target, "/ws?events=Profile*&since=5&keepalive=true");
    send(&mut socket, &started(6)).await;
    assert_eq!(watch.line().await, "── 2026-01-08 ──");
    assert_eq!(
        watch.line().await,
        "16:00:00  ProfileStarted         work          runs as process 7"
    );
    watch.interrupt();
    assert_eq!(watch.ended().await.code(), Some(130));
    assert_eq!(watch.stderr.next_line().await.unwrap(), None);
}

#[tokio::test]
async fn programs_get_the_daemons_own_bytes_and_nothing_is_lost_over_a_break() {
    let fake = Fake::start().await;
    let mut watch = Watch::start(&fake, &["--since", "5", "--json"]).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    assert_eq!(watch.line().await, started(6));
    drop(socket);
    let (target, mut socket) = fake.socket().await;
    assert_eq!(target, "/ws?since=6&keepalive=true");
    send(&mut socket, &started(6)).await;
    send(&mut socket, &started(7)).await;
    assert_eq!(watch.line().await, started(7));
    let away = watch.note().await;
    assert!(
        away.contains("lost") && away.contains("trying again"),
        "{away}"
    );
    let back = watch.note().await;
    assert!(back.contains("again") && back.contains("after 6"), "{back}");
    let gap = r#"{"type":"Gap","timestamp":"2026-01-08T10:30:00Z","data":{"since":7,"oldest":90,"latest":95},"seq":95}"#;
    send(&mut socket, gap).await;
    let gap = watch.note().await;
    assert!(gap.contains("missing") && gap.contains("90"), "{gap}");
}

#[tokio::test]
async fn a_reader_that_goes_ends_it_quietly() {
    let fake = Fake::start().await;
    let mut watch = Watch::start(&fake, &["--since", "5"]).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    watch.line().await;
    watch.line().await;
    let Watch {
        mut child,
        stdout,
        mut stderr,
        _home,
    } = watch;
    drop(stdout);
    send(&mut socket, &started(7)).await;
    let status = timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(stderr.next_line().await.unwrap(), None);
}

#[tokio::test]
async fn what_the_daemon_refuses_is_told() {
    let fake = Fake::start().await;
    let mut watch = Watch::start(&fake, &["--since", "5", "--events", "Nope"]).await;
    let mut stream = fake.accept().await;
    let body = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"There is no event Nope.","code":"invalid_events"}"#;
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    assert_eq!(watch.note().await, "clown: There is no event Nope.");
    assert_eq!(watch.ended().await.code(), Some(1));
}
