use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::value::RawValue;

/// An amount of US dollars, exact to nine decimals.
///
/// Kept as a whole number of nano-dollars, so that adding up many small costs loses nothing. In JSON it is a number
/// with at most nine decimals, written without an exponent (`0.045`). Any JSON number can be read: what lies beyond the
/// ninth decimal is rounded (half away from zero), and what is larger than [`Usd::MAX`] becomes that.
///
/// Reading and writing go by the number's own digits, not through a float; that takes `serde_json`.
///
/// ```
/// use clown_events::Usd;
///
/// let cost = Usd::from_nanos(45_000_000);
/// assert_eq!(cost.to_string(), "0.045");
/// assert_eq!("0.045".parse(), Ok(cost));
/// assert_eq!(cost.saturating_add(cost).nanos(), 90_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i64);

impl Usd {
    /// Nothing.
    pub const ZERO: Usd = Usd(0);
    /// The largest amount, a little over nine billion dollars.
    pub const MAX: Usd = Usd(i64::MAX);
    /// The smallest amount, the same below zero.
    pub const MIN: Usd = Usd(i64::MIN);

    /// An amount of so many billionths of a dollar.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The amount in billionths of a dollar.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The sum, or `None` where it does not fit.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The sum, or the nearest amount that fits.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// A plain decimal number, without a currency sign.
impl fmt::Display for Usd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (dollars, nanos) = (magnitude / NANOS, magnitude % NANOS);
        let fraction = format!("{nanos:09}");
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        formatter.pad_integral(self.0 >= 0, "", &format!("{dollars}{point}{fraction}"))
    }
}

/// Reads what JSON allows as a number.
impl FromStr for Usd {
    type Err = UsdError;

    fn from_str(text: &str) -> Result<Self, UsdError> {
        nanos_of(text).map(Self).ok_or(UsdError)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        text.parse().map_err(|_| {
            let found = match text.as_bytes().first() {
                Some(b'"') => "a string",
                Some(b'[') => "an array",
                Some(b'{') => "an object",
                Some(b'n') => "null",
                _ => "a boolean",
            };
            D::Error::invalid_type(Unexpected::Other(found), &"a number of US dollars")
        })
    }
}

/// A text is no number of dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsdError;

impl fmt::Display for UsdError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a number of US dollars; write it as 0.045")
    }
}

impl std::error::Error for UsdError {}

const NANOS: u64 = 1_000_000_000;
/// The longest count of digits that an `i64` can have.
const DIGITS: i64 = 19;

/// The nano-dollars that a JSON number stands for, or `None` if the text is not one.
fn nanos_of(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }

    // The number is 0.d1d2d3… times ten to the power `point`, so its nano-dollars have `point + 9` whole digits.
    let digits = || whole.bytes().chain(fraction.bytes());
    let leading = digits().take_while(|digit| *digit == b'0').count();
    let mut digits = digits()
        .skip(leading)
        .map(|digit| i128::from(digit - b'0'))
        .peekable();
    if digits.peek().is_none() {
        return Some(0);
    }
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let point = length(whole.len())
        .saturating_sub(length(leading))
        .saturating_add(exponent);
    let kept = point.saturating_add(9);
    let magnitude = if kept > DIGITS {
        i128::MAX
    } else if kept < 0 {
        0
    } else {
        let mut magnitude = 0;
        for _ in 0..kept {
            magnitude = magnitude * 10 + digits.next().unwrap_or(0);
        }
        magnitude + i128::from(digits.next().unwrap_or(0) >= 5)
    };
    let signed = if negative { -magnitude } else { magnitude };
    Some(i64::try_from(signed).unwrap_or(if negative { i64::MIN } else { i64::MAX }))
}

/// The value of an exponent's text; one too large for any number of dollars counts as the largest.
fn exponent_of(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, nanos: i64, written: &str) {
        let usd: Usd = serde_json::from_str(text).expect(text);
        assert_eq!(usd.nanos(), nanos, "{text}");
        assert_eq!(serde_json::to_string(&usd).unwrap(), written, "{text}");
        assert_eq!(usd.to_string(), written);
    }

    #[test]
    fn reads_numbers_and_writes_at_most_nine_decimals() {
        check("0.045", 45_000_000, "0.045");
        check("0", 0, "0");
        check("-0", 0, "0");
        check("0.0", 0, "0");
        check("0e9999999999999999999999", 0, "0");
        check("1", 1_000_000_000, "1");
        check("1.0", 1_000_000_000, "1");
        check("12.5", 12_500_000_000, "12.5");
        check("-0.3", -300_000_000, "-0.3");
        check("1e-9", 1, "0.000000001");
        check("4.5E-2", 45_000_000, "0.045");
        check("1e+3", 1_000_000_000_000, "1000");
        check("0.0000000005", 1, "0.000000001");
        check("0.00000000049999", 0, "0");
        check("0.9999999999", 1_000_000_000, "1");
        check("0.10000000000000001", 100_000_000, "0.1");
        check("1e-99999999999999999999", 0, "0");
    }

    #[test]
    fn keeps_to_its_range() {
        let largest = "9223372036.854775807";
        check(largest, i64::MAX, largest);
        check("-9223372036.854775808", i64::MIN, "-9223372036.854775808");
        check("9223372036.854775808", i64::MAX, largest);
        check("1e300", i64::MAX, largest);
        check("-1e99999999999999999999", i64::MIN, "-9223372036.854775808");
        assert_eq!(Usd::MAX.checked_add(Usd::from_nanos(1)), None);
        assert_eq!(Usd::MAX.saturating_add(Usd::from_nanos(1)), Usd::MAX);
        assert_eq!(Usd::MIN.saturating_add(Usd::MIN), Usd::MIN);
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "", "-", ".5", "5.", "1e", "1e+", "+1", "01", "1,5", "$1", " 1", "1 ", "NaN", "inf",
            "0x1", "1.2.3",
        ] {
            assert_eq!(text.parse::<Usd>(), Err(UsdError), "{text:?}");
        }
        for (json, found) in [
            ("\"1\"", "a string"),
            ("null", "null"),
            ("[1]", "an array"),
            ("{}", "an object"),
            ("true", "a boolean"),
        ] {
            let error = serde_json::from_str::<Usd>(json).unwrap_err().to_string();
            assert!(
                error.contains(&format!(
                    "invalid type: {found}, expected a number of US dollars"
                )),
                "{error}"
            );
        }
    }
}
