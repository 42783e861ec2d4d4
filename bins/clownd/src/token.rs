//! The file that holds the token.

use anyhow::{Context as _, anyhow};
use clown_core::files::write_atomically;
use clown_server::Token;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// The token in `path`. A new one is made when there is none, and when others could have read the
/// one that is there.
pub(crate) fn load_or_make(path: &Path) -> anyhow::Result<Token> {
    match load(path) {
        Ok(Some(token)) => return Ok(token),
        Ok(None) => {}
        Err(fault) => {
            tracing::warn!(file = %path.display(), "{fault}: a new token is made, and the old one is no longer valid");
        }
    }
    make(path).with_context(|| format!("cannot make the token {}", path.display()))
}

/// The token, if there is a file; an error says why it is not to be used, and does not show it.
fn load(path: &Path) -> anyhow::Result<Option<Token>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("the token cannot be looked at"),
    };
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(anyhow!("the token belongs to user {}", metadata.uid()));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(anyhow!(
            "others may read or write the token (its mode is {mode:o}, not 600)"
        ));
    }
    let text = fs::read_to_string(path).context("the token cannot be read")?;
    Ok(Some(Token::new(text.trim_end())?))
}

fn make(path: &Path) -> anyhow::Result<Token> {
    const PRIVATE: u32 = 0o600;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the system gives no random bytes")?;
    let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    // A file that is there would keep its mode.
    match fs::set_permissions(path, Permissions::from_mode(PRIVATE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    write_atomically(path, text.as_bytes(), PRIVATE)?;
    Ok(Token::new(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_token_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        load_or_make(&path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(mode(&path), 0o600);
        load_or_make(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
    }

    #[test]
    fn one_that_others_may_know_or_that_is_none_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let check = |text: &str, mode_before: u32, kept: bool| {
            let path = folder.path().join("token");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode_before)).unwrap();
            load_or_make(&path).unwrap();
            let now = fs::read_to_string(&path).unwrap();
            assert_eq!(now == text, kept, "{text:?} {mode_before:o}");
            assert_eq!(mode(&path) & 0o077, 0);
            assert!(load(&path).unwrap().is_some());
        };
        let good = "my-own-token-that-is-long-enough-to-be-one";
        check(good, 0o600, true);
        check(&format!("{good}\n"), 0o400, true);
        check(good, 0o640, false);
        check(good, 0o604, false);
        check(good, 0o622, false);
        check("", 0o600, false);
        check("short", 0o600, false);
        check(&format!("{good} {good}"), 0o600, false);
    }

    #[test]
    fn a_fault_does_not_show_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "secret but not a token").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let fault = format!(
            "{:#} {:?}",
            load(&path).unwrap_err(),
            load(&path).unwrap_err()
        );
        assert!(!fault.contains("secret"), "{fault}");
    }
}
