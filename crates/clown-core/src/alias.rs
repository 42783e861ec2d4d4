use std::fmt;
use std::str::FromStr;

/// The name of a profile: 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or a digit. So
/// it is a file's name on every system and never a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(Box<str>);

/// Why a text is no alias.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot name a profile: use 1 to 64 letters, digits, dots, underscores or hyphens, beginning with a letter or a digit"
)]
pub struct InvalidAlias(pub String);

impl Alias {
    const MAX_LENGTH: usize = 64;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the profile's file.
    pub fn file_name(&self) -> String {
        format!("{}.toml", self.0)
    }
}

impl FromStr for Alias {
    type Err = InvalidAlias;

    fn from_str(text: &str) -> Result<Self, InvalidAlias> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text.bytes().all(allowed)
            && text.as_bytes()[0].is_ascii_alphanumeric();
        if fits {
            Ok(Self(text.into()))
        } else {
            // A long text is cut, so that an error cannot be made arbitrarily large.
            Err(InvalidAlias(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_file_names_are_aliases() {
        let check = |text: &str, good: bool| {
            assert_eq!(text.parse::<Alias>().is_ok(), good, "{text:?}");
        };
        check("work", true);
        check("9-to.5_b", true);
        check(&"a".repeat(64), true);
        check(&"a".repeat(65), false);
        check("", false);
        check(".", false);
        check("..", false);
        check(".hidden", false);
        check("-flag", false);
        check("a/b", false);
        check("a\\b", false);
        check("a b", false);
        check("grün", false);
        check("a\0", false);
    }
}
