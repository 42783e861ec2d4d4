//! Whether an index is signed by whom a person trusts.

use super::index::Index;
use minisign_verify::{Error, PublicKey, Signature};

/// More than a signature has.
pub const MAX_SIGNATURE_BYTES: usize = 8 << 10;

/// The key by which a registry's signatures are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey(PublicKey);

impl VerifyingKey {
    /// The second line of a minisign key's `.pub` file, or all of that file.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        let key = match text.contains('\n') {
            true => PublicKey::decode(text),
            false => PublicKey::from_base64(text),
        };
        key.map(Self).map_err(|_| InvalidKey)
    }
}

/// A text is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no minisign public key: give the line of its .pub file that begins with RW")]
pub struct InvalidKey;

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It cannot be read.
    #[error("the signature is no minisign signature")]
    Malformed,
    /// By somebody else.
    #[error("it is signed with another key than registry.public_key")]
    OtherKey,
    /// The index or the signature was changed.
    #[error("the signature does not fit the index: one of them was changed")]
    Wrong,
    /// The comment, which is signed, is about another index.
    #[error("the signature is about another index: it says {said:?}, and this one is {expected:?}")]
    OtherIndex {
        /// What the comment says.
        said: String,
        /// What it should say.
        expected: String,
    },
}

/// Whether `signature` is one of `bytes` by `key`. Nothing that the bytes say is looked at before.
pub fn verify(key: &VerifyingKey, bytes: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let signature = read(signature)?;
    key.0
        .verify(bytes, &signature, false)
        .map_err(|error| match error {
            Error::UnexpectedKeyId => SignatureError::OtherKey,
            _ => SignatureError::Wrong,
        })
}

/// Whether the signature's comment is about `index`: one that is passed off as that of another
/// channel is found out, whatever its name.
pub fn check_comment(index: &Index, signature: &[u8]) -> Result<(), SignatureError> {
    let signature = read(signature)?;
    let expected = index.trusted_comment();
    let said = signature.trusted_comment();
    if said == expected {
        return Ok(());
    }
    Err(SignatureError::OtherIndex {
        said: said.chars().take(200).collect(),
        expected,
    })
}

fn read(signature: &[u8]) -> Result<Signature, SignatureError> {
    let text = std::str::from_utf8(signature).map_err(|_| SignatureError::Malformed)?;
    Signature::decode(text).map_err(|_| SignatureError::Malformed)
}
