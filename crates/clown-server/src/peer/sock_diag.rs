//! Asks the kernel about one TCP socket (sock_diag(7)).

use rustix::io::retry_on_intr;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recvfrom, send, socket_with,
};
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

/// The user of the socket at `source` that is connected to `destination`. `None` when there is no
/// such socket, or nobody holds it any more.
pub(super) fn owner(source: SocketAddr, destination: SocketAddr) -> io::Result<Option<u32>> {
    thread_local! {
        // To open one for each question makes it cost three times as much.
        static ASKER: RefCell<Option<Asker>> = const { RefCell::new(None) };
    }
    ASKER.with_borrow_mut(|kept| {
        let mut asker = match kept.take() {
            Some(asker) => asker,
            None => Asker::open()?,
        };
        // After an error the next question has a new socket, on which no old answer can wait.
        let owner = asker.ask(&Ends::new(source, destination))?;
        *kept = Some(asker);
        Ok(owner)
    })
}

/// A socket to the kernel.
#[derive(Debug)]
struct Asker {
    socket: OwnedFd,
    questions: u32,
}

impl Asker {
    fn open() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Self {
            socket,
            questions: 0,
        })
    }

    fn ask(&mut self, ends: &Ends) -> io::Result<Option<u32>> {
        self.questions = self.questions.wrapping_add(1);
        let question = ends.question(self.questions);
        retry_on_intr(|| send(&self.socket, &question, SendFlags::empty()))?;
        let mut answer = [0; 1_024];
        // The kernel has answered by now: it does so within the call that asks.
        let (received, _, from) =
            retry_on_intr(|| recvfrom(&self.socket, &mut answer, RecvFlags::DONTWAIT))?;
        let from_kernel = from
            .and_then(|from| SocketAddrNetlink::try_from(from).ok())
            .is_some_and(|from| from.pid() == 0);
        if !from_kernel {
            return Err(io::ErrorKind::InvalidData.into());
        }
        ends.read(self.questions, &answer[..received])
    }
}

/// Both ends of a connection, as the socket at `source` sees them. IPv4 addresses in the form of
/// IPv6 are IPv4 ones: the kernel finds both kinds of sockets by those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
}

/// `SOCK_DIAG_BY_FAMILY`, the type of question and answer.
const BY_FAMILY: u16 = 20;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
const INET: u8 = 2;
const INET6: u8 = 10;
const TCP: u8 = 6;
/// `TCP_LISTEN`: the kernel falls back to a listener where there is no connection.
const LISTEN: u8 = 10;
/// `ENOENT`.
const NO_ENTRY: i32 = 2;
const HEADER: usize = 16;

impl Ends {
    fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source: (source.ip().to_canonical(), source.port()),
            destination: (destination.ip().to_canonical(), destination.port()),
        }
    }

    /// `nlmsghdr` and `inet_diag_req_v2`.
    fn question(&self, number: u32) -> Vec<u8> {
        const LENGTH: u32 = 72;
        const ALL_STATES: u32 = u32::MAX;
        const ANY_COOKIE: [u8; 8] = [0xff; 8];
        let family = match self.source.0 {
            IpAddr::V4(_) => INET,
            IpAddr::V6(_) => INET6,
        };
        let mut bytes = Vec::with_capacity(LENGTH as usize);
        bytes.extend(LENGTH.to_ne_bytes());
        bytes.extend(BY_FAMILY.to_ne_bytes());
        bytes.extend(REQUEST.to_ne_bytes());
        bytes.extend(number.to_ne_bytes());
        // The sender's port, which the kernel fills in.
        bytes.extend([0; 4]);
        bytes.extend([family, TCP, 0, 0]);
        bytes.extend(ALL_STATES.to_ne_bytes());
        bytes.extend(self.source.1.to_be_bytes());
        bytes.extend(self.destination.1.to_be_bytes());
        bytes.extend(address_bytes(self.source.0));
        bytes.extend(address_bytes(self.destination.0));
        // Any interface.
        bytes.extend([0; 4]);
        bytes.extend(ANY_COOKIE);
        bytes
    }

    /// Reads `nlmsghdr` and `inet_diag_msg`, or what went wrong.
    fn read(&self, number: u32, answer: &[u8]) -> io::Result<Option<u32>> {
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        if u32_at(answer, 8) != Some(number) {
            return Err(malformed());
        }
        let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok());
        let body = answer.get(HEADER..).ok_or_else(malformed)?;
        match kind.map(u16::from_ne_bytes) {
            Some(BY_FAMILY) => self.read_socket(body).ok_or_else(malformed),
            Some(ERROR) => {
                let number = u32_at(body, 0).ok_or_else(malformed)?.cast_signed();
                match -number {
                    NO_ENTRY => Ok(None),
                    number => Err(io::Error::from_raw_os_error(number)),
                }
            }
            _ => Err(malformed()),
        }
    }

    /// The outer `None` is for an answer that is too short.
    fn read_socket(&self, body: &[u8]) -> Option<Option<u32>> {
        let (family, state) = (*body.first()?, *body.get(1)?);
        let port = |at: usize| Some(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
        let found = Self {
            source: (address_at(body, 8, family)?, port(4)?),
            destination: (address_at(body, 24, family)?, port(6)?),
        };
        let (uid, inode) = (u32_at(body, 64)?, u32_at(body, 68)?);
        // A socket that no process holds has no inode, and shows as the superuser's.
        let held = found == *self && state != LISTEN && inode != 0;
        Some(held.then_some(uid))
    }
}

/// 16 bytes, of which IPv4 takes the first four.
fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    }
}

fn address_at(body: &[u8], at: usize, family: u8) -> Option<IpAddr> {
    let bytes: [u8; 16] = body.get(at..at + 16)?.try_into().ok()?;
    match family {
        INET => Some(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        INET6 => Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()),
        _ => None,
    }
}

fn u32_at(body: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(body.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: u32 = 3;

    fn ends() -> Ends {
        Ends::new(
            "127.0.0.1:4660".parse().unwrap(),
            "[::ffff:127.0.0.1]:8765".parse().unwrap(),
        )
    }

    /// An answer about `ends()` from the kernel.
    fn answer(state: u8, uid: u32, inode: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 72];
        bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        bytes[8..12].copy_from_slice(&NUMBER.to_ne_bytes());
        let body = &mut bytes[HEADER..];
        body[..2].copy_from_slice(&[INET, state]);
        body[4..8].copy_from_slice(&[0x12, 0x34, 0x22, 0x3d]);
        body[8..12].copy_from_slice(&[127, 0, 0, 1]);
        body[24..28].copy_from_slice(&[127, 0, 0, 1]);
        body[64..68].copy_from_slice(&uid.to_ne_bytes());
        body[68..72].copy_from_slice(&inode.to_ne_bytes());
        bytes
    }

    #[test]
    fn the_question_is_laid_out_as_the_kernel_reads_it() {
        let bytes = ends().question(NUMBER);
        assert_eq!(bytes.len(), 72);
        assert_eq!(bytes[16..20], [INET, TCP, 0, 0]);
        assert_eq!(bytes[24..28], [0x12, 0x34, 0x22, 0x3d]);
        assert_eq!(bytes[28..32], [127, 0, 0, 1]);
        assert_eq!(bytes[44..48], [127, 0, 0, 1]);
    }

    #[test]
    fn only_a_held_socket_with_both_ends_has_an_owner() {
        const ESTABLISHED: u8 = 1;
        const TIME_WAIT: u8 = 6;
        let read = |bytes: &[u8]| ends().read(NUMBER, bytes).unwrap();
        assert_eq!(read(&answer(ESTABLISHED, 7, 9)), Some(7));
        assert_eq!(read(&answer(ESTABLISHED, 0, 0)), None);
        assert_eq!(read(&answer(TIME_WAIT, 0, 0)), None);
        assert_eq!(read(&answer(LISTEN, 7, 9)), None);
        for place in [4, 6, 8, 24] {
            let mut other = answer(ESTABLISHED, 7, 9);
            other[HEADER + place] ^= 1;
            assert_eq!(read(&other), None, "{place}");
        }
    }

    #[test]
    fn errors_and_broken_answers_are_nobody() {
        let error = |number: i32| {
            let mut bytes = vec![0; 36];
            bytes[4..6].copy_from_slice(&ERROR.to_ne_bytes());
            bytes[8..12].copy_from_slice(&NUMBER.to_ne_bytes());
            bytes[HEADER..HEADER + 4].copy_from_slice(&(-number).to_ne_bytes());
            ends().read(NUMBER, &bytes)
        };
        assert_eq!(error(NO_ENTRY).unwrap(), None);
        assert_eq!(error(1).unwrap_err().raw_os_error(), Some(1));
        let whole = answer(1, 7, 9);
        for length in 0..whole.len() {
            assert!(ends().read(NUMBER, &whole[..length]).is_err(), "{length}");
        }
        assert!(ends().read(NUMBER + 1, &whole).is_err());
    }

    #[test]
    fn a_listener_is_no_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let source = listener.local_addr().unwrap();
        let nobody = "127.0.0.1:1".parse().unwrap();
        assert_eq!(owner(source, nobody).unwrap(), None);
    }
}
