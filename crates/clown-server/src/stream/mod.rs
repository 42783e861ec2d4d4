//! The event stream: `GET /ws`, and the same as Server-Sent Events.
//!
//! A connection holds a cursor and no queue. What it sends are slices of the bus or, when it has
//! fallen behind that, pages of the journal; control frames go through the same writer.

mod answer;
mod connection;
mod feed;
mod form;
mod frame;
mod handshake;
mod heartbeat;
mod outbox;
mod parameters;
mod rate;
mod server_sent;
mod socket;
mod task;
mod unacknowledged;

use crate::activity::{Activity, Hold};
use crate::http::{Body, Refusal};
use crate::patient::Patient;
use crate::settings::Limits;
use crate::since::Since;
use clown_core::Seq;
use clown_core::journal::{self, Start};
use clown_core::store::{Store, StoreError};
use connection::Connection;
pub(crate) use feed::passes;
use feed::{Feed, Position, Source, Wanted};
use form::Form;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parameters::Parameters;
pub(crate) use server_sent::EventBody;
use server_sent::Follower;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
pub(crate) use unacknowledged::unacknowledged;

/// How many streams may read the journal at the same time.
const JOURNAL_READERS: usize = 4;

/// All event streams of a server.
#[derive(Debug)]
pub(crate) struct Streams {
    source: Source,
    limits: Arc<Limits>,
    activity: Arc<Activity>,
    slots: Arc<Semaphore>,
    stop: watch::Sender<Option<Stop>>,
}

/// The order to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// The last event that a stream sends.
    pub(crate) last: Seq,
    /// A stream that is not through by then is dropped.
    pub(crate) until: Instant,
}

impl Streams {
    pub(crate) fn new(store: Arc<Store>, limits: Arc<Limits>, activity: Arc<Activity>) -> Self {
        let source = Source {
            store,
            readers: Arc::new(Semaphore::new(JOURNAL_READERS)),
            batch_bytes: limits.batch_bytes,
        };
        Self {
            source,
            slots: Arc::new(Semaphore::new(limits.connections)),
            limits,
            activity,
            stop: watch::Sender::new(None),
        }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.limits.connections - self.slots.available_permits()
    }

    /// Lets every stream send what is committed, then ends it; waits until all have ended.
    pub(crate) async fn stop(&self, stop: Stop) {
        self.stop.send_replace(Some(stop));
        // Those that wait for other events too.
        self.source.store.bus().wake_all();
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        // Streams end by themselves at the deadline; this is the proof against one that does not.
        let deadline = stop.until + self.limits.close_within;
        if tokio::time::timeout_at(deadline, self.slots.acquire_many(all))
            .await
            .is_err()
        {
            tracing::warn!("some event streams did not end in time");
        }
    }

    /// Answers a handshake, and serves the stream on a task of its own.
    pub(crate) async fn open(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let response = handshake::accept(&request)?;
        let parameters = Parameters::parse(request.uri().query())?;
        let slot = self.slot()?;
        let form = match parameters.since {
            None => Form::Plain,
            Some(_) => Form::Sequenced,
        };
        let keepalive = parameters.keepalive;
        let opened = Opened {
            upgrade: hyper::upgrade::on(&mut request),
            feed: self.feed(parameters, form).await?,
            limits: Arc::clone(&self.limits),
            stop: self.stop.subscribe(),
            _slot: slot,
            _hold: keepalive.then(|| self.activity.hold()),
        };
        tokio::spawn(opened.serve());
        Ok(response)
    }

    /// The stream as Server-Sent Events, and the place that it takes among all streams, to be held
    /// until its connection has ended. `last_id` is what a client says that comes back.
    pub(crate) async fn follow(
        &self,
        query: Option<&str>,
        last_id: Option<Since>,
    ) -> Result<(EventBody, OwnedSemaphorePermit), Refusal> {
        let mut parameters = Parameters::parse(query)?;
        // A browser that comes back uses the address of its first time.
        parameters.since = last_id.or(parameters.since);
        let slot = self.slot()?;
        let hold = parameters.keepalive.then(|| self.activity.hold());
        let feed = self.feed(parameters, Form::ServerSent).await?;
        let quiet = self.limits.ping_every.start;
        let follower = Follower::new(feed, self.stop.subscribe(), quiet, hold);
        Ok((EventBody::new(follower), slot))
    }

    fn slot(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            let detail = format!(
                "there are {} event streams already, the most that are allowed",
                self.limits.connections
            );
            unavailable("too_many_connections", detail)
        })?;
        if self.stop.borrow().is_some() {
            return Err(unavailable("stopping", "the daemon is stopping"));
        }
        Ok(slot)
    }

    async fn feed(&self, parameters: Parameters, form: Form) -> Result<Feed, Refusal> {
        let position = match parameters.since {
            None => Position::After(self.source.store.head()),
            Some(since) => self.resume(since).await?,
        };
        let wanted = Wanted {
            position,
            filter: parameters.filter,
            form,
        };
        Ok(Feed::new(
            self.source.clone(),
            wanted,
            self.limits.cursor_every,
        ))
    }

    async fn resume(&self, since: Since) -> Result<Position, Refusal> {
        let store = Arc::clone(&self.source.store);
        let resolve = move || {
            let Since::Seq(seq) = since else {
                return Ok(Position::After(since.resolve(&store)?));
            };
            if seq == Seq::START {
                return Ok(Position::Oldest { gap_after: None });
            }
            Ok::<_, StoreError>(match journal::resume(&store, seq)? {
                Start::After(seq) => Position::After(seq),
                Start::Gap(_) => Position::Oldest {
                    gap_after: Some(seq),
                },
            })
        };
        crate::http::blocking(resolve).await?.map_err(Refusal::from)
    }
}

fn unavailable(code: &'static str, detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        .with_header(RETRY_AFTER, HeaderValue::from_static("5"))
}

/// A stream whose handshake is being answered.
struct Opened {
    upgrade: OnUpgrade,
    feed: Feed,
    limits: Arc<Limits>,
    stop: watch::Receiver<Option<Stop>>,
    _slot: OwnedSemaphorePermit,
    _hold: Option<Hold>,
}

impl Opened {
    async fn serve(self) {
        let upgraded = tokio::time::timeout(self.limits.request_timeout, self.upgrade).await;
        let Ok(Ok(upgraded)) = upgraded else {
            tracing::debug!("the client left during its handshake");
            return;
        };
        let Ok(parts) = upgraded.downcast::<TokioIo<Patient>>() else {
            tracing::error!("an upgraded connection is no TCP socket");
            return;
        };
        // Copied, so that hyper's own buffer is not kept for as long as the stream lives.
        let read_ahead = parts.read_buf.to_vec();
        let stream = parts.io.into_inner().into_inner();
        let hook = self.feed.hook();
        let connection = Connection::new(stream, read_ahead, self.feed, self.limits, self.stop);
        // A task of its own, so that what the handshake needed is not kept either.
        task::spawn(connection.run((self._slot, self._hold)), hook);
    }
}
