use crate::discovery::DaemonAddress;
use crate::error::ClientError;
use crate::peer::{Peer, identify};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may take to be there. Loopback needs none of it.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How much the other side must have proved before something goes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// None: a person gave the address, and a token for it.
    ByHand,
    /// Not another user's on this machine.
    Ordinary,
    /// The own user's, on this machine: keys and programs to start pass here.
    Secret,
}

/// A connection whose other side has been checked; nothing has been sent on it.
pub(crate) async fn connect(
    address: &DaemonAddress,
    trust: Trust,
) -> Result<TcpStream, ClientError> {
    let unreachable = |source| ClientError::NotReachable {
        address: address.to_string(),
        source,
    };
    let connecting = TcpStream::connect((address.host(), address.port()));
    let stream = timeout(CONNECT_LIMIT, connecting)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(unreachable)?;
    // Requests are small and answered at once; waiting to fill a segment only delays them.
    stream.set_nodelay(true).map_err(unreachable)?;
    let server = stream.peer_addr().map_err(unreachable)?;
    let client = stream.local_addr().map_err(unreachable)?;
    let peer = tokio::select! {
        biased;
        peer = identify(server, client) => peer,
        // A daemon that is about to end may never take the connection.
        error = closed(&stream) => return Err(unreachable(error)),
    };
    let not_own = |owner| {
        Err(ClientError::NotOwn {
            address: address.to_string(),
            owner,
        })
    };
    match peer {
        Peer::OwnUser => Ok(stream),
        // Such a daemon may well be another user's, or be reached through a forwarder.
        _ if trust == Trust::ByHand => Ok(stream),
        Peer::OtherUser(user) => not_own(format!("belongs to another user (uid {user})")),
        Peer::Unknown => not_own("did not take the connection, so its owner is unknown".into()),
        Peer::Elsewhere if trust == Trust::Ordinary || server_is_here(&server) => Ok(stream),
        Peer::Elsewhere => Err(ClientError::NotLocal {
            address: address.to_string(),
        }),
    }
}

/// Only where the system has no look-up does a loopback peer come out as `Elsewhere`.
fn server_is_here(server: &std::net::SocketAddr) -> bool {
    server.ip().to_canonical().is_loopback()
}

/// Waits until the other side has closed a connection on which nothing was asked yet.
async fn closed(stream: &TcpStream) -> io::Error {
    match stream.peek(&mut [0]).await {
        Ok(0) => io::ErrorKind::ConnectionReset.into(),
        // It speaks first, whatever it is.
        Ok(_) => std::future::pending().await,
        Err(error) => error,
    }
}
