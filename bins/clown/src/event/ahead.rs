use clown_client::{ClientError, EventStream, StreamItem};
use std::collections::VecDeque;
use std::fmt;

/// How many items are read ahead. What is more waits in the daemon.
const MOST: usize = 1000;

/// A stream that is read on while its last event is still being treated, so that the daemon is
/// answered however long that takes.
pub(crate) struct Ahead {
    stream: EventStream,
    items: VecDeque<Result<StreamItem, ClientError>>,
    is_over: bool,
}

impl Ahead {
    pub(crate) fn new(stream: EventStream) -> Self {
        Self {
            stream,
            items: VecDeque::new(),
            is_over: false,
        }
    }

    /// The next item. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Result<StreamItem, ClientError> {
        match self.items.pop_front() {
            Some(item) => item,
            None => self.stream.next().await,
        }
    }

    /// Does some work, and reads on meanwhile if it takes its time.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            let has_room = !self.is_over && self.items.len() < MOST;
            tokio::select! {
                biased;
                done = &mut work => return done,
                item = self.stream.next(), if has_room => {
                    self.is_over = item.is_err();
                    self.items.push_back(item);
                }
            }
        }
    }

    /// The number after which the stream goes on, once one is known.
    pub(crate) fn last_seq(&self) -> Option<u64> {
        self.stream.last_seq()
    }
}

impl fmt::Debug for Ahead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Ahead")
            .field("stream", &self.stream)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}
