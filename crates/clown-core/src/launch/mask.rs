//! Keeping secrets out of what is shown of a run.

use serde_json::Value;

/// What stands in place of a secret.
pub const MASK: &str = "********";

/// Whether a variable of this name usually holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 8] = [
        "KEY",
        "APIKEY",
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "CREDENTIAL",
        "AUTHORIZATION",
    ];
    // A limit on tokens is no secret.
    let name = name.to_ascii_uppercase();
    name.split(['_', '-', '.'])
        .any(|part| WORDS.contains(&part))
}

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
        if text == *secret && !secret.is_empty() {
            return MASK.to_owned();
        }
        if secret.len() >= LONG {
            text = text.replace(secret, MASK);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_secrets() {
        let check = |name: &str, secret: bool| assert_eq!(is_secret_name(name), secret, "{name}");
        check("ANTHROPIC_API_KEY", true);
        check("github_token", true);
        check("X-Api-Key", true);
        check("Authorization", true);
        check("MAX_THINKING_TOKENS", false);
        check("KEYBOARD", false);
        check("API_TIMEOUT_MS", false);
    }

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
    }
}
