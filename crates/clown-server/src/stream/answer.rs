use super::feed::Feed;
use bytes::Bytes;
use clown_events::{ClientError, ClientMessage, ControlMessage, ErrorCode, Filter};

/// Does what a client's message asks for, and gives the frame that answers it. A new filter is in
/// force for everything behind the stream's present place.
pub(super) fn answer(feed: &mut Feed, text: &str, within_rate: bool) -> Bytes {
    let done = if within_rate {
        ClientMessage::parse(text).and_then(|message| perform(feed, message))
    } else {
        Err(ClientError::new(
            ErrorCode::RateLimited,
            "too many messages in one second; this one was not read, send it again later",
        ))
    };
    let reply = done.unwrap_or_else(ControlMessage::from);
    feed.frame(reply)
}

fn perform(feed: &mut Feed, message: ClientMessage) -> Result<ControlMessage, ClientError> {
    match message {
        ClientMessage::Subscribe {
            events,
            profiles,
            id,
        } => {
            let filter = Filter::new(&events, &profiles)
                .map_err(|error| ClientError::from(error).with_id(id.clone()))?;
            feed.set_filter(filter);
            Ok(subscribed(feed, id))
        }
        ClientMessage::Unsubscribe { events, id } => {
            let mut filter = feed.filter().clone();
            filter
                .unsubscribe(&events)
                .map_err(|error| ClientError::from(error).with_id(id.clone()))?;
            feed.set_filter(filter);
            Ok(subscribed(feed, id))
        }
        ClientMessage::Ping { id } => Ok(ControlMessage::Pong { id }),
        other => Err(ClientError::new(
            ErrorCode::UnknownAction,
            "this daemon does not know that action; use subscribe, unsubscribe or ping",
        )
        .with_id(other.id().cloned())),
    }
}

fn subscribed(feed: &Feed, id: Option<serde_json::Value>) -> ControlMessage {
    let filter = feed.filter();
    ControlMessage::Subscribed {
        id,
        events: filter.events(),
        profiles: filter.profiles().to_vec(),
        unknown: filter.unknown(),
        seq: feed.place().0,
    }
}
