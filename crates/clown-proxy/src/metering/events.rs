//! Streams of server-sent events.

use super::plain::{Seen, read};
use super::{Meter, Reading};
use crate::config::Format;

/// An event beyond this tells nothing of usage that is worth its memory.
const MAX_EVENT: usize = 4 << 20;

/// Puts lines together to events, wherever the bytes are cut.
pub(super) struct EventMeter {
    format: Format,
    seen: Seen,
    /// The line that is not ended yet.
    line: Vec<u8>,
    /// The data of the event that is not ended yet.
    data: Vec<u8>,
    /// The last byte was the first of what may be one line end of two.
    after_return: bool,
    /// The event is too large to be kept.
    passing: bool,
}

impl EventMeter {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            seen: Seen::default(),
            line: Vec::new(),
            data: Vec::new(),
            after_return: false,
            passing: false,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.line.len() + self.data.len() + bytes.len() > MAX_EVENT {
            self.passing = true;
            self.line.clear();
            self.data.clear();
        }
        if !self.passing {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line);
        if text.is_empty() && !self.passing {
            self.end_event();
        } else if text.is_empty() {
            self.passing = false;
        } else if let Some(value) = text.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data
                .extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
        self.line = line;
        self.line.clear();
    }

    fn end_event(&mut self) {
        if self.data.is_empty() {
            return;
        }
        if self.data == b"[DONE]" {
            self.seen.done();
        } else {
            read(self.format, &self.data, &mut self.seen);
        }
        self.data.clear();
    }
}

impl Meter for EventMeter {
    fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'))
                .unwrap_or(bytes.len());
            self.take(&bytes[..end]);
            let Some(ending) = bytes.get(end) else {
                return;
            };
            self.after_return = *ending == b'\r';
            self.end_line();
            bytes = &bytes[end + 1..];
        }
    }

    fn finish(&mut self) -> Reading {
        // The last event may lack its blank line.
        if !self.line.is_empty() {
            self.end_line();
        }
        self.end_event();
        self.seen.reading(self.format)
    }
}
