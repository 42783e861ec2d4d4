//! How far the arguments of a call have come.

/// How far a JSON object has come, byte by byte.
#[derive(Debug, Default)]
pub(super) struct Shape {
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
    closed: bool,
    ended: bool,
}

impl Shape {
    /// Its reader says that it is through, whole or not.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) const fn whole(&self) -> bool {
        self.closed || self.ended
    }

    /// Begun and never closed.
    pub(super) const fn open(&self) -> bool {
        self.begun && !self.closed
    }

    /// Takes a piece; gives how many of its bytes belong to the object.
    pub(super) fn feed(&mut self, piece: &str) -> usize {
        if !self.begun {
            // Nothing at all, or the word that some say for nothing.
            let start = piece.trim_start();
            if start.is_empty() || start.trim_end() == "null" {
                return 0;
            }
        }
        for (place, byte) in piece.bytes().enumerate() {
            if self.closed {
                return place;
            }
            if self.escaped {
                self.escaped = false;
                continue;
            }
            match byte {
                b'\\' if self.in_string => self.escaped = true,
                b'"' if self.begun => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => {
                    self.depth += 1;
                    self.begun = true;
                }
                b'}' | b']' if !self.in_string && self.begun => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed = self.depth == 0;
                }
                _ => {}
            }
        }
        piece.len()
    }
}
