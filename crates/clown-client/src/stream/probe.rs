use super::connection::{Connection, open};
use super::{DisconnectReason, Gap, StreamOptions};
use crate::discovery::Discovery;
use crate::error::ClientError;
use crate::since::Since;
use clown_api::routes;
use clown_events::{ControlMessage, EventKind, ServerMessage};
use tokio::time::timeout;

/// Asks for the stream after `seq`, and for a sign of life: what comes first tells whether there
/// is a gap.
pub(crate) async fn gap_after(discovery: &Discovery, seq: u64) -> Result<Option<Gap>, ClientError> {
    let options = StreamOptions {
        // The rarest event: what else is retained need not be sent.
        events: vec![EventKind::DaemonShuttingDown.name().to_owned()],
        ..StreamOptions::default()
    };
    let limit = options.answer_limit;
    let mut connection = open(discovery.clone(), options, Since::Seq(seq))
        .await
        .outcome?;
    let told = timeout(limit, first_told(&mut connection, seq)).await;
    let address = connection.address().to_string();
    match told {
        Ok(Ok(gap)) => Ok(gap),
        Ok(Err(reason)) => Err(ClientError::Broken {
            address,
            source: reason.into(),
        }),
        Err(_) => Err(ClientError::Timeout {
            address,
            path: routes::EVENT_STREAM.to_owned(),
            limit,
        }),
    }
}

async fn first_told(
    connection: &mut Connection,
    asked: u64,
) -> Result<Option<Gap>, DisconnectReason> {
    connection.send(r#"{"action":"ping"}"#).await?;
    loop {
        let text = connection.receive().await?;
        let Ok(ServerMessage::Control(control)) = ServerMessage::parse(&text) else {
            return Ok(None);
        };
        match control.message {
            ControlMessage::Gap {
                since,
                oldest,
                latest,
            } => {
                return Ok(Some(Gap {
                    since,
                    oldest,
                    latest,
                }));
            }
            // The answer overtook the gap: the daemon is not yet at the place that was asked for.
            _ if control.seq.is_some_and(|seq| seq < asked) => {}
            _ => return Ok(None),
        }
    }
}
