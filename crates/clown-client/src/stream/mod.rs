mod connection;
mod position;
pub(crate) mod probe;

use crate::backoff::Backoff;
use crate::discovery::{DaemonAddress, Discovery};
use crate::error::ClientError;
use crate::since::Since;
use clown_events::{Envelope, Timestamp};
use connection::{Attempt, Connection, open};
use position::Position;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// A connection that lasted this long was a working one, even if nothing happened on it.
const WORKED: Duration = Duration::from_secs(5);

/// The live stream of events, for as long as it is read.
///
/// It connects when it is first read. When the connection ends it waits (at random up to a
/// ceiling that doubles from 250 ms to 30 s), finds the daemon again, wherever that listens by
/// then, and goes on after the last event. What a daemon can no longer give is not passed over in
/// silence: [`StreamItem::Gap`] says so.
///
/// Each event is handed out once, in order of its `seq`. Without a starting point the stream
/// begins with what happens after the first time that the daemon was reached, and holds to that
/// point even if the connection breaks before any event came.
///
/// ```no_run
/// use clown_client::{Discovery, EventStream, StreamItem, StreamOptions};
///
/// # async fn example() -> Result<(), clown_client::ClientError> {
/// let options = StreamOptions { events: vec!["Profile*".to_owned()], ..Default::default() };
/// let mut stream = EventStream::new(Discovery::in_state_dir("/tmp/state"), options);
/// loop {
///     match stream.next().await? {
///         StreamItem::Event(received) => println!("{}", received.envelope.timestamp),
///         StreamItem::Gap { .. } => println!("something was missed"),
///         StreamItem::Disconnected { reason, .. } => println!("{reason}; trying again"),
///         _ => {}
///     }
/// }
/// # }
/// ```
pub struct EventStream {
    discovery: Discovery,
    options: StreamOptions,
    position: Position,
    backoff: Backoff,
    phase: Phase,
}

type Connecting = Pin<Box<dyn Future<Output = Attempt> + Send>>;

enum Phase {
    Idle,
    Waiting(Pin<Box<Sleep>>),
    Connecting(Connecting),
    Open(Box<Connection>),
}

impl EventStream {
    /// A stream from the daemon that `discovery` finds. Connects to nothing yet.
    pub fn new(discovery: Discovery, options: StreamOptions) -> Self {
        let position = Position::new(options.since.unwrap_or(Since::Now).pinned(Timestamp::now()));
        Self {
            discovery,
            options,
            position,
            backoff: Backoff::new(),
            phase: Phase::Idle,
        }
    }

    /// The next thing that happened on the stream. It waits as long as it takes, and across any
    /// number of connections; the stream never ends by itself.
    ///
    /// Dropping the future before it is ready loses nothing, so it may stand in a `select!`.
    ///
    /// # Errors
    /// [`ClientError::Problem`] when the daemon refuses what was asked for, which asking again
    /// does not change (an unknown event name, no permission), and [`ClientError::Token`] when it
    /// asks for a token that cannot be used. Everything else is waited out and
    /// told as [`StreamItem::Disconnected`].
    pub async fn next(&mut self) -> Result<StreamItem, ClientError> {
        loop {
            match &mut self.phase {
                Phase::Idle => {
                    let attempt = open(
                        self.discovery.clone(),
                        self.options.clone(),
                        self.position.since(),
                    );
                    self.phase = Phase::Connecting(Box::pin(attempt));
                }
                Phase::Waiting(pause) => {
                    pause.as_mut().await;
                    self.phase = Phase::Idle;
                }
                Phase::Connecting(attempt) => {
                    let Attempt { since, outcome } = attempt.await;
                    self.phase = Phase::Idle;
                    self.position.start_at(since);
                    match outcome {
                        Ok(connection) => {
                            let address = connection.address().clone();
                            self.phase = Phase::Open(connection);
                            return Ok(StreamItem::Connected { address, since });
                        }
                        Err(error) if is_final(&error) => return Err(error),
                        Err(error) => {
                            return Ok(self.disconnected(DisconnectReason::Unavailable(error)));
                        }
                    }
                }
                Phase::Open(connection) => match connection.receive().await {
                    Ok(text) => {
                        if let Some(item) = self.position.take(&text) {
                            self.backoff.reset();
                            return Ok(item);
                        }
                    }
                    Err(reason) => {
                        if connection.age() >= WORKED {
                            self.backoff.reset();
                        }
                        return Ok(self.disconnected(reason));
                    }
                },
            }
        }
    }

    /// The number after which the stream goes on, once one is known. Kept, and given as
    /// [`Since::Seq`] to a later stream, it makes that one continue where this one was.
    pub fn last_seq(&self) -> Option<u64> {
        self.position.last()
    }

    fn disconnected(&mut self, reason: DisconnectReason) -> StreamItem {
        let retry_in = self.backoff.next_wait();
        self.phase = Phase::Waiting(Box::pin(sleep(retry_in)));
        StreamItem::Disconnected { reason, retry_in }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EventStream")
            .field("discovery", &self.discovery)
            .field("options", &self.options)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Whether asking the same again would be answered the same.
pub(crate) fn is_final(error: &ClientError) -> bool {
    const BUSY: [u16; 2] = [408, 429];
    match error {
        ClientError::Problem(problem) => {
            (400..500).contains(&problem.status) && !BUSY.contains(&problem.status)
        }
        ClientError::Token(_) => true,
        _ => false,
    }
}

/// What to stream. The default is every event from now on.
///
/// ```
/// use clown_client::{Since, StreamOptions};
///
/// let options = StreamOptions {
///     events: vec!["ProfileStarted".to_owned(), "Proxy*".to_owned()],
///     since: Some(Since::Seq(1_767_868_200_123_456)),
///     ..StreamOptions::default()
/// };
/// assert!(!options.keepalive);
/// ```
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Names of events, or prefixes with `*`; all where empty.
    pub events: Vec<String>,
    /// Aliases of profiles that the events must concern; any where empty.
    pub profiles: Vec<String>,
    /// Where to begin; from now on where left out. A stretch of time counts back from when the
    /// stream was made.
    pub since: Option<Since>,
    /// Whether the daemon's idle timeout waits for this stream.
    pub keepalive: bool,
    /// After this long without a sign of life the daemon is asked for one. The default is 45 s:
    /// a daemon that is well says something every 30 s.
    pub quiet_limit: Duration,
    /// How long it may take to answer before the connection is given up. The default is 10 s.
    pub answer_limit: Duration,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            profiles: Vec::new(),
            since: None,
            keepalive: false,
            quiet_limit: Duration::from_secs(45),
            answer_limit: Duration::from_secs(10),
        }
    }
}

/// One thing that happened on an [`EventStream`].
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamItem {
    /// Connected, for the first time or again.
    Connected {
        /// To which daemon.
        address: DaemonAddress,
        /// From where it goes on.
        since: Since,
    },
    /// An event.
    Event(Received),
    /// Something was missed. What follows begins with the oldest event that is retained; ask
    /// [`crate::Client::state`] for what is true now.
    Gap(Gap),
    /// Events that were not asked for went by, up to this number.
    Cursor(u64),
    /// A message that this version cannot read. The stream goes on behind it.
    Unreadable(Unreadable),
    /// The connection ended, or could not be made. The stream goes on by itself.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// When it is tried again.
        retry_in: Duration,
    },
}

/// Events after `since` are no longer retained, or the journal is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Where the stream wanted to go on.
    pub since: u64,
    /// The oldest event that is retained.
    pub oldest: u64,
    /// The latest one.
    pub latest: u64,
}

/// A message that this version cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The message.
    pub text: String,
    /// What is wrong with it.
    pub error: String,
}

/// An event, and the text in which it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The event; its `seq` is always there.
    pub envelope: Envelope,
    /// Exactly what the daemon sent, with members that this version does not know.
    pub text: String,
}

/// Why an [`EventStream`] is without a connection. Its text is for people.
///
/// ```
/// let reason = clown_client::DisconnectReason::Silent;
/// assert_eq!(reason.to_string(), "the daemon no longer answers");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// No connection could be made.
    #[error(transparent)]
    Unavailable(ClientError),
    /// The daemon closed the connection.
    #[error("the daemon closed the connection ({code}{})", space_before(reason))]
    Closed {
        /// WebSocket's close code: 1001 when the daemon goes away, 1013 when this client was too
        /// slow, 1005 when it gave none.
        code: u16,
        /// Its words for it.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection to the daemon was lost")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing came any more, not even an answer to a ping.
    #[error("the daemon no longer answers")]
    Silent,
    /// Something came that a daemon does not send.
    #[error("the other side is not Clown's daemon: it sent {0}")]
    Foreign(&'static str),
}

fn space_before(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(" {reason}")
    }
}
