use std::fmt;
use std::hint::black_box;

/// The secret by which those show themselves who are not known by their user.
#[derive(Clone)]
pub struct Token(String);

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has {MIN} to {MAX} characters of A-Z a-z 0-9 - . _ ~ and no others")]
pub struct InvalidToken;

const MIN: usize = 32;
const MAX: usize = 256;

impl Token {
    /// Checks that `text` can stand in a header, and is long enough not to be guessed.
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if (MIN..=MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidToken)
        }
    }

    /// Whether `shown` is this token. The time that it takes tells nothing of where they differ.
    pub(super) fn is(&self, shown: &str) -> bool {
        let (own, shown) = (self.0.as_bytes(), shown.as_bytes());
        let difference = own.iter().zip(shown).fold(0, |difference, (own, shown)| {
            black_box(difference | (own ^ shown))
        });
        own.len() == shown.len() && black_box(difference) == 0
    }
}

/// Without the secret: what is printed ends up in logs.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_it() {
        let text = "0123456789abcdef0123456789abcdef";
        let token = Token::new(text).unwrap();
        assert!(token.is(text));
        for other in [
            "",
            "0",
            &text[1..],
            &text[..31],
            &format!("{text}0"),
            &text.replace('f', "F"),
            &text.replacen('0', "1", 1),
        ] {
            assert!(!token.is(other), "{other:?}");
        }
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn short_or_strange_texts_are_none() {
        let check = |text: &str, good: bool| {
            assert_eq!(Token::new(text).is_ok(), good, "{text:?}");
        };
        check(&"a".repeat(32), true);
        check(&"Z_-.~9".repeat(8), true);
        check(&"a".repeat(31), false);
        check(&"a".repeat(257), false);
        check(&format!("{} ", "a".repeat(32)), false);
        check(&format!("{},", "a".repeat(32)), false);
        check(&format!("{}ü", "a".repeat(32)), false);
    }
}
