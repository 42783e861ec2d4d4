//! What zstd has compressed, piece by piece.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// How far back a compressor may refer, which is what must be kept in memory. The highest of the usual
/// levels takes 8 MiB.
const MAX_WINDOW: u64 = 32 << 20;

/// The text of all frames of a compressed file, one behind the other.
pub(super) struct Inflated<R> {
    source: R,
    frame: FrameDecoder,
    /// Whether a frame is begun and not yet at its end.
    within: bool,
}

impl<R: BufRead> Inflated<R> {
    pub(super) fn new(source: R) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(MAX_WINDOW);
        Self {
            source,
            frame,
            within: false,
        }
    }

    fn begin_frame(&mut self) -> io::Result<()> {
        match self.frame.reset(&mut self.source) {
            Ok(()) => {
                self.within = true;
                Ok(())
            }
            // Something of another program's between two frames.
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let mut skipped = (&mut self.source).take(u64::from(length));
                match io::copy(&mut skipped, &mut io::sink())? {
                    passed if passed == u64::from(length) => Ok(()),
                    _ => Err(damaged("it is cut off")),
                }
            }
            Err(error) => Err(damaged(error)),
        }
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.within = false;
        let written = self.frame.get_checksum_from_data();
        if written.is_some() && written != self.frame.get_calculated_checksum() {
            return Err(damaged("its checksum is another one"));
        }
        Ok(())
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within {
                if self.source.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.begin_frame()?;
            } else if self.frame.can_collect() > 0 {
                return self.frame.read(buffer);
            } else if self.frame.is_finished() {
                self.end_frame()?;
            } else {
                let some = BlockDecodingStrategy::UptoBlocks(1);
                self.frame
                    .decode_blocks(&mut self.source, some)
                    .map_err(damaged)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn compressed(text: &str) -> Vec<u8> {
        compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
    }

    #[test]
    fn all_frames_are_one_text_and_damage_is_told() {
        let check = |what: &str, content: &[u8], expected: Result<&str, &str>| {
            let mut text = String::new();
            let read = Inflated::new(content).read_to_string(&mut text);
            match (read, expected) {
                (Ok(_), Ok(expected)) => assert!(text == expected, "{what}: {}", text.len()),
                (Err(error), Err(part)) => {
                    let said = error.to_string();
                    assert!(said.contains(part), "{what}: {said}");
                }
                (read, _) => panic!("{what}: {read:?}"),
            }
        };
        let long = "{\"a\":1}\n".repeat(100_000);
        let (one, other) = (compressed("one\n"), compressed(&long));
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"???"].concat();
        check("nothing", b"", Ok(""));
        check("one frame", &other, Ok(&long));
        let both = format!("one\n{long}");
        let frames = [&one[..], &skipped, &other, &skipped].concat();
        check("frames", &frames, Ok(&both));
        check("cut off", &other[..other.len() / 2], Err(""));
        check("no frame", b"{\"a\":1}\n", Err(""));
        check("garbage behind it", &[&one[..], b"x"].concat(), Err(""));
        check("a skipped part cut off", &skipped[..9], Err("cut off"));
        // A window of 64 MiB, and a frame that was never finished.
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0, (26 - 10) << 3];
        check("a large window", &window, Err("window"));
        let mut other = other;
        let last = other.len() - 1;
        other[last] ^= 1;
        check("another checksum", &other, Err("checksum"));
    }
}
