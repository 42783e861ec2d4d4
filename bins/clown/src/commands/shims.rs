//! Small programs on the `PATH` that run a profile.

use crate::commands::shell;
use crate::context::Context;
use crate::failure::{CONFLICT, Failure, NOT_FOUND, USAGE};
use crate::output::note;
use crate::table::Table;
use crate::whole_file::write_whole;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use clown_api::Agent;
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum ShimsCommand {
    /// Make a program that runs a profile
    Install(InstallArgs),
    /// List the programs that were made
    List {
        /// Where [default: ~/.local/bin]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Remove a program that was made
    Remove {
        /// The program's name
        #[arg(value_parser = crate::cli::alias)]
        name: String,
        /// Where [default: ~/.local/bin]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// The program's name [default: the profile's]
    #[arg(long, value_parser = crate::cli::alias)]
    name: Option<String>,
    /// Where [default: ~/.local/bin]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Also under the name of a program that the PATH has elsewhere
    #[arg(long)]
    hide: bool,
}

/// The second line of what Clown makes, before the profile's name. Nothing else is ever overwritten
/// or removed.
const MARK: &str = "# made by `clown shims`; runs the profile ";

pub(crate) async fn dispatch(context: &Context, command: ShimsCommand) -> anyhow::Result<()> {
    match command {
        ShimsCommand::Install(args) => install(context, args).await,
        ShimsCommand::List { dir } => list(context, &folder(dir)?),
        ShimsCommand::Remove { name, dir } => remove(context, &folder(dir)?, &name),
    }
}

async fn install(context: &Context, args: InstallArgs) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    let profile = client.profile(&args.alias).await?;
    let name = args.name.unwrap_or_else(|| profile.alias.clone());
    refuse_own_calls(&name, &client.agents().await?)?;
    let script = script(&profile.alias, &context.given_folders)?;
    let dir = folder(args.dir)?;
    let path = dir.join(&name);
    if path.symlink_metadata().is_ok() && profile_of(&path).is_none() {
        let text = format!(
            "{} is there already and was not made by clown: choose another --name",
            path.display()
        );
        return Err(Failure::new(CONFLICT, text).into());
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    if let Some(hidden) = found_elsewhere(&search, &dir, &name)
        && !args.hide
    {
        let text = format!(
            "{name} is also the program {}: choose another --name, or give --hide",
            hidden.display()
        );
        return Err(Failure::new(CONFLICT, text).into());
    }
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    write_whole(&path, script.as_bytes(), 0o755)
        .with_context(|| format!("cannot write {}", path.display()))?;
    if !std::env::split_paths(&search).any(|folder| folder == dir) {
        note(format_args!(
            "clown: {} is not on your PATH: add it there",
            dir.display()
        ));
    }
    let done = format!("{} runs the profile {}.", path.display(), profile.alias);
    context.output.told(done)?;
    if context.output.is_json() {
        context
            .output
            .json(&json!({"name": name, "path": path, "profile": profile.alias}))?;
    }
    Ok(())
}

fn list(context: &Context, dir: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        entries => Some(entries.with_context(|| format!("cannot read {}", dir.display()))?),
    };
    let mut shims: Vec<(String, PathBuf, String)> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let profile = profile_of(&entry.path())?;
            Some((entry.file_name().into_string().ok()?, entry.path(), profile))
        })
        .collect();
    shims.sort();
    if context.output.is_json() {
        let items: Vec<_> = shims
            .iter()
            .map(|(name, path, profile)| json!({"name": name, "path": path, "profile": profile}))
            .collect();
        return context.output.json(&json!({ "items": items }));
    }
    let mut table = Table::new(&["NAME", "PROFILE", "PATH"]);
    for (name, path, profile) in shims {
        table.row([name, profile, path.display().to_string()]);
    }
    table.print(context.output)
}

fn remove(context: &Context, dir: &Path, name: &str) -> anyhow::Result<()> {
    let path = dir.join(name);
    if path.symlink_metadata().is_err() {
        let text = format!(
            "there is no {}: give its folder with --dir, if it is in another",
            path.display()
        );
        return Err(Failure::new(NOT_FOUND, text).into());
    }
    if profile_of(&path).is_none() {
        let text = format!("{} was not made by clown, and stays", path.display());
        return Err(Failure::new(CONFLICT, text).into());
    }
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    context
        .output
        .told(format_args!("Removed {}.", path.display()))?;
    if context.output.is_json() {
        context.output.json(&json!({"name": name, "path": path}))?;
    }
    Ok(())
}

fn folder(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = given {
        return std::path::absolute(&dir)
            .with_context(|| format!("cannot use {} for --dir", dir.display()));
    }
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
        .ok_or_else(|| Failure::new(USAGE, "HOME is not set; say where with --dir"))?;
    Ok(home.join(".local/bin"))
}

/// Under these names, what the program calls would be the program itself.
fn refuse_own_calls(name: &str, agents: &[Agent]) -> anyhow::Result<()> {
    let is_of_agent = |agent: &&Agent| {
        let program = agent.binary_path.as_deref().map(Path::new);
        agent.id == name || program.and_then(Path::file_name) == Some(OsStr::new(name))
    };
    let whose = match agents.iter().find(is_of_agent) {
        _ if ["clown", "clownd"].contains(&name) => "Clown",
        Some(agent) => &agent.name,
        None => return Ok(()),
    };
    let text = format!(
        "{name} is the program of {whose}, which what is made here would call, and so call itself \
         without end: choose another --name"
    );
    Err(Failure::new(CONFLICT, text).into())
}

/// An alias needs no quoting. What chose the folders when it was made does not hold where it runs.
fn script(alias: &str, folders: &[(&str, PathBuf)]) -> anyhow::Result<String> {
    let mut flags = String::new();
    for (flag, dir) in folders {
        let dir = dir.to_str().with_context(|| {
            format!("{} is not UTF-8, and cannot be written down", dir.display())
        })?;
        flags.push_str(&format!(" {flag} {}", shell::quoted(dir)));
    }
    Ok(format!(
        "#!/bin/sh\n{MARK}{alias}\nexec clown{flags} run {alias} -- \"$@\"\n"
    ))
}

/// What follows the folders that [`script`] has written.
fn after_folders(mut text: &str) -> &str {
    for flag in [" --config-dir '", " --state-dir '"] {
        let after = text.strip_prefix(flag).and_then(after_quoted);
        text = after.unwrap_or(text);
    }
    text
}

/// What follows a quoted word that has begun; None if it does not end.
fn after_quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('\'')?;
    match rest.strip_prefix("\\''") {
        Some(more) => after_quoted(more),
        None => Some(rest),
    }
}

/// The profile that a program of ours runs. What is not, or is no longer, exactly ours is not; nor is a link.
fn profile_of(path: &Path) -> Option<String> {
    const LONGEST: u64 = 16 << 10;

    let metadata = path.symlink_metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let (alias, line) = text
        .strip_prefix("#!/bin/sh\n")?
        .strip_prefix(MARK)?
        .split_once('\n')?;
    let call = after_folders(line.strip_prefix("exec clown")?);
    (call == format!(" run {alias} -- \"$@\"\n")).then(|| alias.to_owned())
}

/// The first program of that name in another folder of the search path.
fn found_elsewhere(search: &OsStr, dir: &Path, name: &str) -> Option<PathBuf> {
    std::env::split_paths(search)
        .filter(|folder| folder.is_absolute() && folder != dir)
        .map(|folder| folder.join(name))
        .find(|path| {
            let metadata = path.metadata();
            metadata.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_and_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let check = |text: &str, expected: Option<&str>| {
            let path = folder.path().join("shim");
            fs::write(&path, text).unwrap();
            assert_eq!(profile_of(&path).as_deref(), expected, "{text}");
        };
        let plain = script("work", &[]).unwrap();
        assert_eq!(plain.lines().nth(2), Some("exec clown run work -- \"$@\""));
        check(&plain, Some("work"));
        check(&format!("{plain}echo more\n"), None);
        check(&plain.replace("run work", "run other"), None);
        let with = |dirs: [&str; 2]| {
            let dirs = ["--config-dir", "--state-dir"].into_iter().zip(dirs);
            let dirs: Vec<_> = dirs.map(|(flag, dir)| (flag, dir.into())).collect();
            script("work", &dirs).unwrap()
        };
        check(&with(["/a", "/b"]), Some("work"));
        check(&with(["/it's '; here", "/b\nc"]), Some("work"));
        check(&with(["/a", "/b"]).replace("'/b'", "'/b'; x"), None);
        check(&with(["/a", "/b"]).replace("'/b'", "/b"), None);
        check(
            &script("work", &[("--state-dir", "/b".into())]).unwrap(),
            Some("work"),
        );
        check("#!/bin/sh\n", None);
        check("", None);
        let link = folder.path().join("link");
        fs::write(folder.path().join("target"), plain).unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        assert_eq!(profile_of(&link), None);
        assert_eq!(profile_of(folder.path()), None);
    }

    #[test]
    fn names_that_would_call_themselves() {
        let agent = |id: &str, path: Option<&str>| {
            let agent = json!({"id": id, "name": "An agent", "installed": path.is_some(),
                               "binary_path": path, "profiles": []});
            serde_json::from_value::<Agent>(agent).unwrap()
        };
        let agents = [
            agent("claude", None),
            agent("kilo", Some("/usr/bin/kilocode")),
        ];
        let check = |name: &str, whose: Option<&str>| {
            let refused = refuse_own_calls(name, &agents).err();
            let refused = refused.map(|error| error.to_string());
            assert_eq!(refused.is_some(), whose.is_some(), "{name}: {refused:?}");
            let refused = refused.unwrap_or_default();
            assert!(refused.contains(whose.unwrap_or_default()), "{refused}");
        };
        check("clown", Some("of Clown"));
        check("clownd", Some("of Clown"));
        check("claude", Some("of An agent"));
        check("kilocode", Some("of An agent"));
        check("work", None);
        check("sh", None);
    }
}
