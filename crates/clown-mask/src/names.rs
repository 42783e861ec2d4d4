/// Words of which one makes a name that of a secret.
const SECRET: [&str; 21] = [
    "apikey",
    "apikeys",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "dsn",
    "headers",
    "jwt",
    "key",
    "keys",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pat",
    "secret",
    "secrets",
    "webhook",
];

/// Whether a variable, a member or an option of this name usually holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let words = words_of(name);
    let has = |word: &str| words.iter().any(|other| other == word);
    let ends_with = |word: &str| words.last().is_some_and(|last| last == word);
    SECRET.iter().any(|word| has(word))
        || has("token")
        // A limit on tokens is no secret.
        || (has("tokens") && ["access", "api", "auth", "bearer", "refresh"].iter().any(|it| has(it)))
        || ends_with("session")
        // `PWD` alone is a folder.
        || (ends_with("pwd") && words.len() > 1)
}

/// The words that a name is made of, in lower case and without numbers at their ends: `baseURL2` is
/// `base` and `url`.
pub fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        after_lower = letter.is_lowercase();
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words
        .iter()
        .map(|word| word.trim_end_matches(|letter: char| letter.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_every_way_of_writing() {
        let check = |name: &str, words: &[&str]| assert_eq!(words_of(name), words, "{name}");
        check("ANTHROPIC_BASE_URL", &["anthropic", "base", "url"]);
        check("baseURL2", &["base", "url"]);
        check("max-context_size", &["max", "context", "size"]);
        check("$schema", &["schema"]);
        check("2", &[]);
        check("", &[]);
    }

    #[test]
    fn secrets_are_told_by_their_names() {
        let check = |name: &str, secret: bool| assert_eq!(is_secret_name(name), secret, "{name}");
        for name in [
            "ANTHROPIC_API_KEY",
            "github_token",
            "DB_PASSWORD",
            "DB_PASS",
            "DB_PWD",
            "--api-key",
            "X-Api-Key",
            "Authorization",
            "authToken",
            "clientSecret",
            "GPG_PASSPHRASE",
            "COOKIE",
            "GITHUB_PAT",
            "SESSION",
            "ANTHROPIC_CUSTOM_HEADERS",
            "API_KEYS",
            "API_TOKENS",
            "AWS_SECRETS",
            "CREDENTIALS",
            "SENTRY_DSN",
            "SLACK_WEBHOOK_URL",
        ] {
            check(name, true);
        }
        for name in [
            "MAX_THINKING_TOKENS",
            "max_tokens",
            "KEYBOARD",
            "API_TIMEOUT_MS",
            "PWD",
            "session_summary",
            "PATH",
            "authHeader",
            "model",
        ] {
            check(name, false);
        }
    }
}
