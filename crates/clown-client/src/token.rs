use crate::connect::Trust;
use crate::discovery::Discovery;
use crate::error::ClientError;
use http::HeaderValue;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longer than any token; more is another file.
const LONGEST: usize = 4096;

/// What lets a client in where the daemon cannot see who it is. Never shown, not even by `{:?}`.
///
/// ```
/// use clown_client::Token;
///
/// let token: Token = "c2VjcmV0\n".parse()?;
/// assert_eq!(format!("{token:?}"), "Token");
/// assert!("two words".parse::<Token>().is_err());
/// # Ok::<(), clown_client::TokenError>(())
/// ```
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Reads a token from a file that a person named, whoever owns that.
    ///
    /// # Errors
    /// [`TokenError::Unreadable`] and [`TokenError::Malformed`].
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let file = std::fs::File::open(path).map_err(unreadable(path))?;
        Self::read(file, path)
    }

    /// The daemon's own token in its state folder, if there is one. It must be this user's and
    /// closed to others: somebody else's token would only tell them what was sent.
    pub(crate) fn of_daemon(path: &Path) -> Result<Option<Self>, TokenError> {
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unreadable(path))?,
        };
        check_owner(&file, path)?;
        Self::read(file, path).map(Some)
    }

    fn read(file: std::fs::File, path: &Path) -> Result<Self, TokenError> {
        let mut text = String::new();
        file.take(LONGEST as u64 + 1)
            .read_to_string(&mut text)
            .map_err(unreadable(path))?;
        Self::parse(&text).ok_or_else(|| TokenError::Malformed {
            place: path.display().to_string(),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii_end();
        // What RFC 6750 allows after "Bearer".
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(is_allowed) {
            return None;
        }
        let mut value = HeaderValue::try_from(format!("Bearer {text}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// The value of `Authorization`.
    pub(crate) fn bearer(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        Self::parse(text).ok_or_else(|| TokenError::Malformed {
            place: "what was given".to_owned(),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

#[cfg(unix)]
fn check_owner(file: &std::fs::File, path: &Path) -> Result<(), TokenError> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = file.metadata().map_err(unreadable(path))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(TokenError::NotOwn { path: path.into() });
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(TokenError::Open { path: path.into() });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_owner(_file: &std::fs::File, _path: &Path) -> Result<(), TokenError> {
    Ok(())
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> TokenError {
    let path = path.to_owned();
    move |source| TokenError::Unreadable { path, source }
}

/// Why there is no token to send. Its text never holds one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read.
    #[error("cannot read the token in {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is no token.
    #[error("{place} holds no token: that is one word of letters, digits and - . _ ~ + / =")]
    Malformed {
        /// Where the text is from.
        place: String,
    },
    /// Another user's file in the state folder.
    #[error("{} belongs to another user, so its token is not used", path.display())]
    NotOwn {
        /// The file.
        path: PathBuf,
    },
    /// Other users can read the file, or write it.
    #[error("{0} is open to others, so its token is not used; chmod 600 {0}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
}

/// With what a client comes to a daemon.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    pub(crate) trust: Trust,
    pub(crate) token: Option<Token>,
}

/// Where a token is to be had, should one be asked for.
#[derive(Debug, Clone)]
pub(crate) enum TokenSource {
    Nowhere,
    /// The daemon's own file: for the own user's daemon on this machine only.
    DaemonsFile(PathBuf),
    /// A person gave it.
    Given(Token),
}

impl Discovery {
    /// Tries without a token, and once more with it if the daemon asks for one.
    pub(crate) async fn with_token_if_needed<T, F>(
        &self,
        trust: Trust,
        mut attempt: impl FnMut(Admission) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let by_hand = trust == Trust::Ordinary && self.is_by_hand();
        let trust = if by_hand { Trust::ByHand } else { trust };
        let refused = match attempt(Admission { trust, token: None }).await {
            Err(ClientError::Problem(problem)) if problem.status == 401 => problem,
            outcome => return outcome,
        };
        let token = match self.token_source() {
            TokenSource::Nowhere => None,
            TokenSource::DaemonsFile(path) => Token::of_daemon(path)?,
            TokenSource::Given(token) => Some(token.clone()),
        };
        let Some(token) = token else {
            return Err(ClientError::Problem(refused));
        };
        let trust = if by_hand { trust } else { Trust::Secret };
        let admission = Admission {
            trust,
            token: Some(token),
        };
        match attempt(admission).await {
            // The token stays here; what the daemon said is what there is to say.
            Err(ClientError::NotLocal { .. }) => Err(ClientError::Problem(refused)),
            outcome => outcome,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn texts() {
        let check = |text: &str, expected: Option<&str>| {
            let bearer = Token::parse(text).map(|token| token.bearer());
            let bearer = bearer.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(bearer, expected, "{text:?}");
        };
        check("abc", Some("Bearer abc"));
        check("aB1-._~+/=\r\n", Some("Bearer aB1-._~+/="));
        for wrong in ["", "\n", " a", "a b", "a\nb", "ä", "a\0"] {
            check(wrong, None);
        }
        check(&"x".repeat(LONGEST + 1), None);
    }

    #[test]
    fn the_daemons_file_must_be_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(matches!(Token::of_daemon(&path), Ok(None)));
        fs::write(&path, "abc\n").unwrap();
        for (mode, is_taken) in [
            (0o600, true),
            (0o400, true),
            (0o640, false),
            (0o604, false),
            (0o620, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let outcome = Token::of_daemon(&path);
            assert_eq!(outcome.is_ok(), is_taken, "{mode:o} {outcome:?}");
        }
        assert!(Token::from_file(&path).is_ok());
        fs::write(&path, "two words").unwrap();
        let error = Token::from_file(&path).unwrap_err().to_string();
        assert!(
            error.contains("holds no token") && !error.contains("two"),
            "{error}"
        );
    }
}
