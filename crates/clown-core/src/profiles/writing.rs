//! Writing a profile's file, and committing what it then says.

use super::Profiles;
use super::definition::Definition;
use super::error::ProfileError;
use super::folder::Folder;
use super::rows::Published;
use crate::{Alias, files};
use sha2::{Digest as _, Sha256};

impl Profiles {
    /// Puts `text`, which says `definition`, in place of the file that is as it was `before`. None if it
    /// no longer is: then it is left as it is. If the commit fails, the old file comes back.
    /// `known` is what was published. The caller holds the lock.
    pub(super) fn write_file(
        &self,
        folder: &Folder,
        alias: &Alias,
        before: Option<&[u8]>,
        text: &[u8],
        (definition, known): (&Definition, Option<&Definition>),
    ) -> Result<Option<Published>, ProfileError> {
        if !folder.is_in_place() {
            return Err(ProfileError::FolderMissing {
                path: self.path.clone(),
                reason: "it was moved away".to_owned(),
            });
        }
        let file = self.file(alias);
        let readers = definition.readers(known);
        let replaced =
            files::replace(&file, before, text, readers).map_err(|source| ProfileError::File {
                action: "write",
                path: file.clone(),
                source,
            })?;
        let Some(replaced) = replaced else {
            return Ok(None);
        };
        let digest = Sha256::digest(text).into();
        match self.commit_definition(alias, definition.clone(), digest) {
            Ok(published) => {
                self.lock_faults().profiles.remove(alias);
                Ok(Some(published))
            }
            Err(error) => {
                if let Err(problem) = replaced.take_back() {
                    tracing::error!(profile = %alias, "the old file could not be put back: {problem}");
                }
                Err(error.into())
            }
        }
    }
}
