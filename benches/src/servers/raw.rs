//! The floor: one thread, epoll, and frames that are made before anybody asks for them. It knows
//! no store, no bus and no slow reader.

use super::{published, ready};
use crate::{clock, event, wire};
use anyhow::Context as _;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const ORDERS: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;

/// The most that one write takes, so that all clients are served in turn.
const WRITE: usize = 256 << 10;

struct Raw {
    poll: OwnedFd,
    listener: TcpListener,
    frames: Vec<u8>,
    frame: usize,
    /// What is published reaches to here.
    end: usize,
    clients: Vec<Client>,
}

struct Client {
    stream: TcpStream,
    offset: usize,
    wants: bool,
    writable: bool,
}

pub(super) fn serve(events: u64) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let frames: Vec<Vec<u8>> = (0..events)
        .map(|index| wire::text(&event::text(index)))
        .collect();
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &poll,
        io::stdin(),
        EventData::new_u64(ORDERS),
        EventFlags::IN,
    )?;
    epoll::add(
        &poll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    ready(listener.local_addr()?)?;
    Raw {
        poll,
        listener,
        frame: frames.first().map_or(0, Vec::len),
        frames: frames.concat(),
        end: 0,
        clients: Vec::new(),
    }
    .run()
}

impl Raw {
    fn run(mut self) -> anyhow::Result<()> {
        let mut orders = BufReader::new(io::stdin());
        loop {
            let mut space = [MaybeUninit::uninit(); 256];
            let (events, _) = match epoll::wait(&self.poll, &mut space[..], None) {
                Err(rustix::io::Errno::INTR) => continue,
                events => events?,
            };
            for event in events {
                match event.data.u64() {
                    ORDERS => {
                        let mut order = String::new();
                        if orders.read_line(&mut order)? == 0 {
                            return Ok(());
                        }
                        self.publish(&order)?;
                    }
                    LISTENER => self.accept()?,
                    index => self.clients[index as usize].writable = true,
                }
            }
            self.write_all()?;
        }
    }

    fn publish(&mut self, order: &str) -> anyhow::Result<()> {
        let count = order
            .trim()
            .strip_prefix("publish ")
            .context("unknown order")?;
        let began = clock::now();
        self.end += count.parse::<usize>()? * self.frame;
        anyhow::ensure!(
            self.end <= self.frames.len(),
            "there are not so many frames"
        );
        self.write_all()?;
        Ok(published(began, clock::now())?)
    }

    /// Writes in turns, until all have everything or take no more.
    fn write_all(&mut self) -> io::Result<()> {
        loop {
            let mut more = false;
            for client in &mut self.clients {
                if client.wants && client.writable && client.offset < self.end {
                    let end = self.end.min(client.offset + WRITE);
                    more |= client.write(&self.frames[client.offset..end])?;
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        let (mut stream, _) = self.listener.accept()?;
        stream.set_nodelay(true)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut some = [0; 1024];
            let count = stream.read(&mut some)?;
            anyhow::ensure!(count > 0, "the client left in the handshake");
            head.extend_from_slice(&some[..count]);
        }
        let head = String::from_utf8(head)?;
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .context("no key")?;
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        )?;
        stream.set_nonblocking(true)?;
        let index = EventData::new_u64(self.clients.len() as u64);
        epoll::add(&self.poll, &stream, index, EventFlags::OUT | EventFlags::ET)?;
        self.clients.push(Client {
            stream,
            offset: self.end,
            wants: !head.contains("events="),
            writable: true,
        });
        Ok(())
    }
}

impl Client {
    /// True when it may take more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<bool> {
        match self.stream.write(bytes) {
            Ok(count) => {
                self.offset += count;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.writable = false;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
