//! Text that only who knows a passphrase can read, in the format of age.

use crate::failure::{FAILED, Failure, USAGE};
use crate::prompt;
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::{ExposeSecret as _, SecretString};
use anyhow::Context as _;
use clap::Args;
use std::io::{Read as _, Write as _};

#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// Read the passphrase from the first line of standard input, instead of asking for it
    #[arg(long)]
    passphrase_stdin: bool,
}

impl PassphraseArgs {
    /// One to encrypt with: typed twice.
    pub(crate) fn new_one(&self) -> anyhow::Result<SecretString> {
        let passphrase = self.known_one()?;
        if !self.passphrase_stdin {
            let again = prompt::hidden("Passphrase, once more: ")?;
            if *passphrase.expose_secret() != *again {
                let text = "these were two different passphrases; nothing was written";
                return Err(Failure::new(USAGE, text).into());
            }
        }
        Ok(passphrase)
    }

    /// The one that something was encrypted with.
    pub(crate) fn known_one(&self) -> anyhow::Result<SecretString> {
        if self.passphrase_stdin {
            let mut line = String::new();
            std::io::stdin()
                .read_line(&mut line)
                .context("cannot read the passphrase from standard input")?;
            let line = line.trim();
            if line.is_empty() {
                return Err(Failure::new(USAGE, "there is no passphrase on standard input").into());
            }
            return Ok(line.to_owned().into());
        }
        if !prompt::is_possible() {
            let text = "a passphrase is needed and there is no terminal: use --passphrase-stdin";
            return Err(Failure::new(USAGE, text).into());
        }
        prompt::hidden("Passphrase: ").map(SecretString::from)
    }
}

pub(crate) fn encrypt(text: &str, passphrase: &SecretString) -> anyhow::Result<String> {
    let encryptor = age::Encryptor::with_user_passphrase(passphrase.clone());
    let mut encrypted = Vec::new();
    let armored = ArmoredWriter::wrap_output(&mut encrypted, Format::AsciiArmor)?;
    let mut writer = encryptor.wrap_output(armored)?;
    writer.write_all(text.as_bytes())?;
    writer.finish()?.finish()?;
    String::from_utf8(encrypted).context("an armored text is text")
}

pub(crate) fn is_encrypted(text: &str) -> bool {
    text.trim_start()
        .starts_with("-----BEGIN AGE ENCRYPTED FILE-----")
}

pub(crate) fn decrypt(text: &str, passphrase: &SecretString) -> anyhow::Result<String> {
    let failed = |error: age::DecryptError| {
        let text = match error {
            age::DecryptError::DecryptionFailed | age::DecryptError::NoMatchingKeys => {
                "the passphrase is not the right one, or the file was changed".to_owned()
            }
            other => format!("the file cannot be decrypted: {other}"),
        };
        Failure::new(FAILED, text)
    };
    let armored = ArmoredReader::new(text.trim_start().as_bytes());
    let decryptor = age::Decryptor::new(armored).map_err(failed)?;
    let identity = age::scrypt::Identity::new(passphrase.clone());
    let identity: &dyn age::Identity = &identity;
    let mut reader = decryptor
        .decrypt(std::iter::once(identity))
        .map_err(failed)?;
    let mut decrypted = String::new();
    reader.read_to_string(&mut decrypted).map_err(|_| {
        let text = "the file was changed or is cut off: it cannot be decrypted";
        Failure::new(FAILED, text)
    })?;
    Ok(decrypted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_is_read_with_the_passphrase_and_nothing_else() {
        let passphrase = SecretString::from("correct horse".to_owned());
        let encrypted = encrypt("sk-secret", &passphrase).unwrap();
        assert!(is_encrypted(&encrypted) && !encrypted.contains("sk-secret"));
        assert_eq!(decrypt(&encrypted, &passphrase).unwrap(), "sk-secret");
        let wrong = SecretString::from("wrong".to_owned());
        let refused = decrypt(&encrypted, &wrong).unwrap_err().to_string();
        assert!(refused.contains("passphrase"), "{refused}");
        let cut = &encrypted[..encrypted.len() / 2];
        assert!(decrypt(cut, &passphrase).is_err());
    }
}
