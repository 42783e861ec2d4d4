use bytes::Bytes;

/// One final text frame (RFC 6455, from a server: not masked).
pub(super) fn text(payload: &str) -> Bytes {
    const FINAL_TEXT: u8 = 0x81;
    let length = payload.len();
    let mut frame = Vec::with_capacity(length + 10);
    frame.push(FINAL_TEXT);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload.as_bytes());
    frame.into()
}
