use bytes::{Buf as _, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

/// What a connection is about to send, and the only way anything is sent.
///
/// Event frames are shared bytes, chunk by chunk; each chunk holds whole frames. Control frames
/// overtake the chunks that are not begun, and never land inside a begun one.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    chunks: VecDeque<Bytes>,
    /// A part of the first chunk is sent already.
    begun: bool,
    /// Whole control frames, less what is sent of the first one.
    control: BytesMut,
    /// Bytes of answers to the client among the chunks.
    answers: usize,
}

/// How many pieces one system call sends.
const PIECES: usize = 32;

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.control.is_empty()
    }

    /// Whether everything but control frames is sent.
    pub(super) fn wants_events(&self) -> bool {
        self.chunks.is_empty()
    }

    /// How many bytes wait that the client itself has caused.
    pub(super) fn caused_by_client(&self) -> usize {
        self.control.len() + self.answers
    }

    /// How many of them are answers.
    pub(super) fn answers(&self) -> usize {
        self.answers
    }

    /// Adds whole frames behind everything else.
    pub(super) fn push(&mut self, frames: Bytes) {
        if !frames.is_empty() {
            self.chunks.push_back(frames);
        }
    }

    /// Adds an answer to the client behind everything else.
    pub(super) fn push_answer(&mut self, frame: Bytes) {
        self.answers += frame.len();
        self.push(frame);
    }

    /// Adds whole control frames before the chunks that are not begun.
    pub(super) fn push_control(&mut self, frames: &[u8]) {
        self.control.extend_from_slice(frames);
    }

    /// Takes back the chunks that are not begun.
    pub(super) fn drop_waiting(&mut self) {
        self.chunks.truncate(usize::from(self.begun));
    }

    /// Takes the first chunk, for a sender that has no control frames.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        self.chunks.pop_front()
    }

    /// Sends as much as `send` takes now, and says how many bytes that were.
    pub(super) fn send(
        &mut self,
        mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut total = 0;
        while !self.is_empty() {
            let sent = send(&self.pieces());
            match sent {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    self.advance(sent);
                    total += sent;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn pieces(&self) -> impl std::ops::Deref<Target = [IoSlice<'_>]> {
        let (begun, waiting) = if self.begun {
            (1, PIECES - 2)
        } else {
            (0, PIECES - 1)
        };
        let first = self.chunks.iter().take(begun);
        let rest = self.chunks.iter().skip(begun).take(waiting);
        let control = (!self.control.is_empty()).then_some(&self.control[..]);
        let mut pieces = Pieces {
            slices: [IoSlice::new(&[]); PIECES],
            count: 0,
        };
        let ordered = first
            .map(|chunk| &chunk[..])
            .chain(control)
            .chain(rest.map(|chunk| &chunk[..]));
        for (place, piece) in pieces.slices.iter_mut().zip(ordered) {
            *place = IoSlice::new(piece);
            pieces.count += 1;
        }
        pieces
    }

    fn advance(&mut self, mut sent: usize) {
        if self.begun {
            sent = self.advance_chunks(sent, 1);
        }
        let control = sent.min(self.control.len());
        self.control.advance(control);
        if self.control.is_empty() {
            // An idle connection holds no buffer.
            self.control = BytesMut::new();
        }
        self.advance_chunks(sent - control, usize::MAX);
        if self.chunks.is_empty() {
            self.answers = 0;
            self.chunks.shrink_to(4);
        }
    }

    /// Takes `sent` bytes off at most `count` chunks and returns what is left of `sent`.
    fn advance_chunks(&mut self, mut sent: usize, count: usize) -> usize {
        for _ in 0..count {
            let Some(first) = self.chunks.front_mut().filter(|_| sent > 0) else {
                break;
            };
            if sent < first.len() {
                first.advance(sent);
                self.begun = true;
                return 0;
            }
            sent -= first.len();
            self.chunks.pop_front();
            self.begun = false;
        }
        sent
    }
}

struct Pieces<'outbox> {
    slices: [IoSlice<'outbox>; PIECES],
    count: usize,
}

impl<'outbox> std::ops::Deref for Pieces<'outbox> {
    type Target = [IoSlice<'outbox>];

    fn deref(&self) -> &Self::Target {
        &self.slices[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends everything, `step` bytes at a time, and pushes `control` after `after` bytes.
    fn send_in_steps(chunks: &[&'static str], step: usize, after: usize, control: &str) -> String {
        let mut outbox = Outbox::default();
        for chunk in chunks {
            outbox.push(Bytes::from_static(chunk.as_bytes()));
        }
        let mut sent = Vec::new();
        let mut pushed = false;
        while !outbox.is_empty() || !pushed {
            if sent.len() >= after && !pushed {
                outbox.push_control(control.as_bytes());
                pushed = true;
            }
            let mut calls = 0;
            outbox
                .send(|slices| {
                    calls += 1;
                    if calls > 1 {
                        return Err(ErrorKind::WouldBlock.into());
                    }
                    let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
                    let taken = all.len().min(step);
                    sent.extend_from_slice(&all[..taken]);
                    Ok(taken)
                })
                .unwrap();
        }
        String::from_utf8(sent).unwrap()
    }

    #[test]
    fn control_frames_stand_between_chunks_whatever_the_socket_takes() {
        let check = |step, after, expected| {
            let sent = send_in_steps(&["aaaa", "bbbb", "cccc"], step, after, "<p>");
            assert_eq!(sent, expected, "step {step}, after {after}");
        };
        check(1, 0, "<p>aaaabbbbcccc");
        check(1, 1, "aaaa<p>bbbbcccc");
        check(1, 4, "aaaa<p>bbbbcccc");
        check(3, 5, "aaaabbbb<p>cccc");
        check(2, 8, "aaaabbbb<p>cccc");
        check(100, 12, "aaaabbbbcccc<p>");
        check(5, 11, "aaaabbbbcccc<p>");
        check(6, 6, "aaaabbbb<p>cccc");
    }

    #[test]
    fn more_chunks_than_one_call_takes_all_arrive_in_order() {
        let chunks: Vec<&'static str> = (0..200).map(|index| ["x", "yz", "w"][index % 3]).collect();
        let sent = send_in_steps(&chunks, usize::MAX, 0, "<p>");
        assert_eq!(sent, format!("<p>{}", chunks.concat()));
    }

    #[test]
    fn dropping_what_waits_keeps_a_begun_chunk_whole() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"aaaa"));
        outbox.push(Bytes::from_static(b"bbbb"));
        let mut first = true;
        let sent = outbox.send(|_| {
            if std::mem::take(&mut first) {
                Ok(1)
            } else {
                Err(ErrorKind::WouldBlock.into())
            }
        });
        assert_eq!(sent.unwrap(), 1);
        outbox.drop_waiting();
        outbox.push_control(b"<close>");
        let mut rest = Vec::new();
        outbox
            .send(|slices| {
                rest = slices.iter().flat_map(|slice| slice.to_vec()).collect();
                Ok(rest.len())
            })
            .unwrap();
        assert_eq!(rest, b"aaa<close>");
        assert!(outbox.is_empty());
    }
}
