use crate::{MASK, address, is_secret_name, without};
use serde_json::Value;

/// Whether one of the words of a line looks like a secret.
pub fn has_secret(line: &str) -> bool {
    shown_if_secret(line).is_some()
}

/// A line without these secrets, and without what looks like one.
pub fn shown_line(line: &str, secrets: &[&str]) -> String {
    let line = without(line, secrets);
    shown_if_secret(&line).unwrap_or(line)
}

/// The same of a program's arguments, where one can say what the next one is.
pub fn shown_words(words: &[String], secrets: &[&str]) -> Vec<String> {
    let mut before = "";
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        all.push(shown_after(before, word).unwrap_or_else(|| shown_line(word, secrets)));
        before = word;
    }
    all
}

/// The same of every text in a value. Lists of texts are taken for arguments.
pub fn shown(value: Value, secrets: &[&str]) -> Value {
    match value {
        Value::String(text) => shown_line(&text, secrets).into(),
        Value::Array(items) => {
            let words: Option<Vec<String>> = items
                .iter()
                .map(|item| item.as_str().map(ToOwned::to_owned))
                .collect();
            match words {
                Some(words) => shown_words(&words, secrets).into(),
                None => items.into_iter().map(|item| shown(item, secrets)).collect(),
            }
        }
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, shown(member, secrets)))
            .collect(),
        other => other,
    }
}

/// Whether a word looks like a secret, or is what the word before it asks for.
pub fn is_secret_after(before: &str, word: &str) -> bool {
    shown_after(before, word).is_some()
}

/// The line with masks, if there is anything to mask.
fn shown_if_secret(line: &str) -> Option<String> {
    let mut before = "";
    let mut found = false;
    let mut shown = String::new();
    for piece in line.split_inclusive(char::is_whitespace) {
        let quoted = piece.trim_end();
        let word = quoted.trim_matches(['"', '\'']);
        match shown_after(before, word) {
            Some(masked) if !word.is_empty() => {
                found = true;
                shown.push_str(&piece.replacen(word, &masked, 1));
            }
            _ => shown.push_str(piece),
        }
        if !word.is_empty() {
            before = word;
        }
    }
    found.then_some(shown)
}

/// What is shown of a word that looks like a secret, or is what the word before it asks for; None of
/// any other.
fn shown_after(before: &str, word: &str) -> Option<String> {
    // How keys of well-known services begin.
    const BEGINNINGS: [&str; 10] = [
        "sk-",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "AKIA",
        "AIza",
    ];
    const SHORTEST: usize = 16;

    if word.len() >= SHORTEST && BEGINNINGS.iter().any(|begin| word.starts_with(begin)) {
        return Some(MASK.to_owned());
    }
    // What a shell or a program puts in stands elsewhere.
    let is_value = |text: &str| {
        let text = text.trim_start();
        let text = text.strip_prefix("Bearer ").unwrap_or(text);
        !text.is_empty() && !text.starts_with(['$', '-'])
    };
    let asks = before.starts_with('-') && !before.contains('=') && is_secret_name(before);
    if (asks || before.eq_ignore_ascii_case("bearer") || before.ends_with("Bearer"))
        && is_value(word)
    {
        return Some(MASK.to_owned());
    }
    if let Some(at) = word.find(['=', ':'])
        && is_secret_name(&word[..at])
        && is_value(&word[at + 1..])
        && !word[at..].starts_with("://")
    {
        return Some(format!("{}{MASK}", &word[..=at]));
    }
    let (_, rest) = word.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let is_secret = authority.contains('@')
        || query.split('&').any(|piece| {
            let named = piece.split_once('=');
            named.is_some_and(|(name, value)| is_secret_name(name) && is_value(value))
        });
    is_secret.then(|| address(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_told_by_their_looks() {
        let check = |line: &str, secret: bool| assert_eq!(has_secret(line), secret, "{line}");
        check("npx -y server --token=abc", true);
        check("server --api-key abc", true);
        check("server --api-key=abc", true);
        check("API_KEY=abc server", true);
        check("curl -H 'Authorization: Bearer abc' x", true);
        check("curl -H X-Api-Key:abc x", true);
        check("echo sk-test-0123456789", true);
        check("psql postgres://me:pw@host/db", true);
        check("curl https://x/mcp?token=abc", true);
        check("curl -H \"Authorization: Bearer $TOKEN\" x", false);
        check("server --api-key \"$KEY\"", false);
        check("server --token=$TOKEN --token --verbose", false);
        check("server --max-tokens 5 --keyboard us", false);
        check("npx -y @scope/server https://x/@scope?page=1", false);
        check("pass show work", false);
        check("op read op://work/anthropic/key", false);
        check("sk-short", false);
    }

    #[test]
    fn values_are_looked_through() {
        let value =
            json!({"a": [{"command": "x --token=a"}, 1], "b": ["--token", "c"], "d": "s3cret-1"});
        assert_eq!(
            shown(value, &["s3cret-1"]),
            json!({"a": [{"command": "x --token=********"}, 1], "b": ["--token", MASK], "d": MASK})
        );
    }

    #[test]
    fn what_is_shown_has_none() {
        let check = |line: &str, shown: &str| assert_eq!(shown_line(line, &[]), shown);
        check(
            "npx  -y server --token=abc",
            "npx  -y server --token=********",
        );
        check("server --api-key abc x", "server --api-key ******** x");
        check(
            "curl -H 'Authorization: Bearer abc' x",
            "curl -H 'Authorization: Bearer ********' x",
        );
        check(
            "psql postgres://me:pw@host/db",
            "psql postgres://********@host/db",
        );
        check("nothing  here\n", "nothing  here\n");
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown_words(
                &words(&[
                    "--token",
                    "abc",
                    "-c",
                    "A_KEY=x y",
                    "Authorization: Bearer z"
                ]),
                &[]
            ),
            words(&[
                "--token",
                MASK,
                "-c",
                "A_KEY=********",
                "Authorization:********"
            ]),
        );
    }
}
