//! A provider that says what it is told to, byte by byte.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// It hands each request to the test, with the connection to answer it on.
pub struct Upstream {
    pub address: String,
    requests: Receiver<(String, TcpStream)>,
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (send, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, send) = (stream.unwrap(), send.clone());
                std::thread::spawn(move || {
                    let request = read_request(&mut stream);
                    // The test may be over.
                    let _ = send.send((request, stream));
                });
            }
        });
        Self { address, requests }
    }

    /// The next request, and where to answer it.
    pub fn next(&self) -> (String, TcpStream) {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// Answers the next request with these bytes and closes; gives the request.
    pub fn answer(&self, bytes: &str) -> String {
        let (request, mut stream) = self.next();
        stream.write_all(bytes.as_bytes()).unwrap();
        request
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let count = stream.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return text;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// A connection of an agent.
pub struct Agent(pub TcpStream);

impl Agent {
    /// Sends a request with the local key.
    pub fn ask(port: u16, line: &str, body: &str) -> Self {
        Self::ask_with(port, line, "x-api-key: local-key\r\n", body)
    }

    pub fn ask_with(port: u16, line: &str, headers: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        Self(stream)
    }

    /// Reads until `part` has come; all that has.
    pub fn until(&mut self, part: &str) -> String {
        let mut bytes = Vec::new();
        let mut buffer = [0; 1];
        while !String::from_utf8_lossy(&bytes).contains(part) {
            let count = self.0.read(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(count > 0, "{part:?} never came: {text}");
            bytes.push(buffer[0]);
        }
        String::from_utf8(bytes).unwrap()
    }

    /// The rest, up to the end of the answer or the connection; true if it ended as HTTP has it.
    pub fn rest(&mut self) -> (String, bool) {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        loop {
            if is_whole(&text) {
                return (text, true);
            }
            match self.0.read(&mut buffer) {
                Ok(0) | Err(_) => return (text, false),
                Ok(count) => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
        }
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return text.ends_with("\r\n0\r\n\r\n");
    };
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") || !head.starts_with("http/") {
        return text.ends_with("0\r\n\r\n");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() >= length.parse().unwrap())
}
