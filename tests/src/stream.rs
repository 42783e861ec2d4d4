use serde_json::Value;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A WebSocket client in as few lines as it takes, so that what it sees is what was sent.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    bytes: Vec<u8>,
    /// The close code, once the daemon has closed.
    pub closed: Option<u16>,
}

impl Stream {
    /// Connects to `/ws` with `query` behind it (`""` or `"?since=0"`).
    ///
    /// # Panics
    /// When the daemon does not accept.
    pub fn connect(address: &str, query: &str) -> Self {
        let mut socket = TcpStream::connect(address).expect("the daemon listens");
        let request = format!(
            "GET /ws{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket
            .write_all(request.as_bytes())
            .expect("the daemon reads");
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a timeout can be set");
        let mut stream = Self {
            socket,
            bytes: Vec::new(),
            closed: None,
        };
        let deadline = Instant::now() + crate::PATIENCE;
        loop {
            if let Some(end) = find(&stream.bytes, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&stream.bytes[..end]).into_owned();
                assert!(head.starts_with("HTTP/1.1 101"), "{head}");
                assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
                stream.bytes.drain(..end + 4);
                return stream;
            }
            assert!(Instant::now() < deadline, "no answer to the handshake");
            stream.fill();
        }
    }

    /// The next text, as it was sent.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn next_text(&mut self) -> String {
        let deadline = Instant::now() + crate::PATIENCE;
        loop {
            if let Some(text) = self.take_frame() {
                return text;
            }
            assert!(
                Instant::now() < deadline && self.closed.is_none(),
                "no further text (close code {:?})",
                self.closed
            );
            self.fill();
        }
    }

    /// The next text, or none when the daemon has closed or is gone.
    ///
    /// # Panics
    /// When neither happens in time.
    pub fn try_next_text(&mut self) -> Option<String> {
        let deadline = Instant::now() + crate::PATIENCE;
        loop {
            if let Some(text) = self.take_frame() {
                return Some(text);
            }
            if self.closed.is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "neither a text nor an end");
            self.fill();
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes in time, or it is no JSON.
    pub fn next_message(&mut self) -> Value {
        let text = self.next_text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// The messages up to and with the first of type `kind`.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.next_message());
            if messages[messages.len() - 1]["type"] == kind {
                return messages;
            }
        }
    }

    /// Reads until the daemon closes; what came before, and the close code.
    ///
    /// # Panics
    /// When it does not close in time.
    pub fn rest(&mut self) -> (Vec<Value>, u16) {
        let deadline = Instant::now() + crate::PATIENCE;
        let mut messages = Vec::new();
        loop {
            while let Some(text) = self.take_frame() {
                messages.push(serde_json::from_str(&text).expect("a message is JSON"));
            }
            if let Some(code) = self.closed {
                return (messages, code);
            }
            assert!(Instant::now() < deadline, "never closed; got {messages:?}");
            self.fill();
        }
    }

    fn fill(&mut self) {
        let mut buffer = [0; 16 << 10];
        match self.socket.read(&mut buffer) {
            Ok(0) => {
                self.closed.get_or_insert(1006);
            }
            Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => {
                eprintln!("the connection broke: {error}");
                self.closed.get_or_insert(1006);
            }
        }
    }

    /// Takes whole frames off the bytes until one is a text.
    fn take_frame(&mut self) -> Option<String> {
        loop {
            let (first, second) = (*self.bytes.first()?, *self.bytes.get(1)?);
            let (header, length) = match second {
                126 => (
                    4,
                    usize::from(u16::from_be_bytes(self.bytes.get(2..4)?.try_into().ok()?)),
                ),
                127 => (
                    10,
                    u64::from_be_bytes(self.bytes.get(2..10)?.try_into().ok()?) as usize,
                ),
                short => (2, usize::from(short)),
            };
            let payload = self.bytes.get(header..header + length)?.to_vec();
            self.bytes.drain(..header + length);
            match first {
                0x81 => return Some(String::from_utf8(payload).expect("a text is UTF-8")),
                0x88 => {
                    let code = payload
                        .get(..2)
                        .map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                    self.closed = Some(code);
                }
                0x89 => {
                    let mut pong = vec![0x8a, 0x80 | payload.len() as u8, 0, 0, 0, 0];
                    pong.extend_from_slice(&payload);
                    // The daemon may be gone already.
                    let _ = self.socket.write_all(&pong);
                }
                other => panic!("a frame of kind {other:#x}"),
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
