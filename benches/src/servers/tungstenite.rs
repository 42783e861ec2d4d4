//! tokio-tungstenite as one would write it first: a task for each client, a channel that hands
//! every event to every task, and a `send` for each.

use super::{published, ready};
use crate::{clock, event};
use anyhow::Context as _;
use futures_util::SinkExt as _;
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

pub(super) fn serve(events: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // So large that nobody falls behind.
    let (sender, _) = broadcast::channel(usize::try_from(events)?);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    ready(listener.local_addr()?)?;
    let clients = sender.clone();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(client(stream, clients.subscribe()));
        }
    });
    let mut next = 0;
    for order in io::stdin().lines() {
        let order = order?;
        let count = order.strip_prefix("publish ").context("unknown order")?;
        let count: u64 = count.parse()?;
        let texts = (next..next + count)
            .map(|index| Utf8Bytes::try_from(event::text(index)))
            .collect::<Result<Vec<_>, _>>()?;
        next += count;
        let began = clock::now();
        for text in texts {
            // Fails when nobody listens, which the client notices.
            let _ = sender.send(text);
        }
        published(began, clock::now())?;
    }
    Ok(())
}

async fn client(stream: TcpStream, mut events: broadcast::Receiver<Utf8Bytes>) {
    // Without it the last frame of a burst waits for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut wants = true;
    #[expect(
        clippy::result_large_err,
        reason = "tungstenite's own type of a refusal, which is never made here"
    )]
    let look = |request: &Request, response: Response| {
        wants = request.uri().query().is_none();
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, look).await else {
        return;
    };
    while let Ok(text) = events.recv().await {
        if wants && socket.send(Message::Text(text)).await.is_err() {
            return;
        }
    }
}
