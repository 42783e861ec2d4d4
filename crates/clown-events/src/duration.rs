use std::time::Duration;

/// Reads a stretch of time as people write it: whole numbers, each with its unit (`ms`, `s`, `m`, `h`,
/// `d`, `w`), added up. `None` for anything else, and for more than can be counted.
///
/// ```
/// use clown_events::parse_duration;
/// use std::time::Duration;
///
/// assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
/// assert_eq!(parse_duration("90"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let millis = match rest.get(..letters)? {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        rest = rest.get(letters..)?;
        total = total.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_and_nothing_else() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(
                parse_duration(text),
                millis.map(Duration::from_millis),
                "{text:?}"
            );
        };
        check("500ms", Some(500));
        check("90s", Some(90_000));
        check("10m", Some(600_000));
        check("1h30m", Some(5_400_000));
        check("2d", Some(172_800_000));
        check("1w", Some(604_800_000));
        check("0s", Some(0));
        for wrong in [
            "",
            "10",
            "m",
            "10 m",
            "-1s",
            "1.5h",
            "10minutes",
            "1h30",
            "١s",
            "99999999999999999999s",
            "99999999999999999w",
        ] {
            check(wrong, None);
        }
    }
}
