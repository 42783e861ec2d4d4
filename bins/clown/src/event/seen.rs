use clown_client::Received;
use serde::Deserialize;
use serde_json::Value;
use std::cell::OnceCell;

/// An event, whose data is read as JSON only if something asks for it.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) received: &'a Received,
    data: OnceCell<Value>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(received: &'a Received) -> Self {
        Self {
            received,
            data: OnceCell::new(),
        }
    }

    /// The data as it came, with members that this version does not know.
    pub(super) fn data(&self) -> &Value {
        #[derive(Deserialize)]
        struct Data {
            data: Value,
        }

        self.data.get_or_init(|| {
            // The text was read as an event already, so it has data.
            serde_json::from_str(&self.received.text).map_or(Value::Null, |Data { data }| data)
        })
    }
}
