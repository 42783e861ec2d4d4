use crate::access::Token;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// How a server listens, whom it lets in and what it allows them.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Names by which `Host` may call this server, beside loopback ones. Without a port.
    pub hosts: Vec<String>,
    /// Origins (`scheme://host[:port]`) of web pages that may read and write, beside the own one.
    pub origins: Vec<String>,
    /// What shows who may come in where the user at the other end does not. Without one, none of
    /// those does.
    pub token: Option<Token>,
    /// How much of everything.
    pub limits: Limits,
}

impl ServerSettings {
    /// Listens on `listen`; everything else has its default.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            hosts: Vec::new(),
            origins: Vec::new(),
            token: None,
            limits: Limits::default(),
        }
    }
}

/// What clients may use up, and how long the server waits for them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open event streams; one more is refused with 503.
    pub connections: usize,
    /// Requests that are read or answered at the same time, beside open event streams.
    pub requests: usize,
    /// The largest message of a client, in bytes.
    pub message_bytes: usize,
    /// Messages of a client in a second.
    pub messages_per_second: u32,
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// How long a client may take for a request's head, and again for its body.
    pub request_timeout: Duration,
    /// How long a stream may take no byte while something waits for it.
    pub stall: Duration,
    /// A ping goes out after a time in this range.
    pub ping_every: Range<Duration>,
    /// How long the answer to a ping may take while nothing waits to be sent or acknowledged.
    pub pong_within: Duration,
    /// The least time between two `Cursor` messages.
    pub cursor_every: Duration,
    /// How long a closing handshake may take.
    pub close_within: Duration,
    /// How long the whole server may take to stop.
    pub stop_within: Duration,
    /// About how many bytes of events a stream takes from the bus or the journal at once.
    pub batch_bytes: usize,
    /// Whether a stream sends back what it gets, instead of doing what it says. For the
    /// conformance tests, which judge the connection by that; no daemon is built with it.
    #[cfg(feature = "conformance")]
    #[doc(hidden)]
    pub echo: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            requests: 512,
            message_bytes: 64 << 10,
            messages_per_second: 20,
            body_bytes: 1 << 20,
            request_timeout: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            ping_every: Duration::from_secs(20)..Duration::from_secs(30),
            pong_within: Duration::from_secs(10),
            cursor_every: Duration::from_secs(30),
            close_within: Duration::from_secs(2),
            stop_within: Duration::from_secs(4),
            // What a stalled stream pins beyond the ring, so it is small: with the default number
            // of streams, all of them stalled at different places, this is 64 MiB.
            batch_bytes: 64 << 10,
            #[cfg(feature = "conformance")]
            echo: false,
        }
    }
}
