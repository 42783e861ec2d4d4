use super::{DisconnectReason, StreamOptions};
use crate::client::Client;
use crate::connect::{Trust, connect};
use crate::discovery::{DaemonAddress, Discovery};
use crate::error::ClientError;
use crate::query::Target;
use crate::request::{describe, read_problem};
use crate::since::Since;
use crate::token::Admission;
use bytes::Bytes;
use clown_api::{Problem, routes};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long the daemon may take to answer the handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Events are small and come one by one; tungstenite's default of 128 KiB a connection is not
/// needed.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// No event is near this; more is not a daemon's.
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// What came of trying to connect.
pub(super) struct Attempt {
    /// The point that was asked for; "now" has become a number, if that could be had.
    pub(super) since: Since,
    pub(super) outcome: Result<Box<Connection>, ClientError>,
}

/// Connects to the daemon and asks for what follows `since`.
pub(super) async fn open(
    discovery: Discovery,
    options: StreamOptions,
    mut since: Since,
) -> Attempt {
    // "Now" would mean another moment after a connection that broke before its first event. The
    // number of the last event before this moment means the same for as long as it is needed.
    if since == Since::Now {
        match Client::new(discovery.clone()).state().await {
            Ok(state) => since = Since::Seq(state.seq),
            Err(error) => {
                return Attempt {
                    since,
                    outcome: Err(error),
                };
            }
        }
    }
    let outcome = discovery
        .with_token_if_needed(Trust::Ordinary, |admission| {
            upgrade(&discovery, &options, since, admission)
        })
        .await
        .map(Box::new);
    Attempt { since, outcome }
}

async fn upgrade(
    discovery: &Discovery,
    options: &StreamOptions,
    since: Since,
    admission: Admission,
) -> Result<Connection, ClientError> {
    let address = discovery.find()?;
    let mut target = Target::new(routes::EVENT_STREAM)
        .with_list("events", &options.events)
        .with_list("profile", &options.profiles)
        .with("since", &since.to_string());
    if options.keepalive {
        target = target.with("keepalive", "true");
    }
    let unexpected = |what: String| ClientError::Unexpected {
        address: address.to_string(),
        path: routes::EVENT_STREAM.to_owned(),
        what,
    };
    let mut request = format!("ws://{address}{}", target.into_string())
        .into_client_request()
        .map_err(|error| unexpected(format!("nothing: the request cannot be written ({error})")))?;
    if let Some(token) = &admission.token {
        request.headers_mut().insert(AUTHORIZATION, token.bearer());
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));

    let stream = connect(&address, admission.trust).await?;
    let handshake = client_async_with_config(request, stream, Some(config));
    match timeout(HANDSHAKE_LIMIT, handshake).await {
        Ok(Ok((socket, _))) => Ok(Connection::new(socket, address, options)),
        Ok(Err(Error::Http(response))) => Err(refusal(&response).map_or_else(
            || unexpected(describe(response.status())),
            ClientError::Problem,
        )),
        Ok(Err(Error::Io(source))) => Err(ClientError::Broken {
            address: address.to_string(),
            source: source.into(),
        }),
        Ok(Err(error)) => Err(unexpected(error.to_string())),
        Err(_) => Err(ClientError::Timeout {
            address: address.to_string(),
            path: routes::EVENT_STREAM.to_owned(),
            limit: HANDSHAKE_LIMIT,
        }),
    }
}

fn refusal(response: &Response<Option<Vec<u8>>>) -> Option<Problem> {
    let body = response.body().as_deref()?;
    read_problem(response.headers().get(CONTENT_TYPE), body)
}

/// An open stream, watched for signs of life.
pub(super) struct Connection {
    socket: WebSocketStream<TcpStream>,
    address: DaemonAddress,
    opened: Instant,
    /// When the daemon must have been heard of: by itself, or, once pinged, in answer.
    heard_by: Instant,
    pinged: bool,
    quiet_limit: Duration,
    answer_limit: Duration,
}

impl Connection {
    fn new(
        socket: WebSocketStream<TcpStream>,
        address: DaemonAddress,
        options: &StreamOptions,
    ) -> Self {
        let now = Instant::now();
        Self {
            socket,
            address,
            opened: now,
            heard_by: now + options.quiet_limit,
            pinged: false,
            quiet_limit: options.quiet_limit,
            answer_limit: options.answer_limit,
        }
    }

    pub(super) fn address(&self) -> &DaemonAddress {
        &self.address
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Sends a text message.
    pub(super) async fn send(&mut self, text: &str) -> Result<(), DisconnectReason> {
        let sent = self.socket.send(Message::text(text)).await;
        sent.map_err(|error| DisconnectReason::Lost(error.into()))
    }

    /// The next text message. Cancelling it loses nothing.
    pub(super) async fn receive(&mut self) -> Result<Utf8Bytes, DisconnectReason> {
        loop {
            let Ok(frame) = timeout_at(self.heard_by, self.socket.next()).await else {
                if self.pinged {
                    return Err(DisconnectReason::Silent);
                }
                self.pinged = true;
                self.heard_by = Instant::now() + self.answer_limit;
                // A half-open connection takes no more once its buffers are full.
                let ping = self.socket.send(Message::Ping(Bytes::new()));
                match timeout_at(self.heard_by, ping).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => return Err(DisconnectReason::Lost(error.into())),
                    Err(_) => return Err(DisconnectReason::Silent),
                }
            };
            self.pinged = false;
            self.heard_by = Instant::now() + self.quiet_limit;
            match frame {
                Some(Ok(Message::Text(text))) => return Ok(text),
                // Reading on answers pings and finishes the close handshake.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => {
                    return Err(DisconnectReason::Foreign("a binary message"));
                }
                Some(Ok(Message::Close(frame))) => return Err(self.closed(frame).await),
                Some(Err(Error::Capacity(_))) => {
                    return Err(DisconnectReason::Foreign("a message without end"));
                }
                // The other side going without a word is a broken connection, not bad manners.
                Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                    return Err(DisconnectReason::Lost(
                        ProtocolError::ResetWithoutClosingHandshake.into(),
                    ));
                }
                Some(Err(Error::Protocol(_) | Error::Utf8(_))) => {
                    return Err(DisconnectReason::Foreign("what is not WebSocket"));
                }
                Some(Err(error)) => return Err(DisconnectReason::Lost(error.into())),
                None => {
                    return Err(DisconnectReason::Closed {
                        code: 1005,
                        reason: String::new(),
                    });
                }
            }
        }
    }

    /// Finishes the close handshake, as far as that goes without waiting long.
    async fn closed(&mut self, frame: Option<CloseFrame>) -> DisconnectReason {
        const CLOSE_LIMIT: Duration = Duration::from_millis(500);

        // Whether the answer arrives is of no interest any more.
        let _ = timeout(CLOSE_LIMIT, self.socket.next()).await;
        match frame {
            Some(frame) => DisconnectReason::Closed {
                code: frame.code.into(),
                reason: frame.reason.as_str().to_owned(),
            },
            None => DisconnectReason::Closed {
                code: 1005,
                reason: String::new(),
            },
        }
    }
}
