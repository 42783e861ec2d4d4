use futures_util::SinkExt as _;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub const DEADLINE: Duration = Duration::from_secs(20);

pub type Socket = WebSocketStream<TcpStream>;

/// A daemon whose every answer the test writes.
pub struct Fake(TcpListener);

/// One plain request, still to be answered.
pub struct Asked {
    pub head: String,
    stream: TcpStream,
}

impl Fake {
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    async fn accept(&self) -> TcpStream {
        timeout(DEADLINE, self.0.accept()).await.unwrap().unwrap().0
    }

    pub async fn request(&self) -> Asked {
        let mut stream = self.accept().await;
        let mut head = Vec::new();
        // A byte at a time: what is behind the head is the body's.
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        Asked { head, stream }
    }

    /// Answers one plain request.
    pub async fn answer(&self, target: &str, body: &str) {
        let asked = self.request().await;
        let head = &asked.head;
        assert!(head.starts_with(&format!("GET {target} ")), "{head}");
        asked.answer("200 OK", "application/json", body).await;
    }

    /// Answers the question for the state, of which only the number matters.
    pub async fn state(&self, seq: u64) {
        let daemon = r#"{"version":"0.1.0","pid":1,"address":"127.0.0.1:8765","started_at":"2026-01-08T10:30:00Z","uptime_secs":5,"counts":{"connections":1,"profiles":2,"agents":1,"runs":0},"problems":[]}"#;
        let body = format!(
            r#"{{"seq":{seq},"daemon":{daemon},"profiles":[],"agents":[],"providers":[],"registry":null,"runs":[],"proxies":[],"usage":null}}"#
        );
        self.answer("/api/v1/state", &body).await;
    }

    /// Takes one WebSocket; also its address, as it was asked for.
    pub async fn socket(&self) -> (String, Socket) {
        let (target, _, socket) = self.upgrade().await;
        (target, socket)
    }

    /// Takes one WebSocket; also how it said who it is.
    pub async fn socket_with_token(&self) -> (Option<String>, Socket) {
        let (_, authorization, socket) = self.upgrade().await;
        (authorization, socket)
    }

    async fn upgrade(&self) -> (String, Option<String>, Socket) {
        let stream = self.accept().await;
        let mut target = String::new();
        let mut authorization = None;
        #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
        let callback = |request: &Request, response| {
            target = request.uri().to_string();
            let header = request.headers().get("authorization");
            authorization = header.map(|value| value.to_str().unwrap().to_owned());
            Ok(response)
        };
        let socket = accept_hdr_async(stream, callback).await.unwrap();
        (target, authorization, socket)
    }
}

impl Asked {
    /// The body, as long as the head says.
    pub async fn body(mut self) -> (String, Self) {
        let len = self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().unwrap())
        });
        let mut body = vec![0; len.unwrap_or(0)];
        self.stream.read_exact(&mut body).await.unwrap();
        (String::from_utf8(body).unwrap(), self)
    }

    pub async fn answer(mut self, status: &str, content_type: &str, body: &str) {
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(answer.as_bytes()).await.unwrap();
    }

    pub async fn problem(self, status: u16, code: &str, detail: &str) {
        let body = format!(
            r#"{{"type":"about:blank","title":"T","status":{status},"detail":"{detail}","code":"{code}"}}"#
        );
        let status = format!("{status} T");
        self.answer(&status, "application/problem+json", &body)
            .await;
    }
}

/// The command line as a process.
pub struct Clown {
    pub child: Child,
    pub stdout: Lines<BufReader<ChildStdout>>,
    pub stderr: Lines<BufReader<ChildStderr>>,
    pub home: tempfile::TempDir,
}

impl Clown {
    /// Starts it at the fake daemon, and lets it see that this serves.
    pub async fn start(fake: &Fake, args: &[&str]) -> Self {
        let clown = Self::spawn(&fake.address(), args, &[]);
        fake.answer("/healthz", "").await;
        clown
    }

    pub async fn watch(fake: &Fake, args: &[&str]) -> Self {
        Self::start(fake, &[&["watch"], args].concat()).await
    }

    pub fn spawn(daemon: &str, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_clown"))
            .args(args)
            .args(["--daemon", daemon])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("TZ", "IST-5:30")
            .envs(environment.iter().copied())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            stdout,
            stderr,
            home,
        }
    }

    pub async fn line(&mut self) -> String {
        self.next_line().await.unwrap()
    }

    pub async fn next_line(&mut self) -> Option<String> {
        timeout(DEADLINE, self.stdout.next_line())
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn note(&mut self) -> String {
        self.next_note().await.unwrap()
    }

    pub async fn next_note(&mut self) -> Option<String> {
        timeout(DEADLINE, self.stderr.next_line())
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn ended(&mut self) -> ExitStatus {
        timeout(DEADLINE, self.child.wait()).await.unwrap().unwrap()
    }

    /// Its exit code, with nothing more on either output.
    pub async fn quiet_end(&mut self) -> Option<i32> {
        let code = self.ended().await.code();
        assert_eq!(self.next_line().await, None);
        assert_eq!(self.next_note().await, None);
        code
    }

    pub fn interrupt(&self) {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(Path::new(name))).unwrap_or_default()
    }
}

pub async fn send(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

/// A start of this profile, with a member that this version does not know.
pub fn started_of(alias: &str, seq: u64) -> String {
    format!(
        r#"{{"type":"ProfileStarted","timestamp":"2026-01-08T10:30:00Z","data":{{"alias":"{alias}","pid":7,"later":[1]}},"seq":{seq}}}"#
    )
}

pub fn started(seq: u64) -> String {
    started_of("work", seq)
}

pub fn stopped(seq: u64, exit_code: i32) -> String {
    format!(
        r#"{{"type":"ProfileStopped","timestamp":"2026-01-08T10:30:00Z","data":{{"alias":"work","exit_code":{exit_code},"runtime_secs":3}},"seq":{seq}}}"#
    )
}

pub fn control(kind: &str, data: &str, seq: u64) -> String {
    format!(r#"{{"type":"{kind}","timestamp":"2026-01-08T10:30:00Z","data":{data},"seq":{seq}}}"#)
}

pub fn gap(since: u64, oldest: u64, latest: u64) -> String {
    let data = format!(r#"{{"since":{since},"oldest":{oldest},"latest":{latest}}}"#);
    control("Gap", &data, oldest - 1)
}

pub fn page(items: &[String], next: u64) -> String {
    format!(r#"{{"items":[{}],"next":{next}}}"#, items.join(","))
}
