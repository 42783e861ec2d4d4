//! What a request would make of a profile, without doing it.

use super::definition::{Definition, MEMBERS};
use super::error::ProfileError;
use super::folder::Observation;
use super::{Profiles, patch};
use crate::Alias;
use crate::keys::KeySource;
use serde_json::{Map, Value};
use std::fmt;
use std::path::PathBuf;

/// What is asked of a profile.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Nothing: it is as it is.
    None,
    /// It is made of these members.
    Create(Map<String, Value>),
    /// This merge patch (RFC 7396) is applied.
    Patch(Map<String, Value>),
}

/// What a profile would be.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// What its file would say.
    pub definition: Definition,
    /// The file.
    pub file: PathBuf,
    /// Whether there is none yet.
    pub is_new: bool,
    /// The members that would change, in the order of [`MEMBERS`].
    pub members: Vec<ProposedMember>,
}

/// One member that would change.
#[derive(Clone, PartialEq)]
pub struct ProposedMember {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub before: Option<Value>,
    /// What it would be.
    pub after: Option<Value>,
}

/// The name only: values can be secrets.
impl fmt::Debug for ProposedMember {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProposedMember")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Profiles {
    /// What `change` would make of a profile; refused where the change itself would be. Writes and
    /// publishes nothing, not even what somebody has just changed by hand.
    pub fn propose(&self, alias: &Alias, change: Change) -> Result<Proposal, ProfileError> {
        let file = self.file(alias);
        let current = match &change {
            Change::Create(_) => {
                let folder = self.open_folder()?;
                if folder.observe(alias) != Observation::Absent {
                    return Err(ProfileError::Exists(alias.clone()));
                }
                None
            }
            Change::None | Change::Patch(_) => {
                let broken = self.lock_faults().profiles.contains_key(alias);
                match self.published(alias)? {
                    Some(published) if !broken => Some(published.definition),
                    _ => return Err(self.missing(alias)),
                }
            }
        };
        let definition = match (change, &current) {
            (Change::None, Some(current)) => current.clone(),
            (Change::None, None) => return Err(ProfileError::NotFound(alias.clone())),
            (Change::Create(members) | Change::Patch(members), current) => {
                let wanted = patch::apply(current.as_ref(), members)?;
                self.check_wanted(&wanted)?;
                let mut definition = wanted.definition;
                if wanted.key.is_some() {
                    self.check_own_key(alias, current.as_ref())?;
                    definition.key = Some(KeySource::Store(alias.clone()));
                }
                definition
            }
        };
        Ok(Proposal {
            members: differences(current.as_ref(), &definition),
            definition,
            file,
            is_new: current.is_none(),
        })
    }
}

fn differences(before: Option<&Definition>, after: &Definition) -> Vec<ProposedMember> {
    let members = |definition: &Definition| match serde_json::to_value(definition) {
        Ok(Value::Object(members)) => members,
        // A definition holds maps with text keys and plain values only.
        _ => Map::new(),
    };
    let before = before.map(members).unwrap_or_default();
    let after = members(after);
    MEMBERS
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| ProposedMember {
            name,
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}
