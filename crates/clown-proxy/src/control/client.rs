//! The end of whoever steers. It blocks, for a limited time.

use super::{Ask, MAX_LINE, Told};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to an instance's control socket.
#[derive(Debug)]
pub struct Steering {
    stream: BufReader<UnixStream>,
    pid: Option<u32>,
}

/// The instance cannot be steered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SteeringError {
    /// The connection failed.
    #[error("the proxy instance cannot be spoken to")]
    Connection(#[from] io::Error),
    /// Whoever has the socket is another user.
    #[error("the socket of the proxy instance belongs to another user (uid {uid})")]
    Stranger {
        /// Who.
        uid: u32,
    },
    /// It says something that is no answer.
    #[error("the proxy instance gives no answer that is understood")]
    Unreadable,
}

impl Steering {
    /// Connects to the instance whose folder this is.
    pub fn connect(folder: &Path) -> Result<Self, SteeringError> {
        let stream = connect(folder)?;
        let pid = own_peer(&stream)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
            pid,
        })
    }

    /// The process at the other end, as the kernel tells; None where it does not.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Asks, and waits for the answer.
    pub fn ask(&mut self, ask: &Ask) -> Result<Told, SteeringError> {
        let mut line = Zeroizing::new(serde_json::to_vec(ask).map_err(io::Error::from)?);
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        let mut answer = Zeroizing::new(Vec::new());
        let mut limited = (&mut self.stream).take(MAX_LINE as u64);
        if limited.read_until(b'\n', &mut answer)? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        serde_json::from_slice(&answer).map_err(|_| SteeringError::Unreadable)
    }
}

/// A socket's name is short; by the folder that is held open, it is short enough always.
fn connect(folder: &Path) -> io::Result<UnixStream> {
    const LONGEST: usize = 100;
    let path = super::socket(folder);
    if path.as_os_str().len() <= LONGEST || !cfg!(target_os = "linux") {
        return UnixStream::connect(path);
    }
    let held = File::open(folder)?;
    UnixStream::connect(format!("/proc/self/fd/{}/control", held.as_raw_fd()))
}

#[cfg(target_os = "linux")]
fn own_peer(stream: &UnixStream) -> Result<Option<u32>, SteeringError> {
    let peer = rustix::net::sockopt::socket_peercred(stream).map_err(io::Error::from)?;
    if peer.uid != rustix::process::geteuid() {
        let uid = peer.uid.as_raw();
        return Err(SteeringError::Stranger { uid });
    }
    Ok(u32::try_from(peer.pid.as_raw_nonzero().get()).ok())
}

/// The folder is open to its owner only, which is what there is to go by.
#[cfg(not(target_os = "linux"))]
fn own_peer(_stream: &UnixStream) -> Result<Option<u32>, SteeringError> {
    Ok(None)
}

/// Whether the process `pid` answers its health check on `port`.
pub fn is_healthy(port: u16, pid: u32) -> bool {
    #[derive(Deserialize)]
    struct Health {
        pid: u32,
    }
    let ask = || -> io::Result<bool> {
        let limit = Duration::from_secs(2);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        let request =
            format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(16 << 10).read_to_end(&mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return Ok(false);
        };
        let health = serde_json::from_str::<Health>(body);
        Ok(head.starts_with("HTTP/1.1 200") && health.is_ok_and(|health| health.pid == pid))
    };
    ask().unwrap_or(false)
}
