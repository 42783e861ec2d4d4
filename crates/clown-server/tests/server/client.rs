//! A WebSocket client that hides nothing.

use super::support::PATIENCE;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Frame {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
    End,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub fn handshake(address: SocketAddr, target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{more}\r\n"
    )
}

impl Client {
    /// Opens a TCP connection and says nothing.
    pub fn raw(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Opens an event stream.
    pub fn open(address: SocketAddr, target: &str) -> Self {
        let mut client = Self::raw(address);
        client.send_raw(handshake(address, target, "").as_bytes());
        client.expect_upgrade();
        client
    }

    pub fn expect_upgrade(&mut self) {
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // The example of RFC 6455, section 1.3.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn send_text(&mut self, text: &str) {
        self.send_raw(&masked(0x81, text.as_bytes()));
    }

    /// Reads an answer of HTTP whose length is announced.
    pub fn answer(&mut self) -> Answer {
        let head = self.head();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("{head:?}"));
        let mut answer = Answer {
            status,
            head,
            body: String::new(),
        };
        let length = answer
            .header("content-length")
            .map_or(0, |text| text.parse().unwrap());
        let body = self.take(length).expect("the whole body");
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    /// Reads a piece of a body that goes on; empty at its end, `None` if the connection ends before.
    pub fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        while !size.ends_with("\r\n") {
            size.push(char::from(self.take(1)?[0]));
        }
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let bytes = self.take(size + 2)?;
        Some(String::from_utf8(bytes[..size].to_vec()).unwrap())
    }

    pub fn frame(&mut self) -> Frame {
        let Some(first) = self.take(2) else {
            return Frame::End;
        };
        let length = match first[1] {
            126 => usize::from(u16::from_be_bytes(
                self.take(2).unwrap().try_into().unwrap(),
            )),
            127 => usize::try_from(u64::from_be_bytes(
                self.take(8).unwrap().try_into().unwrap(),
            ))
            .unwrap(),
            short => usize::from(short),
        };
        let payload = self.take(length).expect("the whole frame");
        match first[0] {
            0x81 => Frame::Text(String::from_utf8(payload).unwrap()),
            0x88 => Frame::Close(u16::from_be_bytes([payload[0], payload[1]])),
            0x89 => Frame::Ping(payload),
            0x8a => Frame::Pong(payload),
            other => panic!("unexpected first byte of a frame: {other:#x}"),
        }
    }

    pub fn text(&mut self) -> String {
        match self.frame() {
            Frame::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    pub fn json(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    pub fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(
                self.fill() > 0,
                "ended in the head: {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        }
    }

    /// Reads on until the server closes the connection.
    pub fn read_to_end(&mut self) {
        while self.fill() > 0 {}
    }

    /// Exactly `count` bytes; `None` at the end of the connection.
    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if self.fill() == 0 {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    fn fill(&mut self) -> usize {
        let mut chunk = [0; 65_536];
        let count = match self.stream.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("nothing came: {error}"),
        };
        self.buffer.extend_from_slice(&chunk[..count]);
        count
    }
}

/// A masked frame with this first byte.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let length = payload.len();
    if length < 126 {
        frame.push(0x80 | u8::try_from(length).unwrap());
    } else if let Ok(length) = u16::try_from(length) {
        frame.push(0x80 | 126);
        frame.extend_from_slice(&length.to_be_bytes());
    } else {
        frame.push(0x80 | 127);
        frame.extend_from_slice(&(length as u64).to_be_bytes());
    }
    let mask = [1, 2, 3, 4];
    frame.extend_from_slice(&mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// One request on a connection of its own.
pub fn request(address: SocketAddr, text: &str) -> Answer {
    let mut client = Client::raw(address);
    client.send_raw(text.as_bytes());
    client.answer()
}

pub fn get(address: SocketAddr, target: &str) -> Answer {
    request(
        address,
        &format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
    )
}
