use super::command::first_line_of;
use super::error::beside;
use super::{KeyError, KeySource, KeyStore, Secret};
use crate::Alias;
use crate::files::read_text;
use crate::process::{ProcessIdentity, environment_of};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

/// The variables that the daemon was started with.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// Finds the key that a profile asks for.
#[derive(Debug)]
pub struct KeyResolver<'a> {
    /// Keys that Clown keeps.
    pub store: &'a KeyStore,
    /// The daemon's own environment; commands run in it.
    pub environment: &'a Environment,
    /// Who runs the profile; their environment comes first.
    pub caller: Option<ProcessIdentity>,
}

impl KeyResolver<'_> {
    /// The key of `profile`. Blocks, for a command up to 30 s.
    pub fn resolve(&self, profile: &Alias, source: &KeySource) -> Result<Secret, KeyError> {
        let (secret, origin) = match source {
            KeySource::Env(name) => (
                self.variable(profile, name)?,
                format!("the variable {name}"),
            ),
            KeySource::Command(line) => (
                first_line_of(profile, line, self.environment)?,
                "its key command".to_owned(),
            ),
            KeySource::File(path) => (
                read_key_file(path).map_err(|source| KeyError::File {
                    profile: profile.clone(),
                    path: path.clone(),
                    source,
                })?,
                format!("the file {}", path.display()),
            ),
            KeySource::Store(name) => {
                let stored = self.store.get(name)?.ok_or_else(|| KeyError::NotStored {
                    profile: profile.clone(),
                    name: name.clone(),
                })?;
                (stored, format!("the stored key {name}"))
            }
        };
        match secret.flaw() {
            None => Ok(secret),
            Some(flaw) => Err(KeyError::Unusable {
                profile: profile.clone(),
                origin,
                flaw,
            }),
        }
    }

    /// A key that is no profile's. The error is a sentence that speaks of none.
    pub(crate) fn resolve_alone(&self, source: &KeySource) -> Result<Secret, String> {
        // Errors name a profile, which `without_profile` leaves out again.
        let nobody: Alias = "check".parse().map_err(|_| String::new())?;
        self.resolve(&nobody, source)
            .map_err(|error| without_profile(&error))
    }

    fn variable(&self, profile: &Alias, name: &str) -> Result<Secret, KeyError> {
        // An empty variable is how shells often unset one.
        let of_caller = self
            .caller
            .and_then(|caller| environment_of(&caller, name))
            .filter(|value| !value.is_empty());
        let value = of_caller.or_else(|| self.environment.get(name).map(OsStr::to_owned));
        match value {
            Some(value) => match value.into_string() {
                Ok(text) => Ok(Secret::new(text.trim())),
                Err(_) => Err(KeyError::Unusable {
                    profile: profile.clone(),
                    origin: format!("the variable {name}"),
                    flaw: "it is not UTF-8 text",
                }),
            },
            None => Err(KeyError::VariableUnset {
                profile: profile.clone(),
                variable: name.to_owned(),
            }),
        }
    }
}

fn without_profile(error: &KeyError) -> String {
    match error {
        KeyError::VariableUnset { variable, .. } => format!(
            "the variable {variable} is set neither where you call from nor where the daemon was started"
        ),
        KeyError::CommandFailed {
            how,
            last_line,
            advice,
            ..
        } => format!(
            "the command that prints it failed ({how}): {last_line}{}",
            beside(*advice)
        ),
        KeyError::CommandNotStarted { source, .. } => {
            format!("the command that prints it could not be started: {source}")
        }
        KeyError::CommandTimeout {
            seconds, advice, ..
        } => format!(
            "the command that prints it had not ended after {seconds} s and was stopped: it must not ask anything{}",
            beside(*advice)
        ),
        KeyError::File { path, source, .. } => {
            format!("the file {} cannot be read: {source}", path.display())
        }
        KeyError::Unusable { origin, flaw, .. } => {
            format!("what {origin} gives cannot be used as a key: {flaw}")
        }
        other => other.to_string(),
    }
}

/// More than this is no key but a mistaken file.
const MAX_FILE: usize = 64 * 1024;

fn read_key_file(path: &Path) -> io::Result<Secret> {
    let text = Zeroizing::new(read_text(path, MAX_FILE)?);
    Ok(Secret::new(text.trim()))
}

impl Environment {
    /// The value of a variable that is set to something.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        let value = self.0.get(name.as_ref())?;
        (!value.is_empty()).then_some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}

impl<Name: Into<OsString>, Value: Into<OsString>> FromIterator<(Name, Value)> for Environment {
    fn from_iter<I: IntoIterator<Item = (Name, Value)>>(variables: I) -> Self {
        let owned = |(name, value): (Name, Value)| (name.into(), value.into());
        Self(variables.into_iter().map(owned).collect())
    }
}

/// Names only: values can be keys.
impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
