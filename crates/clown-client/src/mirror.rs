use crate::backoff::Backoff;
use crate::client::Client;
use crate::discovery::Discovery;
use crate::error::ClientError;
use crate::since::Since;
use crate::stream::{EventStream, StreamItem, StreamOptions, is_final};
use clown_api::State;

/// A copy of the daemon's state that is renewed whenever something happens.
///
/// It takes a snapshot and follows the stream from exactly there. An event makes it take the next
/// snapshot; those that the snapshot already reflects are passed over, so that many events at once
/// cost one. Nothing is polled, so what changes without an event (a provider's file, say) shows with the
/// next one. Lost connections, restarts of the daemon and gaps are waited out: what
/// comes then is what is true then.
///
/// ```no_run
/// use clown_client::{Discovery, Mirror};
///
/// # async fn example() -> Result<(), clown_client::ClientError> {
/// let mut mirror = Mirror::new(Discovery::in_state_dir("/tmp/state"));
/// loop {
///     let state = mirror.next().await?;
///     println!("{} profiles, {} runs", state.profiles.len(), state.runs.len());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Mirror {
    client: Client,
    options: StreamOptions,
    backoff: Backoff,
    /// `None` until the first snapshot.
    stream: Option<EventStream>,
    /// `None` until the first snapshot.
    state: Option<State>,
    /// Something has happened since the snapshot.
    stale: bool,
}

impl Mirror {
    /// A mirror of the daemon that `discovery` finds. Connects to nothing yet.
    pub fn new(discovery: Discovery) -> Self {
        Self::with_options(discovery, StreamOptions::default())
    }

    /// The same, renewed by some events alone. Where `options` says to begin has no meaning here.
    pub fn with_options(discovery: Discovery, options: StreamOptions) -> Self {
        Self {
            client: Client::new(discovery),
            options,
            backoff: Backoff::new(),
            stream: None,
            state: None,
            stale: true,
        }
    }

    /// The state, once it is another than the last time. It waits as long as it takes.
    ///
    /// Dropping the future before it is ready loses nothing, so it may stand in a `select!`.
    ///
    /// # Errors
    /// As [`EventStream::next`]: when the daemon refuses what asking again does not change.
    pub async fn next(&mut self) -> Result<&State, ClientError> {
        if let (Some(stream), Some(state)) = (&mut self.stream, &self.state) {
            while !self.stale {
                self.stale = match stream.next().await? {
                    StreamItem::Event(received) => {
                        received.envelope.seq.is_none_or(|seq| seq > state.seq)
                    }
                    StreamItem::Gap(_) | StreamItem::Unreadable(_) => true,
                    _ => false,
                };
            }
        }
        let state = self.snapshot().await?;
        self.stale = false;
        self.stream.get_or_insert_with(|| {
            let since = Some(Since::Seq(state.seq));
            let options = StreamOptions {
                since,
                ..self.options.clone()
            };
            EventStream::new(self.client.discovery().clone(), options)
        });
        Ok(self.state.insert(state))
    }

    /// What [`Mirror::next`] gave last.
    pub fn last(&self) -> Option<&State> {
        self.state.as_ref()
    }

    async fn snapshot(&mut self) -> Result<State, ClientError> {
        loop {
            match self.client.state().await {
                Ok(state) => {
                    self.backoff.reset();
                    return Ok(state);
                }
                Err(error) if is_final(&error) => return Err(error),
                Err(_) => tokio::time::sleep(self.backoff.next_wait()).await,
            }
        }
    }
}
