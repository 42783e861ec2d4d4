//! Asks the kernel how much a peer has yet to acknowledge.

use tokio::net::TcpStream;

/// Bytes that are handed to the kernel and not yet acknowledged by the peer. 0 where the kernel
/// has no such question.
pub(crate) fn unacknowledged(stream: &TcpStream) -> usize {
    ask(stream).unwrap_or(0)
}

#[cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
))]
#[expect(
    unsafe_code,
    reason = "rustix has the call but no safe form of this question"
)]
fn ask(stream: &TcpStream) -> Option<usize> {
    use rustix::ioctl;
    use std::ffi::c_int;

    /// `SIOCOUTQ` of tcp(7), which has the number of `TIOCOUTQ`.
    const UNACKNOWLEDGED: ioctl::Opcode = 0x5411;
    // SAFETY: for a TCP socket this request writes one int to the given address and does nothing
    // else; `stream` is a TCP socket and `Getter` provides room for the int.
    let count = unsafe { ioctl::ioctl(stream, ioctl::Getter::<UNACKNOWLEDGED, c_int>::new()) };
    usize::try_from(count.ok()?).ok()
}

#[cfg(not(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
)))]
fn ask(_stream: &TcpStream) -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn counts_what_a_peer_does_not_take() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut peer = TcpStream::connect(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert_eq!(unacknowledged(&stream), 0);
        stream.writable().await.unwrap();
        let mut sent = 0;
        while let Ok(count) = stream.try_write(&[0; 65_536]) {
            sent += count;
        }
        assert!(unacknowledged(&stream) > 0);
        let mut buffer = vec![0; 65_536];
        while sent > 0 {
            sent -= peer.read(&mut buffer).await.unwrap();
        }
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while unacknowledged(&stream) > 0 {
            assert!(std::time::Instant::now() < deadline, "still unacknowledged");
            tokio::task::yield_now().await;
        }
    }
}
