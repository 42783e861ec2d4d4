//! WebSocket frames as a client gets them: whole, and not masked.

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Ping,
    Other(u8),
}

/// The first frame of `bytes` and how many bytes it takes; `None` while it is not all there.
pub(crate) fn first(bytes: &[u8]) -> Option<(Kind, &[u8], usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    let (length, header) = match second {
        126 => (
            usize::from(u16::from_be_bytes(*rest.first_chunk::<2>()?)),
            4,
        ),
        127 => {
            let length = u64::from_be_bytes(*rest.first_chunk::<8>()?);
            (usize::try_from(length).unwrap_or(usize::MAX), 10)
        }
        short => (usize::from(short), 2),
    };
    let end = header + length;
    let payload = bytes.get(header..end)?;
    let kind = match first {
        0x81 => Kind::Text,
        0x89 => Kind::Ping,
        other => Kind::Other(other),
    };
    Some((kind, payload, end))
}

/// A text frame as a server sends it.
pub(crate) fn text(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let mut frame = vec![0x81];
    if length < 126 {
        frame.push(length.to_be_bytes()[1]);
    } else {
        frame.push(126);
        frame.extend_from_slice(&length.to_be_bytes());
    }
    frame.extend_from_slice(payload);
    frame
}

/// An empty pong as a client sends it; a mask of zeros leaves everything as it is.
pub(crate) const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_once_it_is_whole() {
        let check = |length: usize| {
            let payload = vec![b'x'; length];
            let frame = text(&payload);
            for end in 0..frame.len() {
                assert!(first(&frame[..end]).is_none(), "{end} of {length}");
            }
            let (kind, got, taken) = first(&frame).unwrap();
            assert_eq!((kind, got, taken), (Kind::Text, &payload[..], frame.len()));
        };
        check(0);
        check(125);
        check(126);
        check(300);
    }
}
