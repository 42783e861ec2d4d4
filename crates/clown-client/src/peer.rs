//! Who owns the other end of a connection on this machine.

use std::net::SocketAddr;

/// What the kernel tells of the process at the other end.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux is asked who is there")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The same user as this process.
    OwnUser,
    /// Another user, by number.
    OtherUser(u32),
    /// Loopback, and the kernel did not tell in time: not accepted, or gone already.
    Unknown,
    /// Another machine, or a system without such a look-up.
    Elsewhere,
}

/// Looks up the server's end of exactly the connection from `client` to `server`.
///
/// Until the other side has accepted a connection, its socket belongs to nobody (inode 0), so
/// this waits a little for that.
#[cfg(target_os = "linux")]
pub(crate) async fn identify(server: SocketAddr, client: SocketAddr) -> Peer {
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    const ACCEPT_LIMIT: Duration = Duration::from_secs(2);
    const FIRST_PAUSE: Duration = Duration::from_millis(1);
    const LONGEST_PAUSE: Duration = Duration::from_millis(50);

    if !server.ip().to_canonical().is_loopback() && server.ip() != client.ip() {
        return Peer::Elsewhere;
    }
    let own_user = rustix::process::geteuid().as_raw();
    let deadline = Instant::now() + ACCEPT_LIMIT;
    let mut pause = FIRST_PAUSE;
    loop {
        // The tables can be long on a busy machine; they are not read on an async worker.
        let owner = tokio::task::spawn_blocking(move || read_owner(server, client)).await;
        match owner {
            Ok(Some(user)) if user == own_user => return Peer::OwnUser,
            Ok(Some(user)) => return Peer::OtherUser(user),
            Ok(None) | Err(_) if Instant::now() >= deadline => return Peer::Unknown,
            Ok(None) | Err(_) => {}
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) async fn identify(_server: SocketAddr, _client: SocketAddr) -> Peer {
    Peer::Elsewhere
}

#[cfg(target_os = "linux")]
fn read_owner(server: SocketAddr, client: SocketAddr) -> Option<u32> {
    // A server that listens on IPv6 and IPv4 at once has its end of an IPv4 connection in the
    // IPv6 table.
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .find_map(|path| {
            let table = std::fs::read_to_string(path).ok()?;
            owner_in(&table, server, client)
        })
}

/// The user who owns the socket with local address `server` and remote address `client`, from
/// the kernel's text. Sockets without an inode belong to nobody.
#[cfg(target_os = "linux")]
fn owner_in(table: &str, server: SocketAddr, client: SocketAddr) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = parse_address(fields.next()?)?;
        let remote = parse_address(fields.next()?)?;
        if !same(local, server) || !same(remote, client) {
            return None;
        }
        // After the addresses: state, queues, timer, retransmits, user, timeout, inode.
        let user = fields.nth(4)?.parse().ok()?;
        let inode: u64 = fields.nth(1)?.parse().ok()?;
        (inode != 0).then_some(user)
    })
}

#[cfg(target_os = "linux")]
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

/// `0100007F:1F90`: the address as 32-bit words in the machine's own byte order, the port as a
/// plain number.
#[cfg(target_os = "linux")]
fn parse_address(text: &str) -> Option<SocketAddr> {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut octets = [0; 16];
            for (at, chunk) in octets.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(all(test, target_os = "linux", target_endian = "little"))]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:223D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 77 1 0 100 0 0 10 0
   1: 0100007F:223D 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 123 1 0 20 4 30 10 -1
   2: 0100007F:D431 0100007F:223D 01 00000000:00000000 00:00000000 00000000   500        0 124 1 0 20 4 30 10 -1
   3: 0100007F:223D 0100007F:D432 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
";
    const TABLE_6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:223D 00000000000000000000000001000000:D431 01 00000000:00000000 00:00000000 00000000  1001        0 9 1 0 20 4 30 10 -1
   1: 0000000000000000FFFF00000100007F:223D 0000000000000000FFFF00000100007F:D433 01 00000000:00000000 00:00000000 00000000  1002        0 8 1 0 20 4 30 10 -1
";

    #[test]
    fn owners() {
        let check = |table: &str, server: &str, client: &str, expected: Option<u32>| {
            let owner = owner_in(table, server.parse().unwrap(), client.parse().unwrap());
            assert_eq!(owner, expected, "{server} {client}");
        };
        // The server's end, never the client's own nor the listener.
        check(TABLE, "127.0.0.1:8765", "127.0.0.1:54321", Some(1000));
        check(TABLE, "127.0.0.1:54321", "127.0.0.1:8765", Some(500));
        // Not accepted yet: uid 0 means nothing without an inode.
        check(TABLE, "127.0.0.1:8765", "127.0.0.1:54322", None);
        check(TABLE, "127.0.0.1:8765", "127.0.0.1:1", None);
        check(TABLE_6, "[::1]:8765", "[::1]:54321", Some(1001));
        check(TABLE_6, "127.0.0.1:8765", "127.0.0.1:54323", Some(1002));
        for broken in [
            "",
            "\n",
            "head\n0: x",
            "head\n0: 0100007F:223D 0100007F:D431 01",
        ] {
            check(broken, "127.0.0.1:8765", "127.0.0.1:54321", None);
        }
    }

    #[tokio::test]
    async fn a_real_connection_is_ours_once_accepted_and_nobodys_before() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = tokio::net::TcpListener::bind(host).await else {
                assert_eq!(host, "[::1]:0", "IPv4 loopback must be there");
                continue;
            };
            let server = listener.local_addr().unwrap();
            let stream = tokio::net::TcpStream::connect(server).await.unwrap();
            let client = stream.local_addr().unwrap();
            assert_eq!(read_owner(server, client), None);
            let accepting = listener.accept();
            let (peer, accepted) = tokio::join!(identify(server, client), accepting);
            assert_eq!(peer, Peer::OwnUser);
            drop(accepted);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_nobody_accepts_stays_unknown() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let stream = std::net::TcpStream::connect(server).unwrap();
        assert_eq!(
            identify(server, stream.local_addr().unwrap()).await,
            Peer::Unknown
        );
    }
}
