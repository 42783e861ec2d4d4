//! One event stream: a cursor, a socket and one writer.

use super::feed::{Fault, Feed, Fetched, Refill};
#[cfg(feature = "conformance")]
use super::frame;
use super::heartbeat::{Beat, Heartbeat};
use super::outbox::Outbox;
use super::rate::Rate;
use super::socket::Socket;
use super::unacknowledged::unacknowledged;
use super::{Stop, answer};
use crate::settings::Limits;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message, WebSocket};

/// While more than this waits that the client itself has caused, it is not read from: whoever
/// sends pings without taking the answers stops itself.
const CAUSED_BY_CLIENT: usize = 4 << 10;

/// How many messages are read before others get their turn.
const READS: usize = 16;

/// tungstenite fills it with zeros before each read and keeps it; messages of clients are short.
const READ_BUFFER: usize = 1 << 10;

pub(super) struct Connection {
    socket: WebSocket<Socket>,
    /// Something may be left to read that was taken from the kernel already.
    unread: bool,
    outbox: Outbox,
    feed: Feed,
    limits: Arc<Limits>,
    heartbeat: Heartbeat,
    rate: Rate,
    stop: watch::Receiver<Option<Stop>>,
    stop_by: Option<Instant>,
    closing: Option<Closing>,
    taken: Taken,
    timer: Pin<Box<Sleep>>,
}

/// A close frame has been sent or received; no other frame follows it.
#[derive(Debug, Clone, Copy)]
struct Closing {
    until: Instant,
    /// The client broke the protocol: nothing that it sends has a meaning any more.
    deaf: bool,
    /// Both sides have said it.
    done: bool,
}

/// How much the peer has taken, and since when that stands.
#[derive(Debug)]
struct Taken {
    sent: u64,
    taken: u64,
    since: Option<Instant>,
}

/// How a connection ends.
#[derive(Debug)]
enum End {
    /// After a closing handshake, or its deadline.
    Closed,
    /// After a close frame that cannot be answered, because the client is not understood.
    Failed {
        until: Instant,
    },
    Dropped(&'static str),
}

/// What to wait for.
enum Next {
    /// Nothing: there is more to do.
    Again,
    Wait {
        read: bool,
        feed: bool,
        deadline: Instant,
    },
}

impl Connection {
    /// `read_ahead` is what came right behind the handshake.
    pub(super) fn new(
        stream: TcpStream,
        read_ahead: Vec<u8>,
        feed: Feed,
        limits: Arc<Limits>,
        stop: watch::Receiver<Option<Stop>>,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(2 * limits.message_bytes + READ_BUFFER)
            .max_message_size(Some(limits.message_bytes))
            .max_frame_size(Some(limits.message_bytes));
        let now = Instant::now();
        Self {
            socket: WebSocket::from_partially_read(
                Socket::new(stream),
                read_ahead,
                Role::Server,
                Some(config),
            ),
            unread: true,
            outbox: Outbox::default(),
            feed,
            heartbeat: Heartbeat::new(limits.ping_every.clone(), limits.pong_within, now),
            rate: Rate::new(limits.messages_per_second, now),
            limits,
            stop,
            stop_by: None,
            closing: None,
            taken: Taken {
                sent: 0,
                taken: 0,
                since: None,
            },
            timer: Box::pin(tokio::time::sleep_until(now)),
        }
    }

    /// Serves the stream until its end; then `held` is let go.
    #[expect(
        clippy::manual_async_fn,
        reason = "the future of an async fn holds its arguments twice, for as long as the stream lives"
    )]
    pub(super) fn run(mut self, held: impl Send) -> impl Future<Output = ()> + Send {
        async move {
            let end = self.serve().await;
            self.end(end).await;
            drop(held);
        }
    }

    async fn serve(&mut self) -> End {
        loop {
            match self.step(Instant::now()) {
                Err(end) => return end,
                Ok(Next::Again) => tokio::task::yield_now().await,
                Ok(Next::Wait {
                    read,
                    feed,
                    deadline,
                }) => {
                    if let Some(fetched) = self.wait(read, feed, deadline).await {
                        self.take_page(fetched);
                    }
                }
            }
        }
    }

    async fn end(&mut self, end: End) {
        match end {
            End::Dropped(why) => tracing::debug!(why, "event stream dropped"),
            End::Closed => {
                tracing::debug!("event stream closed");
                // What is sent goes out after this; an error means that the peer is gone already.
                let _ = self.socket.get_mut().stream_mut().shutdown().await;
            }
            End::Failed { until } => {
                tracing::debug!("event stream failed");
                // Boxed: it is rare, and has no place in the memory of every stream.
                Box::pin(linger(self.socket.get_mut().stream_mut(), until)).await;
            }
        }
    }

    /// Does all that can be done now.
    fn step(&mut self, now: Instant) -> Result<Next, End> {
        if self.stop_by.is_none()
            && let Some(stop) = *self.stop.borrow_and_update()
        {
            self.feed.end_after(stop.last);
            self.stop_by = Some(stop.until);
        }
        let more_to_read = self.receive(now)?;
        let mut refill = None;
        if self.feeds() {
            let result = self.feed.refill(&mut self.outbox, now);
            if result == Refill::Ended {
                self.close(CloseCode::Away, "the daemon is stopping", now);
            }
            refill = Some(result);
        }
        self.beat(now)?;
        self.send(now)?;
        if self.stop_by.is_some_and(|until| until <= now) {
            return Err(End::Dropped("took too long while the daemon was stopping"));
        }
        if let Some(closing) = self.closing {
            let sent = self.outbox.is_empty();
            if (closing.done && sent) || closing.until <= now {
                return Err(End::Closed);
            }
            if closing.deaf && sent {
                let until = closing.until;
                return Err(End::Failed { until });
            }
        }
        // The feed wakes this stream only once it has said that it has nothing more.
        let more_to_feed =
            self.feeds() && !matches!(refill, Some(Refill::CaughtUp | Refill::Reading));
        if more_to_read || more_to_feed {
            return Ok(Next::Again);
        }
        Ok(Next::Wait {
            read: self.reads(),
            feed: self.feeds(),
            deadline: self.deadline(),
        })
    }

    async fn wait(
        &mut self,
        read: bool,
        feed: bool,
        deadline: Instant,
    ) -> Option<Result<Fetched, Fault>> {
        let sends = !self.outbox.is_empty();
        // A timer that fires too early does no harm, and to set it anew each time costs more.
        if self.timer.deadline() > deadline || self.timer.is_elapsed() {
            self.timer.as_mut().reset(deadline);
        }
        // By hand: what waits is the same each time, and is not to be set up anew for each event.
        poll_fn(|context| {
            // Also where events have to wait, since the order to stop wakes the same way.
            self.feed.register(context);
            if feed && let Poll::Ready(fetched) = self.feed.poll_ready(context) {
                return Poll::Ready(fetched);
            }
            // The sender is gone only when the server is, which ends this task too.
            let stops = self.stop_by.is_none() && self.stop.has_changed().unwrap_or(false);
            let stream = self.socket.get_ref().stream();
            // An error shows again, and in more detail, when the socket is read or written.
            let woken = stops
                || (read && stream.poll_read_ready(context).is_ready())
                || (sends && stream.poll_write_ready(context).is_ready())
                || self.timer.as_mut().poll(context).is_ready();
            if woken {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    fn take_page(&mut self, fetched: Result<Fetched, Fault>) {
        let now = Instant::now();
        match fetched {
            Ok(page) => self.feed.accept(page, &mut self.outbox),
            Err(Fault::Lost) => {
                self.close(
                    CloseCode::Again,
                    "too slow: the next events are no longer retained",
                    now,
                );
            }
            Err(Fault::Store(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot read the journal"
                );
                self.close(CloseCode::Error, "the journal cannot be read", now);
            }
            Err(Fault::Cancelled) => self.close(CloseCode::Away, "the daemon is stopping", now),
        }
    }

    /// Whether events may go into the outbox.
    fn feeds(&self) -> bool {
        self.closing.is_none() && self.outbox.wants_events()
    }

    fn reads(&self) -> bool {
        // A gap is the first that a client hears; until it is known, nothing is answered.
        (self.closing.is_some() || !self.feed.begins())
            && self.outbox.caused_by_client() <= CAUSED_BY_CLIENT
            && !self
                .closing
                .is_some_and(|closing| closing.done || closing.deaf)
    }

    /// Whether the runtime has heard of something to read. Asks nobody.
    fn readable(&self) -> bool {
        let stream = self.socket.get_ref().stream();
        stream.try_io(Interest::READABLE, || Ok(())).is_ok()
    }

    /// Reads what the client has sent. True when there is more.
    fn receive(&mut self, now: Instant) -> Result<bool, End> {
        // Most of the time there is nothing, and to find that out by reading costs more.
        if !self.unread && !self.readable() {
            return Ok(false);
        }
        self.unread = true;
        for _ in 0..READS {
            if !self.reads() {
                return Ok(false);
            }
            let answers = self.outbox.answers();
            let read = self.socket.read();
            let blocked =
                matches!(&read, Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock);
            let handled = if blocked {
                Ok(())
            } else {
                self.handle(read, now)
            };
            let written = self.socket.get_mut().take_written();
            self.outbox.push_control(&written);
            handled?;
            if blocked {
                self.unread = false;
                return Ok(false);
            }
            if self.outbox.answers() > answers {
                // It goes out before the next message is looked at, which may end the stream.
                return Ok(true);
            }
        }
        Ok(true)
    }

    fn handle(&mut self, read: Result<Message, Error>, now: Instant) -> Result<(), End> {
        match read {
            #[cfg(feature = "conformance")]
            Ok(Message::Text(text)) if self.limits.echo && self.closing.is_none() => {
                self.outbox.push_answer(frame::text(text.as_str()));
            }
            #[cfg(feature = "conformance")]
            Ok(Message::Binary(bytes)) if self.limits.echo && self.closing.is_none() => {
                self.outbox.push_answer(frame::binary(&bytes));
            }
            Ok(Message::Text(text)) if self.closing.is_none() => {
                let allowed = self.rate.allow(now);
                let frame = answer::answer(&mut self.feed, text.as_str(), allowed);
                self.outbox.push_answer(frame);
            }
            Ok(Message::Binary(_)) if self.closing.is_none() => {
                self.close(
                    CloseCode::Unsupported,
                    "only text messages are understood",
                    now,
                );
            }
            Ok(Message::Pong(_)) => self.heartbeat.answered(now),
            Ok(Message::Close(_)) => {
                self.outbox.drop_waiting();
                self.start_closing(now);
            }
            // tungstenite answers pings; what comes after a close frame has no meaning.
            Ok(_) => {}
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                self.start_closing(now);
                if let Some(closing) = &mut self.closing {
                    closing.done = true;
                }
            }
            Err(Error::Capacity(_)) => self.fail(CloseCode::Size, "the message is too large", now),
            Err(Error::Utf8(_)) => self.fail(CloseCode::Invalid, "the message is not UTF-8", now),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))
            | Err(Error::Io(_)) => {
                return Err(End::Dropped("the client is gone"));
            }
            Err(Error::Protocol(error)) => {
                tracing::debug!(%error, "client breaks the protocol");
                self.fail(CloseCode::Protocol, "not a WebSocket message", now);
            }
            Err(_) => return Err(End::Dropped("the socket failed")),
        }
        Ok(())
    }

    /// Sends a close frame behind what is begun, and nothing else after it.
    fn close(&mut self, code: CloseCode, reason: &'static str, now: Instant) {
        if self.closing.is_some() {
            return;
        }
        self.outbox.drop_waiting();
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        // It is written to memory, and fails only when it was said before.
        let _ = self.socket.close(Some(frame));
        let written = self.socket.get_mut().take_written();
        self.outbox.push_control(&written);
        self.start_closing(now);
    }

    fn fail(&mut self, code: CloseCode, reason: &'static str, now: Instant) {
        self.close(code, reason, now);
        if let Some(closing) = &mut self.closing {
            closing.deaf = true;
        }
    }

    fn start_closing(&mut self, now: Instant) {
        let until = now + self.limits.close_within;
        self.closing.get_or_insert(Closing {
            until,
            deaf: false,
            done: false,
        });
    }

    fn send(&mut self, now: Instant) -> Result<(), End> {
        let stream = self.socket.get_ref().stream();
        let sent = self
            .outbox
            .send(|pieces| match pieces {
                [piece] => stream.try_write(piece),
                pieces => stream.try_write_vectored(pieces),
            })
            .map_err(|_| End::Dropped("the client is gone"))?;
        self.taken.sent += sent as u64;
        if !self.outbox.is_empty() {
            return self.check_taken(now);
        }
        if sent > 0 {
            self.taken.since = None;
        }
        Ok(())
    }

    /// Drops a client that takes nothing while something waits for it.
    fn check_taken(&mut self, now: Instant) -> Result<(), End> {
        let unacknowledged = unacknowledged(self.socket.get_ref().stream()) as u64;
        let taken = self.taken.sent.saturating_sub(unacknowledged);
        let since = *self.taken.since.get_or_insert(now);
        if taken > self.taken.taken {
            self.taken.taken = taken;
            self.taken.since = Some(now);
        } else if now.duration_since(since) >= self.limits.stall {
            return Err(End::Dropped("the client takes nothing"));
        }
        Ok(())
    }

    fn beat(&mut self, now: Instant) -> Result<(), End> {
        let outbox = &self.outbox;
        let stream = self.socket.get_ref().stream();
        let mut waits = false;
        let beat = self.heartbeat.tick(now, || {
            waits = !outbox.is_empty() || unacknowledged(stream) > 0;
            waits
        });
        match beat {
            // What the kernel holds for a peer that takes nothing counts too.
            Beat::Nothing if waits => self.check_taken(now),
            Beat::Nothing => Ok(()),
            Beat::Ping => {
                // It is written to memory, and fails only behind a close frame.
                let _ = self.socket.send(Message::Ping(Bytes::new()));
                let written = self.socket.get_mut().take_written();
                self.outbox.push_control(&written);
                Ok(())
            }
            Beat::Dead => Err(End::Dropped("the client does not answer a ping")),
        }
    }

    fn deadline(&self) -> Instant {
        let since = self.taken.since.filter(|_| !self.outbox.is_empty());
        let stalled = since.map(|since| since + self.limits.stall);
        let closed = self.closing.map(|closing| closing.until);
        let place = self.feed.deadline().filter(|_| self.feeds());
        [stalled, closed, self.stop_by, place]
            .into_iter()
            .flatten()
            .fold(self.heartbeat.deadline(), Instant::min)
    }
}

/// Ends our side, then reads what is still on its way without a look. To close a socket with
/// unread bytes would reset the connection, and the client might never see why.
async fn linger(stream: &mut TcpStream, until: Instant) {
    if stream.shutdown().await.is_ok() {
        let mut nowhere = tokio::io::sink();
        let rest = tokio::io::copy(stream, &mut nowhere);
        let _ = tokio::time::timeout_at(until, rest).await;
    }
}
