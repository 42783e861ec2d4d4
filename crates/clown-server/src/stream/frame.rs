use bytes::Bytes;

/// One final text frame (RFC 6455, from a server: not masked).
pub(super) fn text(payload: &str) -> Bytes {
    const FINAL_TEXT: u8 = 0x81;
    whole(FINAL_TEXT, payload.as_bytes())
}

#[cfg(all(feature = "conformance", not(debug_assertions)))]
compile_error!("the feature `conformance` is for tests: no release has an echo");

/// One final binary frame, for the echo alone: Clown itself sends none.
#[cfg(feature = "conformance")]
pub(super) fn binary(payload: &[u8]) -> Bytes {
    const FINAL_BINARY: u8 = 0x82;
    whole(FINAL_BINARY, payload)
}

fn whole(first: u8, payload: &[u8]) -> Bytes {
    let length = payload.len();
    let mut frame = Vec::with_capacity(length + 10);
    frame.push(first);
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
    frame.extend_from_slice(payload);
    frame.into()
}
