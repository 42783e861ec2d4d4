//! Whose process is at the other end of a connection.

#[cfg(target_os = "linux")]
mod sock_diag;

use tokio::net::TcpStream;

/// What is known of the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of the daemon's own user, on this machine.
    Own,
    /// Another user, another machine, or nobody that the kernel can tell.
    Other,
    /// Somebody on this machine, on a system that cannot tell who.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "Linux can tell"))]
    Unknowable,
}

impl Peer {
    /// Asks who is at the other end of `stream`. Takes a few microseconds and waits for nobody.
    pub(crate) fn of(stream: &TcpStream) -> Self {
        let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else {
            return Self::Other;
        };
        if !(peer.ip().to_canonical().is_loopback() && local.ip().to_canonical().is_loopback()) {
            return Self::Other;
        }
        #[cfg(target_os = "linux")]
        {
            let own = linux::is_own(peer, local);
            // A connection that has ended meanwhile has left its two addresses to others, and the
            // answer may be about them.
            if own && stream.peer_addr().is_ok() {
                Self::Own
            } else {
                Self::Other
            }
        }
        #[cfg(not(target_os = "linux"))]
        Self::Unknowable
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::sock_diag;
    use std::fs;
    use std::net::SocketAddr;
    use std::sync::{Once, OnceLock};

    /// Whether the socket at `peer` that is connected to `local` is one of this process's user.
    pub(super) fn is_own(peer: SocketAddr, local: SocketAddr) -> bool {
        static TOLD: Once = Once::new();
        match sock_diag::owner(peer, local) {
            Ok(Some(uid)) => own_uid() == Some(uid),
            Ok(None) => false,
            Err(error) => {
                TOLD.call_once(|| {
                    tracing::warn!(%error, "the kernel does not tell whose connections are (sock_diag), so everybody needs the token");
                });
                false
            }
        }
    }

    /// The user of this process; `None` where the kernel gives that number to others too: in a user
    /// namespace, all that it does not know show as one.
    fn own_uid() -> Option<u32> {
        static OWN: OnceLock<Option<u32>> = OnceLock::new();
        *OWN.get_or_init(|| {
            let own = rustix::process::geteuid().as_raw();
            let read = |path| fs::read_to_string(path).unwrap_or_default();
            let stands_for_others = stands_for_others(
                own,
                &read("/proc/self/uid_map"),
                &read("/proc/sys/kernel/overflowuid"),
            );
            (!stands_for_others).then_some(own)
        })
    }

    /// `uid_map` and `overflow` as user_namespaces(7) has them.
    fn stands_for_others(own: u32, uid_map: &str, overflow: &str) -> bool {
        const USUAL: u32 = 65_534;
        let everybody_is_known = uid_map.split_whitespace().eq(["0", "0", "4294967295"]);
        !everybody_is_known && own == overflow.trim().parse().unwrap_or(USUAL)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_number_for_the_unknown_is_nobodys_own_in_a_namespace() {
            let whole = "         0          0 4294967295\n";
            let part = "      0   1000      1\n";
            assert!(!stands_for_others(65_534, whole, "65534\n"));
            assert!(stands_for_others(65_534, part, "65534\n"));
            assert!(stands_for_others(65_534, "", ""));
            assert!(!stands_for_others(0, part, "65534\n"));
            assert!(stands_for_others(7, part, "7\n"));
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::net::{TcpListener, TcpSocket};

    async fn pair(listen: &str, connect: impl Fn(u16) -> SocketAddr) -> (TcpStream, TcpStream) {
        let address: SocketAddr = listen.parse().unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let to = connect(listener.local_addr().unwrap().port());
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let client = socket.unwrap().connect(to).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn own_connections_are_known_in_every_form_of_address() {
        for (listen, connect) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("127.0.0.1:0", "[::ffff:127.0.0.1]"),
            ("127.0.0.2:0", "127.0.0.2"),
            ("0.0.0.0:0", "127.0.0.1"),
            ("[::1]:0", "[::1]"),
            ("[::]:0", "[::1]"),
            ("[::]:0", "127.0.0.1"),
            ("[::]:0", "[::ffff:127.0.0.1]"),
        ] {
            let to = |port| format!("{connect}:{port}").parse().unwrap();
            let (client, server) = pair(listen, to).await;
            assert_eq!(Peer::of(&server), Peer::Own, "{listen} {connect}");
            drop(client);
        }
    }

    #[tokio::test]
    async fn a_peer_that_has_closed_is_nobody() {
        let to = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (client, server) = pair("127.0.0.1:0", to).await;
        drop(client);
        assert_eq!(Peer::of(&server), Peer::Other);
    }

    /// Somebody sends, resets, and leaves the port to a process of the daemon's user.
    #[tokio::test]
    async fn a_connection_that_was_reset_is_not_taken_for_the_next_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connect = async |from: SocketAddr| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(from).unwrap();
            let client = socket.connect(address).await.unwrap();
            (client, listener.accept().await.unwrap().0)
        };
        let (first, served_first) = connect("127.0.0.1:0".parse().unwrap()).await;
        let from = first.local_addr().unwrap();
        first.set_zero_linger().unwrap();
        drop(first);
        let (_second, served_second) = connect(from).await;
        assert_eq!(Peer::of(&served_second), Peer::Own);
        assert_eq!(Peer::of(&served_first), Peer::Other);
    }

    /// What one question costs: `cargo test -p clown-server --release --lib -- --ignored --nocapture cost`.
    #[tokio::test]
    #[ignore = "measures"]
    async fn cost_of_a_question() {
        const QUESTIONS: u32 = 20_000;
        let to = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (_client, server) = pair("127.0.0.1:0", to).await;
        let start = std::time::Instant::now();
        for _ in 0..QUESTIONS {
            assert_eq!(Peer::of(&server), Peer::Own);
        }
        println!("{:?} each", start.elapsed() / QUESTIONS);
    }
}
