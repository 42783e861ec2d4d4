/// The one of `known` that was probably meant by a mistyped `text`.
pub(super) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no typing errors, and the work grows with the length.
    const LONGEST: usize = 64;

    if text.len() > LONGEST {
        return None;
    }
    let text = text.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (name, edits(text.as_bytes(), name.as_bytes())))
        .filter(|(name, edits)| edits * 5 <= name.len().max(text.len()) * 2)
        .min_by_key(|(_, edits)| *edits)
        .map(|(name, _)| name)
}

/// How many bytes must be put in, taken out or replaced to make one of the other.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, byte) in from.iter().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(to) {
            let replaced = diagonal + usize::from(byte != other);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant() {
        let check = |text: &str, expected: Option<&str>| {
            let known = ["time", "type", "alias", "data.exit_code"];
            assert_eq!(nearest(text, known), expected, "{text}");
        };
        check("tim", Some("time"));
        check("TYPE", Some("type"));
        check("alais", Some("alias"));
        check("data.exitcode", Some("data.exit_code"));
        check("exit_code", Some("data.exit_code"));
        check("something", None);
        check("", None);
        check(&"x".repeat(1000), None);
    }

    #[test]
    fn distances() {
        let check = |from: &str, to: &str, expected: usize| {
            assert_eq!(
                edits(from.as_bytes(), to.as_bytes()),
                expected,
                "{from} {to}"
            );
        };
        check("", "", 0);
        check("abc", "", 3);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("abc", "abc", 0);
    }
}
