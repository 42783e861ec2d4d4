//! Why there is no answer, in words that a person can act on.

use std::time::Duration;

/// There is no answer from `host`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} {failure}")]
pub struct FetchError {
    /// Whom it was asked of, with the port if the address names one.
    pub host: String,
    /// Why not.
    pub failure: FetchFailure,
}

impl FetchError {
    /// No answer from `host`.
    pub fn new(host: impl Into<String>, failure: FetchFailure) -> Self {
        Self {
            host: host.into(),
            failure,
        }
    }
}

/// What came instead of an answer. The sentences begin with the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchFailure {
    /// The address cannot be used as one.
    #[error("is no address that can be asked ({reason}): give one such as https://host/path")]
    NotAnAddress {
        /// What is wrong with it.
        reason: String,
    },
    /// A header that HTTP does not allow.
    #[error(
        "was not asked: the value of the header {name} has characters that a header cannot have"
    )]
    BadHeader {
        /// Which.
        name: String,
    },
    /// The name leads to no machine.
    #[error(
        "is a name that leads nowhere ({reason}): look at its spelling, and whether this machine is online"
    )]
    UnknownHost {
        /// As the system says it.
        reason: String,
    },
    /// The machine turns connections away.
    #[error("refused the connection: nothing listens on that port, or a firewall turns it away")]
    Refused,
    /// The machine cannot be reached.
    #[error("cannot be reached ({reason}): look at the network")]
    Unreachable {
        /// As the system says it.
        reason: String,
    },
    /// The proxy on the way does not let us through.
    #[error("cannot be reached through the proxy {proxy}: {reason}")]
    Proxy {
        /// The proxy's address, without its user.
        proxy: String,
        /// What it does.
        reason: String,
    },
    /// It took too long.
    #[error("did not answer in full within {after:?}: try again, or look at the network between")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// There is no safe connection.
    #[error("{0}")]
    Tls(TlsProblem),
    /// What came is not HTTP.
    #[error("did not answer in HTTP ({reason}): is the address right?")]
    NotHttp {
        /// What is wrong with it.
        reason: String,
    },
    /// The body is longer than wanted.
    #[error("sends more than the {limit} bytes that are taken: is the address right?")]
    TooLarge {
        /// The most that is taken.
        limit: u64,
    },
    /// The answer ended before it was whole.
    #[error("ended its answer before it was whole, after {received} bytes of it: try again")]
    CutShort {
        /// How much of the body came.
        received: u64,
    },
    /// The answer sends us where we do not go.
    #[error("sends us to {to}, where we do not follow: give that address if you trust it")]
    RedirectRefused {
        /// Where to, without user and query.
        to: String,
    },
    /// The answers send us around.
    #[error("sends us from one address to the next, {times} times by now: is the address right?")]
    RedirectLoop {
        /// How often.
        times: usize,
    },
    /// Nothing can be asked of anybody.
    #[error("was not asked: {reason}")]
    NotReady {
        /// What is missing.
        reason: String,
    },
}

/// Why a connection is not safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// Nobody that is trusted vouches for it.
    #[error(
        "shows a certificate of an authority that is not trusted here: if it is your own, name its certificate with SSL_CERT_FILE and start the daemon again"
    )]
    UnknownAuthority,
    /// Its time is over.
    #[error(
        "shows a certificate that has expired: its owner has to renew it, or this machine's clock is wrong"
    )]
    Expired,
    /// Its time is still to come.
    #[error("shows a certificate that is not valid yet: is this machine's clock right?")]
    NotYetValid,
    /// It is another machine's.
    #[error("shows a certificate for another name ({names}): is the address right?")]
    WrongName {
        /// The names that it is for.
        names: String,
    },
    /// What answers speaks no TLS.
    #[error("does not speak TLS on that port: should the address begin with http://?")]
    NotTls,
    /// Anything else.
    #[error("gives no safe connection: {reason}")]
    Other {
        /// As the TLS library says it.
        reason: String,
    },
}
