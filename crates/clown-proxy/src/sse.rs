//! Server-sent events out of chunks that are cut anywhere.
//!
//! A line that lies whole in a chunk is a slice of it; only what a cut goes through is copied. So an
//! event of one `data` line costs no copy unless it spans chunks.

use bytes::{Bytes, BytesMut};

/// What one event may hold, its fields and an unfinished line together.
pub const EVENT_LIMIT: usize = 64 * 1024 * 1024;

/// One event. `id` and `retry` are of no use here and are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty where there was none.
    pub name: Bytes,
    /// The `data` fields, joined by a line feed.
    pub data: Bytes,
}

/// An event was larger than the limit; nothing more is read after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one event of the stream is larger than {limit} bytes")]
pub struct EventTooLarge {
    /// The limit in bytes.
    pub limit: usize,
}

/// Takes chunks, gives events.
///
/// ```
/// use clown_proxy::sse::Splitter;
///
/// let mut splitter = Splitter::default();
/// splitter.push("data: one\n\ndata: t".into());
/// assert_eq!(&splitter.next_event().unwrap().unwrap().data[..], b"one");
/// assert!(splitter.next_event().unwrap().is_none());
/// splitter.push("wo".into());
/// assert_eq!(&splitter.finish().unwrap().unwrap().data[..], b"two");
/// ```
#[derive(Debug)]
pub struct Splitter {
    chunk: Bytes,
    line: BytesMut,
    name: Bytes,
    data: Data,
    limit: usize,
    first_line: bool,
    after_return: bool,
}

#[derive(Debug)]
enum Data {
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(line) => line.len(),
            Self::Many(lines) => lines.len(),
        }
    }
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new(EVENT_LIMIT)
    }
}

impl Splitter {
    /// A splitter that refuses events larger than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            line: BytesMut::new(),
            name: Bytes::new(),
            data: Data::None,
            limit,
            first_line: true,
            after_return: false,
        }
    }

    /// Takes the next chunk. Call [`Self::next_event`] until it gives none before the next one.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut joined = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            joined.extend_from_slice(&self.chunk);
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        }
    }

    /// The next event that is whole, or none until more is pushed.
    pub fn next_event(&mut self) -> Result<Option<Event>, EventTooLarge> {
        loop {
            if self.after_return && !self.chunk.is_empty() {
                self.after_return = false;
                if self.chunk[0] == b'\n' {
                    let _feed = self.chunk.split_to(1);
                }
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', &self.chunk) else {
                self.check(self.chunk.len())?;
                self.line.extend_from_slice(&self.chunk);
                self.chunk = Bytes::new();
                return Ok(None);
            };
            self.check(end)?;
            let mut line = self.chunk.split_to(end);
            let ending = self.chunk.split_to(1);
            self.after_return = ending[0] == b'\r';
            if !self.line.is_empty() {
                self.line.extend_from_slice(&line);
                line = self.line.split().freeze();
            }
            if let Some(event) = self.take(line) {
                return Ok(Some(event));
            }
        }
    }

    /// The stream has ended: an event whose last blank line never came.
    pub fn finish(&mut self) -> Result<Option<Event>, EventTooLarge> {
        if let Some(event) = self.next_event()? {
            return Ok(Some(event));
        }
        if !self.line.is_empty() {
            let line = self.line.split().freeze();
            if let Some(event) = self.take(line) {
                return Ok(Some(event));
            }
        }
        Ok(self.dispatch())
    }

    fn check(&self, more: usize) -> Result<(), EventTooLarge> {
        if self.data.len() + self.name.len() + self.line.len() + more > self.limit {
            return Err(EventTooLarge { limit: self.limit });
        }
        Ok(())
    }

    fn take(&mut self, mut line: Bytes) -> Option<Event> {
        if self.first_line {
            self.first_line = false;
            if line.starts_with(b"\xef\xbb\xbf") {
                line = line.slice(3..);
            }
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let colon = memchr::memchr(b':', &line).unwrap_or(line.len());
        let mut value = (colon + 1).min(line.len());
        if line.get(value) == Some(&b' ') {
            value += 1;
        }
        match &line[..colon] {
            b"data" => self.append(line.slice(value..)),
            b"event" => self.name = line.slice(value..),
            // A comment (nothing before the colon), `id`, `retry`, or a field of the future.
            _ => {}
        }
        None
    }

    fn append(&mut self, line: Bytes) {
        self.data = match std::mem::replace(&mut self.data, Data::None) {
            Data::None => Data::One(line),
            Data::One(first) => {
                let mut lines = BytesMut::with_capacity(first.len() + line.len() + 1);
                lines.extend_from_slice(&first);
                lines.extend_from_slice(b"\n");
                lines.extend_from_slice(&line);
                Data::Many(lines)
            }
            Data::Many(mut lines) => {
                lines.extend_from_slice(b"\n");
                lines.extend_from_slice(&line);
                Data::Many(lines)
            }
        };
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let data = match std::mem::replace(&mut self.data, Data::None) {
            Data::None => return None,
            Data::One(line) => line,
            Data::Many(lines) => lines.freeze(),
        };
        Some(Event { name, data })
    }
}

#[cfg(test)]
mod tests;
