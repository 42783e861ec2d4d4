//! The event that everybody sends: 256 bytes of JSON that carry a number.

use clown_events::{Event, ProxyError};

/// How long the JSON text is.
pub(crate) const BYTES: usize = 256;

/// How long the number in it is.
const DIGITS: usize = 10;

const BEFORE_TIME: &[u8] = br#"{"type":"ProxyError","timestamp":""#;
const TIME: &[u8] = b"2026-01-08T10:30:00.123Z";
const BEFORE_ERROR: &[u8] = br#"","data":{"profile":"work","error":""#;
const AFTER_ERROR: &[u8] = br#""}}"#;
const ERROR_BYTES: usize =
    BYTES - BEFORE_TIME.len() - TIME.len() - BEFORE_ERROR.len() - AFTER_ERROR.len();
const FILLER: &[u8] =
    b" the upstream answered 529 to the same request three times, so the next one was tried; ";

/// What stands behind the number: always the same.
fn filler() -> impl Iterator<Item = u8> {
    FILLER.iter().copied().cycle().take(ERROR_BYTES - DIGITS)
}

/// Event number `index`, for the real store.
pub(crate) fn event(index: u64) -> Event {
    let filler: String = filler().map(char::from).collect();
    ProxyError::new("work", format!("{index:0DIGITS$}{filler}")).into()
}

/// The JSON text of event number `index`, at a time that stands still, for servers that publish
/// text.
pub(crate) fn text(index: u64) -> Vec<u8> {
    let (head, tail) = template();
    [head, format!("{index:0DIGITS$}").into_bytes(), tail].concat()
}

/// What stands before and behind the number, for servers in other languages.
pub(crate) fn template() -> (Vec<u8>, Vec<u8>) {
    let head = [BEFORE_TIME, TIME, BEFORE_ERROR].concat();
    let mut tail: Vec<u8> = filler().collect();
    tail.extend_from_slice(AFTER_ERROR);
    (head, tail)
}

/// Checks every byte of a text: that it is event number `index`. Gives the `seq`, where there is
/// one.
#[derive(Debug)]
pub(crate) struct Checker {
    filler: Vec<u8>,
}

impl Checker {
    pub(crate) fn new() -> Self {
        Self {
            filler: filler().collect(),
        }
    }

    pub(crate) fn check(&self, text: &[u8], index: u64) -> Result<Option<u64>, String> {
        self.read(text, index).ok_or_else(|| {
            format!(
                "this is not event {index}: {}",
                String::from_utf8_lossy(text)
            )
        })
    }

    fn read(&self, text: &[u8], index: u64) -> Option<Option<u64>> {
        let rest = text.strip_prefix(BEFORE_TIME)?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (time, rest) = rest.split_at(end);
        if !is_time(time) {
            return None;
        }
        let rest = rest.strip_prefix(BEFORE_ERROR)?;
        let (digits, rest) = rest.split_at_checked(DIGITS)?;
        if number(digits)? != index {
            return None;
        }
        let rest = rest.strip_prefix(&self.filler[..])?;
        if rest == AFTER_ERROR {
            return Some(None);
        }
        let seq = rest.strip_prefix(br#""},"seq":"#)?.strip_suffix(b"}")?;
        Some(Some(number(seq)?))
    }
}

/// RFC 3339 in UTC, with three digits of a second or none.
fn is_time(text: &[u8]) -> bool {
    let shape: &[u8] = match text.len() {
        20 => b"0000-00-00T00:00:00Z",
        24 => b"0000-00-00T00:00:00.000Z",
        _ => return false,
    };
    text.iter().zip(shape).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    })
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clown_events::{Envelope, Timestamp};

    #[test]
    fn the_store_and_the_text_agree_on_256_bytes() {
        let text = text(42);
        assert_eq!(text.len(), BYTES);
        let read = Envelope::parse(std::str::from_utf8(&text).unwrap()).unwrap();
        assert_eq!(read.event, event(42));
        assert_eq!(read.to_json().as_bytes(), text);
    }

    #[test]
    fn a_checker_sees_each_wrong_byte() {
        let checker = Checker::new();
        let good = text(7);
        assert_eq!(checker.check(&good, 7), Ok(None));
        assert!(checker.check(&good, 8).is_err());
        for place in 0..good.len() {
            let mut wrong = good.clone();
            wrong[place] = b'~';
            assert!(checker.check(&wrong, 7).is_err(), "byte {place}");
        }
        let now = Envelope::new(Timestamp::now(), event(7)).with_seq(123);
        assert_eq!(checker.check(now.to_json().as_bytes(), 7), Ok(Some(123)));
    }
}
