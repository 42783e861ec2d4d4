use crate::context::Context;
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
    /// Take the key from this variable of the shell that a run is started from; on other systems
    /// than Linux, of the shell that the daemon is started from
    #[arg(long, value_name = "VAR")]
    key_env: Option<String>,
    /// Read the key from standard input now, and keep it
    #[arg(long)]
    key_stdin: bool,
    /// Take the key from the first line that this command prints
    #[arg(long, value_name = "CMD")]
    key_command: Option<String>,
    /// Where the key is: env:VAR, command:CMD, file:/PATH, or store:NAME for one of `clown keys`
    #[arg(long, value_name = "SOURCE")]
    key: Option<String>,
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
        if let Some(text) = self.key {
            // Checked here: clap would repeat what it refuses.
            return match source(&text).map_err(|error| Failure::new(USAGE, error))? {
                KeyInput::File(path) => file(std::path::Path::new(&path)).map(Some),
                key => Ok(Some(key)),
            };
        }
        if let Some(path) = self.key_file {
            return file(&path).map(Some);
        }
        let env = self.key_env.map(KeyInput::Env);
        Ok(env.or_else(|| self.key_command.map(KeyInput::Command)))
    }
}

/// `KIND:PLACE`. What is refused is not repeated: it can be a key that was put here by mistake.
fn source(text: &str) -> Result<KeyInput, String> {
    let place = text.split_once(':').filter(|(_, place)| !place.is_empty());
    match place {
        Some(("env", name)) => Ok(KeyInput::Env(name.to_owned())),
        Some(("command", line)) => Ok(KeyInput::Command(line.to_owned())),
        Some(("file", path)) => Ok(KeyInput::File(path.to_owned())),
        Some(("store", name)) => Ok(KeyInput::Store(name.to_owned())),
        _ => Err(
            "write env:VAR, command:CMD, file:/PATH or store:NAME; a key itself is given with \
             --key-stdin"
                .to_owned(),
        ),
    }
}

/// A key's file by its absolute path: the daemon has another working folder.
pub(crate) fn file(path: &std::path::Path) -> anyhow::Result<KeyInput> {
    let absolute = std::path::absolute(path)
        .with_context(|| format!("cannot use {} for the key", path.display()))?;
    if ["/dev/fd/", "/proc/", "/dev/stdin"]
        .iter()
        .any(|start| absolute.to_string_lossy().starts_with(start))
    {
        let text = format!(
            "{} is gone when this command has ended: pipe the key into --key-stdin, or let Clown run what prints it with --key-command",
            path.display()
        );
        return Err(Failure::new(USAGE, text).into());
    }
    match absolute.to_str() {
        Some(text) => Ok(KeyInput::File(text.to_owned())),
        None => Err(Failure::new(USAGE, "the name of the key's file is not UTF-8").into()),
    }
}

/// A key from standard input, typed or piped.
pub(crate) fn read_stdin() -> anyhow::Result<KeyInput> {
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
    describe_at(profile, None)
}

/// The same with the name of the variable or file, or the command, as far as the profile's own file
/// tells. The daemon does not give those away.
pub(crate) fn describe_in_full(context: &Context, profile: &Profile) -> Option<String> {
    let path = context.places.profile_file(&profile.alias);
    // A daemon at an address of its own may have its profiles elsewhere.
    let text = (!context.has_fixed_address())
        .then(|| std::fs::read_to_string(path).ok())
        .flatten();
    let source = &profile.key.as_ref()?.source;
    let named = text.and_then(|text| named_in(&text, source));
    describe_at(profile, named.as_deref())
}

/// What the file names as the key's source, if that is of this kind. Nothing of a kept key.
fn named_in(text: &str, source: &str) -> Option<String> {
    if !matches!(source, "env" | "command" | "file") {
        return None;
    }
    let document: toml_edit::DocumentMut = text.parse().ok()?;
    let name = document.get("key")?.get(source)?.as_str()?;
    Some(name.to_owned())
}

fn describe_at(profile: &Profile, named: Option<&str>) -> Option<String> {
    let key = profile.key.as_ref()?;
    if let Some(name) = named {
        let place = match key.source.as_str() {
            "env" => format!("taken from {name} in {}", environment()),
            "command" => format!("taken at each run from the command: {name}"),
            _ => format!("taken at each run from the file {name}"),
        };
        return Some(or_missing(place, key.set));
    }
    let place = match key.source.as_str() {
        "keyring" => "kept in the system keyring".to_owned(),
        "secrets" => "kept in a file of the daemon's secrets folder that only you can read, \
                      because there is no system keyring here"
            .to_owned(),
        "env" => format!("taken from {}", environment()),
        "command" => "taken from a command at each run".to_owned(),
        "file" => "taken from a file at each run".to_owned(),
        other => format!("taken from {other}"),
    };
    Some(or_missing(place, key.set))
}

/// Whose variables the daemon can see.
fn environment() -> &'static str {
    if cfg!(target_os = "linux") {
        "the environment of each run"
    } else {
        "the daemon's environment, since on this system it cannot see that of a run"
    }
}

fn or_missing(place: String, is_there: bool) -> String {
    if is_there {
        place
    } else {
        format!("{place}; it is not there yet")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_in_short() {
        let check = |text: &str, expected: Option<KeyInput>| {
            assert_eq!(source(text).ok(), expected, "{text}");
        };
        check("env:WORK_KEY", Some(KeyInput::Env("WORK_KEY".to_owned())));
        let command = "op read op://vault/x";
        check(
            "command:op read op://vault/x",
            Some(KeyInput::Command(command.to_owned())),
        );
        check("file:/k", Some(KeyInput::File("/k".to_owned())));
        check("store:work", Some(KeyInput::Store("work".to_owned())));
        check("env:", None);
        check("sk-123", None);
        check("value:sk-123", None);
        assert!(!source("sk-123").unwrap_err().contains("sk-123"));
    }

    #[test]
    fn what_a_profiles_file_names_and_no_kept_key() {
        let check = |text: &str, source: &str, expected: Option<&str>| {
            assert_eq!(named_in(text, source).as_deref(), expected, "{text}");
        };
        check(r#"key = { env = "WORK_KEY" }"#, "env", Some("WORK_KEY"));
        check(
            "[key]\ncommand = 'pass show w'",
            "command",
            Some("pass show w"),
        );
        check(r#"key = { file = "/k" }"#, "file", Some("/k"));
        // Another one than the daemon knows, or none that is to be shown.
        check(r#"key = { env = "WORK_KEY" }"#, "file", None);
        check(r#"key = { store = "w" }"#, "store", None);
        check(r#"key = { value = "secret" }"#, "value", None);
        check("key = 'secret'", "env", None);
        check("model = 'm'", "env", None);
        check("[", "env", None);
    }
}
