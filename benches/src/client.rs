//! The one client: many connections in one process, epoll, raw sockets, and a look at every byte.

use crate::clock;
use crate::event::Checker;
use crate::wire::{self, Kind};
use anyhow::{Context as _, bail, ensure};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;
use std::io::{ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Long enough for the slowest rival.
const PATIENCE: Duration = Duration::from_secs(300);

const READ: usize = 256 << 10;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Connections that all get the same bytes, or nothing.
///
/// What one connection brings first is checked frame by frame and kept; what the others bring is
/// compared with that, byte by byte. So every byte of every connection is checked, at a cost that
/// is the same for every server.
#[derive(Debug)]
pub(crate) struct Clients {
    poll: OwnedFd,
    connections: Vec<Connection>,
    shared: Shared,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// How many bytes it has brought; `None` for one that must bring nothing.
    offset: Option<usize>,
}

/// What every connection must bring.
#[derive(Debug)]
struct Shared {
    bytes: Vec<u8>,
    /// Whole frames up to here are checked.
    checked: usize,
    events: u64,
    checker: Checker,
}

impl Clients {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            poll: epoll::create(CreateFlags::CLOEXEC)?,
            connections: Vec::new(),
            shared: Shared {
                bytes: Vec::new(),
                checked: 0,
                events: 0,
                checker: Checker::new(),
            },
            buffer: vec![0; READ].into(),
        })
    }

    /// Connects `count` clients that get every event.
    pub(crate) fn connect(&mut self, address: SocketAddr, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let (stream, _) = handshake(address, "/ws")?;
            self.add(stream, Some(self.shared.bytes.len()))?;
        }
        Ok(())
    }

    /// Connects `count` clients that want events of another type alone.
    pub(crate) fn connect_filtered(
        &mut self,
        address: SocketAddr,
        count: usize,
    ) -> anyhow::Result<()> {
        for _ in 0..count {
            let (stream, _) = handshake(address, "/ws?events=UsageImported")?;
            self.add(stream, None)?;
        }
        Ok(())
    }

    fn add(&mut self, stream: TcpStream, offset: Option<usize>) -> anyhow::Result<()> {
        stream.set_nonblocking(true)?;
        let index = EventData::new_u64(self.connections.len() as u64);
        epoll::add(&self.poll, &stream, index, EventFlags::IN)?;
        self.connections.push(Connection { stream, offset });
        Ok(())
    }

    /// Waits until every connection has brought `more` events, and gives the time of the last byte.
    pub(crate) fn receive(&mut self, more: u64) -> anyhow::Result<u64> {
        let wanted = self.shared.events + more;
        let open = |connection: &&Connection| connection.offset.is_some();
        let mut waiting = self.connections.iter().filter(open).count();
        let deadline = clock::now() + PATIENCE.as_nanos() as u64;
        let mut last = clock::now();
        while waiting > 0 {
            let events = self.wait(Duration::from_secs(1))?;
            for index in events {
                waiting -= usize::from(self.read(index, wanted)?);
                last = clock::now();
            }
            if clock::now() > deadline {
                bail!(
                    "{waiting} of {} clients still wait for {wanted} events",
                    self.connections.len()
                );
            }
        }
        Ok(last)
    }

    /// Fails when any connection brings more than it must.
    pub(crate) fn expect_silence(&mut self, time: Duration) -> anyhow::Result<()> {
        for index in self.wait(time)? {
            self.read(index, self.shared.events)?;
        }
        Ok(())
    }

    fn wait(&self, time: Duration) -> anyhow::Result<Vec<usize>> {
        let time = Timespec::try_from(time)?;
        let mut space = [MaybeUninit::uninit(); 256];
        let (events, _) = match epoll::wait(&self.poll, &mut space[..], Some(&time)) {
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            events => events?,
        };
        Ok(events
            .iter()
            .map(|event| event.data.u64() as usize)
            .collect())
    }

    /// Reads what is there. True when that made the connection's share complete.
    fn read(&mut self, index: usize, wanted: u64) -> anyhow::Result<bool> {
        let connection = &mut self.connections[index];
        let count = match connection.stream.read(&mut self.buffer) {
            Ok(0) => bail!("the server has closed connection {index}"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context(format!("connection {index}")),
        };
        let Some(offset) = &mut connection.offset else {
            bail!("connection {index} wanted nothing and got {count} bytes");
        };
        self.shared
            .take(*offset, &self.buffer[..count])
            .with_context(|| format!("connection {index}"))?;
        *offset += count;
        ensure!(
            self.shared.events <= wanted,
            "there are more than {wanted} events"
        );
        Ok(self.shared.events == wanted && *offset == self.shared.bytes.len())
    }
}

impl Shared {
    fn take(&mut self, offset: usize, bytes: &[u8]) -> anyhow::Result<()> {
        let known = &self.bytes[offset..];
        let (old, new) = bytes.split_at(bytes.len().min(known.len()));
        ensure!(
            old == &known[..old.len()],
            "its bytes from {offset} on differ from those of other clients"
        );
        if new.is_empty() {
            return Ok(());
        }
        self.bytes.extend_from_slice(new);
        while let Some((kind, payload, length)) = wire::first(&self.bytes[self.checked..]) {
            ensure!(kind == Kind::Text, "there is a frame of kind {kind:?}");
            self.checker
                .check(payload, self.events)
                .map_err(anyhow::Error::msg)?;
            self.events += 1;
            self.checked += length;
        }
        Ok(())
    }
}

/// One connection whose frames are looked at one by one, that answers pings.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    pub(crate) pings: u64,
}

impl Client {
    /// Connects to `target`, which is a path with a query.
    pub(crate) fn connect(address: SocketAddr, target: &str) -> anyhow::Result<Self> {
        let (stream, head) = handshake(address, target)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut buffer = vec![0; READ].into_boxed_slice();
        buffer[..head.len()].copy_from_slice(&head);
        Ok(Self {
            stream,
            buffer,
            start: 0,
            end: head.len(),
            pings: 0,
        })
    }

    /// Waits for bytes, and hands the text of each whole frame to `take`.
    pub(crate) fn receive(
        &mut self,
        mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        loop {
            let mut pings = 0;
            let mut texts = 0;
            while let Some((kind, payload, length)) =
                wire::first(&self.buffer[self.start..self.end])
            {
                match kind {
                    Kind::Text => {
                        texts += 1;
                        take(payload)?;
                    }
                    Kind::Ping => pings += 1,
                    Kind::Other(byte) => bail!("there is a frame that begins with {byte:#x}"),
                }
                self.start += length;
            }
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            for _ in 0..pings {
                self.pings += 1;
                self.stream.write_all(&wire::PONG)?;
            }
            if texts > 0 {
                return Ok(());
            }
            match self.stream.read(&mut self.buffer[self.end..])? {
                0 => bail!("the server has closed the connection"),
                count => self.end += count,
            }
        }
    }

    /// Reads frames for as long as there are any now; returns how many texts these were.
    pub(crate) fn drain(&mut self) -> anyhow::Result<u64> {
        let mut texts = 0;
        self.stream.set_nonblocking(true)?;
        loop {
            let received = self.receive(|_| {
                texts += 1;
                Ok(())
            });
            match received {
                Ok(()) => {}
                Err(error) if is_blocked(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.stream.set_nonblocking(false)?;
        Ok(texts)
    }
}

fn is_blocked(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Opens a WebSocket by hand; gives what came behind the answer too.
pub(crate) fn handshake(address: SocketAddr, target: &str) -> anyhow::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).context("cannot connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let end = loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let mut some = [0; 1024];
        match stream.read(&mut some)? {
            0 => bail!("the server has closed the connection in the handshake"),
            count => answer.extend_from_slice(&some[..count]),
        }
    };
    let behind = answer.split_off(end);
    let head = String::from_utf8_lossy(&answer);
    ensure!(
        head.starts_with("HTTP/1.1 101 ") && head.contains(&derive_accept_key(KEY.as_bytes())),
        "the server refuses a WebSocket: {head}"
    );
    Ok((stream, behind))
}
