//! The lines of a file that grows.

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use std::io::{self, Read};

/// A line beyond this is no record; it is passed over, so that memory stays bounded.
pub(super) const MAX_LINE: usize = 64 << 20;

const CHUNK: usize = 256 << 10;

/// Reads a file on from a place, piece by piece. One of these reads many files, one after another.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// What of the buffer is read and not yet taken.
    start: usize,
    end: usize,
}

/// What a file gave.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// The bytes that need not be read again.
    pub(super) bytes: u64,
    /// Lines that are too long to be records.
    pub(super) too_long: u64,
}

/// A line, and whether its end is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) bytes: &'a [u8],
    /// Bytes up to and with this line, from where reading began.
    pub(super) end: u64,
    /// False for what is behind the last end of a line: it may be half of a line, and comes again.
    pub(super) ended: bool,
}

impl<'a> Line<'a> {
    /// Without what is no part of any record: the mark at the beginning of some files, and zeros where
    /// a machine has stopped while it wrote.
    pub(super) fn text(self) -> &'a [u8] {
        let mut text = self.bytes;
        if matches!(text, [b'{', .., b'}']) {
            return text;
        }
        loop {
            text = match text {
                [0, rest @ ..] | [0xef, 0xbb, 0xbf, rest @ ..] => rest,
                [rest @ .., 0 | b'\r'] => rest,
                _ => return text,
            };
        }
    }
}

impl Lines {
    /// Forgets what is read and not taken: another file follows, or another place.
    pub(super) fn begin(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Calls `take` with each line of `file` that has `marker` in it; with each line at all when that
    /// is `None`. Ends early, without an error, when `take` gives false; the next call goes on behind
    /// that line.
    pub(super) fn read(
        &mut self,
        file: &mut impl Read,
        marker: Option<&Finder<'_>>,
        mut take: impl FnMut(Line<'_>) -> bool,
    ) -> io::Result<Taken> {
        let mut taken = Taken::default();
        // Within a line that is too long.
        let mut passing = false;
        let mut holds_lines = self.start < self.end;
        loop {
            if !holds_lines && self.fill(file)? == 0 {
                break;
            }
            holds_lines = false;
            let mut from = self.start;
            if passing {
                match memchr(b'\n', &self.buffer[from..self.end]) {
                    Some(end) => from += end + 1,
                    None => from = self.end,
                }
                passing = from == self.end && self.buffer[from - 1] != b'\n';
                taken.bytes += (from - self.start) as u64;
                self.start = from;
            }
            // Behind the last end of a line: what follows is read when its end is there.
            let whole =
                memrchr(b'\n', &self.buffer[from..self.end]).map_or(from, |end| from + end + 1);
            let origin = from;
            while from < whole {
                let text = &self.buffer[from..whole];
                let (begin, end) = match marker {
                    None => (0, memchr(b'\n', text).unwrap_or(text.len() - 1)),
                    Some(marker) => match marker.find(text) {
                        None => break,
                        Some(hit) => (
                            memrchr(b'\n', &text[..hit]).map_or(0, |end| end + 1),
                            hit + memchr(b'\n', &text[hit..]).unwrap_or(text.len() - 1 - hit),
                        ),
                    },
                };
                let line = Line {
                    bytes: &text[begin..end],
                    end: taken.bytes + (from - origin + end + 1) as u64,
                    ended: true,
                };
                if !take(line) {
                    taken.bytes = line.end;
                    self.start = from + end + 1;
                    return Ok(taken);
                }
                from += end + 1;
            }
            taken.bytes += (whole - self.start) as u64;
            self.start = whole;
            if self.end - self.start > MAX_LINE {
                taken.bytes += (self.end - self.start) as u64;
                taken.too_long += 1;
                self.start = self.end;
                passing = true;
            }
        }
        let rest = &self.buffer[self.start..self.end];
        if !passing && !rest.is_empty() && marker.is_none_or(|marker| marker.find(rest).is_some()) {
            take(Line {
                bytes: rest,
                end: taken.bytes + rest.len() as u64,
                ended: false,
            });
        }
        Ok(taken)
    }

    fn fill(&mut self, file: &mut impl Read) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() - self.end < CHUNK / 2 {
            // Twice as much each time, so that a long line is not copied over and over.
            let twice = (self.buffer.len() * 2).clamp(CHUNK, MAX_LINE + 2 * CHUNK);
            self.buffer.resize(twice, 0);
        }
        loop {
            match file.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives back what a long line took.
    pub(super) fn shrink(&mut self) {
        if self.buffer.len() > 4 * CHUNK {
            self.buffer = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Seek as _, Write as _};

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        file
    }

    fn lines(content: &[u8], marker: Option<&str>) -> (Vec<(String, u64, bool)>, Taken) {
        let finder = marker.map(|marker| Finder::new(marker.as_bytes()));
        let mut all = Vec::new();
        let taken = Lines::default()
            .read(&mut file(content), finder.as_ref(), |line| {
                let text = String::from_utf8(line.bytes.to_vec()).unwrap();
                all.push((text, line.end, line.ended));
                true
            })
            .unwrap();
        (all, taken)
    }

    #[test]
    fn lines_with_and_without_their_end() {
        let check = |content: &str, marker: Option<&str>, expected: &[(&str, u64, bool)], bytes| {
            let (all, taken) = lines(content.as_bytes(), marker);
            let expected: Vec<_> = expected
                .iter()
                .map(|(text, end, ended)| ((*text).to_owned(), *end, *ended))
                .collect();
            assert_eq!(all, expected, "{content:?} {marker:?}");
            assert_eq!(taken.bytes, bytes, "{content:?} {marker:?}");
        };
        check("", None, &[], 0);
        check("a\nb\n", None, &[("a", 2, true), ("b", 4, true)], 4);
        check("a\nbc", None, &[("a", 2, true), ("bc", 4, false)], 2);
        check("\n\n", None, &[("", 1, true), ("", 2, true)], 2);
        check(
            "x1\ny\nx2\n",
            Some("x"),
            &[("x1", 3, true), ("x2", 8, true)],
            8,
        );
        check("y\ny\n", Some("x"), &[], 4);
        check("y\nx", Some("x"), &[("x", 3, false)], 2);
        check(
            "xxx\nx\n",
            Some("x"),
            &[("xxx", 4, true), ("x", 6, true)],
            6,
        );
    }

    #[test]
    fn a_line_longer_than_any_piece_is_one_line() {
        let long = "a".repeat(3 * CHUNK + 17);
        let content = format!("first\n{long}\nlast\n");
        let (all, taken) = lines(content.as_bytes(), None);
        assert_eq!(all.len(), 3);
        assert_eq!(all[1].0.len(), long.len());
        assert_eq!(taken.bytes, content.len() as u64);
        let (all, _) = lines(content.as_bytes(), Some("last"));
        assert_eq!(all, [("last".to_owned(), content.len() as u64, true)]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let long = "a".repeat(MAX_LINE + 3 * CHUNK);
        let content = format!("first\n{long}\nlast\n");
        let (all, taken) = lines(content.as_bytes(), None);
        let texts: Vec<_> = all.iter().map(|line| line.0.as_str()).collect();
        assert_eq!(texts, ["first", "last"]);
        assert_eq!(taken.bytes, content.len() as u64);
        assert_eq!(taken.too_long, 1);
        let content = format!("first\n{long}");
        let (all, taken) = lines(content.as_bytes(), None);
        assert_eq!(all.len(), 1);
        assert_eq!(taken.bytes, content.len() as u64);
    }

    #[test]
    fn reading_may_end_at_any_line() {
        let mut seen = 0;
        let taken = Lines::default()
            .read(&mut file(b"a\nb\nc\n"), None, |_| {
                seen += 1;
                seen < 2
            })
            .unwrap();
        assert_eq!((seen, taken.bytes), (2, 4));
    }

    #[test]
    fn reading_goes_on_behind_any_line() {
        let check = |content: &str, marker: Option<&str>, expected: &[&str]| {
            let marker = marker.map(|marker| Finder::new(marker.as_bytes()));
            let (mut lines, mut file) = (Lines::default(), file(content.as_bytes()));
            let (mut seen, mut bytes) = (Vec::new(), 0);
            let mut take = |line: Line<'_>| {
                seen.push(String::from_utf8(line.bytes.to_vec()).unwrap());
                false
            };
            bytes += lines
                .read(&mut file, marker.as_ref(), &mut take)
                .unwrap()
                .bytes;
            for _ in 0..4 {
                let taken = lines.read(&mut file, marker.as_ref(), &mut take);
                bytes += taken.unwrap().bytes;
            }
            assert_eq!(seen, expected, "{content:?}");
            assert_eq!(bytes, content.len() as u64, "{content:?}");
        };
        check("", None, &[]);
        check("a\nb\nc\n", None, &["a", "b", "c"]);
        check("xa\nb\nxc\nd\n", Some("x"), &["xa", "xc"]);
        let long = "a".repeat(3 * CHUNK);
        check(&format!("{long}\n{long}\n"), None, &[&long, &long]);
    }
}
