//! What may be a secret, by its name or its looks, and what is shown in its place.
//!
//! The daemon masks by it what it shows of runs and profiles; the command line finds by it secrets
//! that stand where none belongs.

mod address;
mod looks;
mod names;

pub use address::{address, bare_address, names_who_asks};
pub use looks::{has_secret, is_secret_after, shown, shown_command, shown_line, shown_words};
pub use names::{is_secret_name, words_of};

use serde_json::Value;

/// What stands in place of a secret.
pub const MASK: &str = "********";

/// The value with every text in it masked; tables keep their names.
pub fn masked(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), masked(member)))
            .collect(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::String(text) if text.is_empty() => Value::String(String::new()),
        _ => MASK.into(),
    }
}

/// The text with each of these secrets masked. Short ones count only as the whole text: they would
/// be found in words that have nothing to do with them.
pub fn without(text: &str, secrets: &[&str]) -> String {
    const LONG: usize = 6;
    let mut text = text.to_owned();
    for secret in secrets {
        // Of an address only what is secret in it.
        let shown = match secret.contains("://") {
            true => address(secret),
            false => MASK.to_owned(),
        };
        if text == *secret && !secret.is_empty() {
            return shown;
        }
        if secret.len() >= LONG {
            text = text.replace(secret, &shown);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_and_texts() {
        assert_eq!(
            masked(&json!({"a": "x", "b": [1, "y", ""], "c": {"d": true}})),
            json!({"a": MASK, "b": [MASK, MASK, ""], "c": {"d": MASK}})
        );
        let check = |text: &str, secrets: &[&str], expected: &str| {
            assert_eq!(without(text, secrets), expected, "{text} {secrets:?}");
        };
        check("a=s3cret-1;b", &["s3cret-1"], "a=********;b");
        check("1", &["1"], MASK);
        check("127.0.0.1", &["1"], "127.0.0.1");
        check("", &[""], "");
        check(
            "a https://x/?t=abc",
            &["https://x/?t=abc"],
            "a https://x/?t=********",
        );
    }
}
