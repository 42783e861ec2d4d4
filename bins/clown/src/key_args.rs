use crate::failure::{Failure, USAGE};
use crate::prompt;
use anyhow::Context as _;
use clap::Args;
use clown_api::{KeyInput, Profile};
use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

/// More than any key has; what is longer is some other file.
const LONGEST_KEY: u64 = 64 * 1024;

/// The ways to give a profile its key. None of them puts the key itself on the command line,
/// where other programs could read it.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct KeyArgs {
    /// Take the key from this variable of the shell that a run is started from
    #[arg(long, value_name = "VAR")]
    key_env: Option<String>,
    /// Read the key from standard input now, and keep it
    #[arg(long)]
    key_stdin: bool,
    /// Take the key from the first line that this command prints
    #[arg(long, value_name = "CMD")]
    key_command: Option<String>,
    /// Take the key from this file
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl KeyArgs {
    /// What the daemon is told; reads standard input where that was asked for.
    pub(crate) fn read(self) -> anyhow::Result<Option<KeyInput>> {
        if self.key_stdin {
            return read_stdin().map(Some);
        }
        if let Some(path) = self.key_file {
            return file(&path).map(Some);
        }
        let env = self.key_env.map(KeyInput::Env);
        Ok(env.or_else(|| self.key_command.map(KeyInput::Command)))
    }
}

/// A key's file by its absolute path: the daemon has another working folder.
pub(crate) fn file(path: &std::path::Path) -> anyhow::Result<KeyInput> {
    let absolute = std::path::absolute(path)
        .with_context(|| format!("cannot use {} for the key", path.display()))?;
    match absolute.to_str() {
        Some(text) => Ok(KeyInput::File(text.to_owned())),
        None => Err(Failure::new(USAGE, "the name of the key's file is not UTF-8").into()),
    }
}

fn read_stdin() -> anyhow::Result<KeyInput> {
    if std::io::stdin().is_terminal() {
        return prompt::hidden("Key: ").map(KeyInput::Value);
    }
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST_KEY)
        .read_to_string(&mut text)
        .context("cannot read the key from standard input")?;
    let key = text.trim();
    if key.is_empty() {
        return Err(Failure::new(USAGE, "there is no key on standard input").into());
    }
    Ok(KeyInput::Value(key.to_owned()))
}

/// Where a profile's key is, in words; nothing for a profile without one.
pub(crate) fn describe(profile: &Profile) -> Option<String> {
    let key = profile.key.as_ref()?;
    let place = match key.source.as_str() {
        "keyring" => "kept in the system keyring".to_owned(),
        "secrets" => "kept in a file of the daemon's secrets folder that only you can read, \
                      because there is no system keyring here"
            .to_owned(),
        "env" => "taken from the environment of each run".to_owned(),
        "command" => "taken from a command at each run".to_owned(),
        "file" => "taken from a file at each run".to_owned(),
        other => format!("taken from {other}"),
    };
    Some(if key.set {
        place
    } else {
        format!("{place}; it is not there yet")
    })
}
