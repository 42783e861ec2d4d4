//! A daemon whose every answer the test writes.
use clown_client::{DaemonAddress, Discovery, EventStream, StreamItem, StreamOptions};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

const DEADLINE: Duration = Duration::from_secs(20);

pub struct Fake {
    listener: TcpListener,
}

impl Fake {
    pub async fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    pub fn address(&self) -> DaemonAddress {
        self.listener
            .local_addr()
            .unwrap()
            .to_string()
            .parse()
            .unwrap()
    }

    pub fn discovery(&self) -> Discovery {
        Discovery::at(self.address())
    }

    /// The next request, on a connection of its own.
    pub async fn request(&self) -> Request {
        let (stream, _) = timeout(DEADLINE, self.listener.accept())
            .await
            .unwrap()
            .unwrap();
        timeout(DEADLINE, Request::read(stream)).await.unwrap()
    }

    /// Answers the question for the starting point, then takes the WebSocket.
    pub async fn live_socket(&self, state_seq: u64) -> (Request, WebSocketStream<TcpStream>) {
        self.request().await.answer_state(state_seq).await;
        self.socket().await
    }

    pub async fn socket(&self) -> (Request, WebSocketStream<TcpStream>) {
        let request = self.request().await;
        request.upgrade().await
    }
}

pub struct Request {
    pub method: String,
    pub target: String,
    pub head: String,
    pub body: String,
    stream: Option<TcpStream>,
}

impl Request {
    async fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let head_len = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert_ne!(
                stream.read_buf(&mut bytes).await.unwrap(),
                0,
                "closed within the head"
            );
        };
        let head = String::from_utf8(bytes[..head_len].to_vec()).unwrap();
        let body_len = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
        while bytes.len() < head_len + body_len {
            assert_ne!(
                stream.read_buf(&mut bytes).await.unwrap(),
                0,
                "closed within the body"
            );
        }
        let mut words = head.split(' ');
        Self {
            method: words.next().unwrap().to_owned(),
            target: words.next().unwrap().to_owned(),
            body: String::from_utf8(bytes[head_len..].to_vec()).unwrap(),
            head,
            stream: Some(stream),
        }
    }

    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.head, name)
    }

    pub async fn answer(mut self, status: u16, content_type: &str, body: &str) {
        let mut stream = self.stream.take().unwrap();
        let text = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
    }

    pub async fn json(self, body: &str) {
        self.answer(200, "application/json", body).await;
    }

    pub async fn problem(self, status: u16, code: &str, detail: &str) {
        let body = format!(
            r#"{{"type":"about:blank","title":"T","status":{status},"detail":"{detail}","code":"{code}"}}"#
        );
        self.answer(status, "application/problem+json", &body).await;
    }

    pub async fn answer_state(self, seq: u64) {
        assert_eq!(self.target, "/api/v1/state");
        self.json(&state(seq)).await;
    }

    /// Writes these bytes and closes.
    pub async fn raw(mut self, bytes: &[u8]) {
        self.stream.take().unwrap().write_all(bytes).await.unwrap();
    }

    pub async fn upgrade(mut self) -> (Self, WebSocketStream<TcpStream>) {
        let mut stream = self.stream.take().unwrap();
        let key = self
            .header("sec-websocket-key")
            .expect("a WebSocket request");
        let accept = derive_accept_key(key.as_bytes());
        let text = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        (
            self,
            WebSocketStream::from_raw_socket(stream, Role::Server, None).await,
        )
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

pub fn daemon() -> &'static str {
    r#"{"version":"0.1.0","pid":1,"address":"127.0.0.1:8765","started_at":"2026-01-08T10:30:00Z","uptime_secs":5,"counts":{"connections":1,"profiles":2,"agents":1,"runs":0},"problems":[]}"#
}

pub fn state(seq: u64) -> String {
    format!(
        r#"{{"seq":{seq},"daemon":{},"profiles":[],"agents":[],"providers":[],"registry":null,"runs":[],"proxies":[],"usage":null}}"#,
        daemon()
    )
}

pub fn event(seq: u64) -> String {
    format!(
        r#"{{"type":"ProfileDeleted","timestamp":"2026-01-08T10:30:00Z","data":{{"alias":"a"}},"seq":{seq}}}"#
    )
}

/// A stream that is read all the time, and what it handed out.
pub struct Reader {
    items: mpsc::UnboundedReceiver<String>,
    task: tokio::task::JoinHandle<()>,
}

impl Reader {
    pub fn start(discovery: Discovery, options: StreamOptions) -> Self {
        let (sender, items) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut stream = EventStream::new(discovery, options);
            loop {
                let item = stream.next().await;
                let over = item.is_err();
                if sender.send(show(item)).is_err() || over {
                    return;
                }
            }
        });
        Self { items, task }
    }

    pub async fn next(&mut self) -> String {
        timeout(DEADLINE, self.items.recv())
            .await
            .expect("an item in time")
            .expect("an item")
    }

    pub async fn expect(&mut self, expected: &[&str]) {
        for text in expected {
            assert_eq!(self.next().await, *text);
        }
    }

    /// Skips attempts that failed, up to the connection.
    pub async fn connected(&mut self) -> String {
        loop {
            let item = self.next().await;
            if item.starts_with("connected") {
                return item;
            }
            assert!(item.starts_with("disconnected"), "{item}");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn show(item: Result<StreamItem, clown_client::ClientError>) -> String {
    match item {
        Ok(StreamItem::Connected { since, .. }) => format!("connected since {since}"),
        Ok(StreamItem::Event(received)) => format!("event {}", received.envelope.seq.unwrap()),
        Ok(StreamItem::Gap(gap)) => format!("gap {} {} {}", gap.since, gap.oldest, gap.latest),
        Ok(StreamItem::Cursor(seq)) => format!("cursor {seq}"),
        Ok(StreamItem::Unreadable(item)) => format!("unreadable: {}", item.error),
        Ok(StreamItem::Disconnected { reason, .. }) => format!("disconnected: {reason}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("refused: {error}"),
    }
}
