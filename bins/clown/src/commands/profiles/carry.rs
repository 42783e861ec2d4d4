//! `clone`, `export` and `import`.

use super::differences::{differences, proxy_stores};
use super::programs;
use crate::context::Context;
use crate::failure::{CONFLICT, Failure, USAGE};
use crate::output::note;
use crate::passphrase::{self, PassphraseArgs};
use crate::secrets;
use crate::whole_file::write_whole;
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use clown_api::{AskExport, CloneProfile, Export, ExportedKey, SetKey};
use clown_client::Client;
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct CloneArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    from: String,
    /// The name of the copy
    #[arg(value_parser = crate::cli::alias)]
    to: String,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The profiles
    #[arg(required = true, value_parser = crate::cli::alias)]
    aliases: Vec<String>,
    /// With stored keys and values that may be secrets, encrypted with a passphrase (age)
    #[arg(long)]
    with_key: bool,
    /// Write to this file, which only you can read [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What `clown profiles export` wrote; - is standard input
    file: PathBuf,
    /// Another name for the only profile in it
    #[arg(long = "as", value_name = "ALIAS", value_parser = crate::cli::alias)]
    rename: Option<String>,
    /// What to do where a profile or key of that name exists
    #[arg(long, value_enum, default_value_t = OnConflict::Fail)]
    on_conflict: OnConflict,
    /// Let profiles use stored keys of this machine that are not in the file
    #[arg(long)]
    use_stored_keys: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnConflict {
    /// Import nothing at all
    Fail,
    /// Keep what is there, and import the others
    Skip,
    /// Put the imported one in its place
    Replace,
}

/// The largest file that is read.
const MAX_BYTES: u64 = 16 << 20;

pub(super) async fn clone(
    context: &Context,
    client: &Client,
    args: CloneArgs,
) -> anyhow::Result<()> {
    let request = CloneProfile { alias: args.to };
    let profile = client.clone_profile(&args.from, &request).await?;
    if context.output.is_json() {
        return context.output.json(&profile);
    }
    super::say_created(context.output, &profile)
}

pub(super) async fn export(
    context: &Context,
    client: &Client,
    args: ExportArgs,
) -> anyhow::Result<()> {
    let request = AskExport {
        aliases: args.aliases,
        with_keys: args.with_key,
    };
    let export = client.export(&request).await?;
    for place in &export.left_out {
        note(format_args!(
            "clown: left out, as it may be a secret: {place}"
        ));
    }
    if !args.with_key {
        for members in &export.profiles {
            for place in secrets::places_in(members) {
                let alias = alias_of(members);
                note(format_args!(
                    "clown: still in it, and looks like a secret: {alias}: {place}"
                ));
            }
        }
    }
    let mut text = serde_json::to_string_pretty(&export)?;
    text.push('\n');
    if args.with_key {
        let passphrase = args.passphrase.new_one()?;
        text = passphrase::encrypt(&text, &passphrase)?;
    }
    let Some(path) = &args.out else {
        return context.output.text(text);
    };
    let path = std::path::absolute(path).context("cannot use that name for the file")?;
    if path.exists() {
        let text = format!(
            "{} exists: remove it, or choose another name",
            path.display()
        );
        return Err(Failure::new(CONFLICT, text).into());
    }
    write_whole(&path, text.as_bytes(), 0o600)
        .with_context(|| format!("cannot write {}", path.display()))?;
    context
        .output
        .told(format_args!("Wrote {}.", path.display()))?;
    if context.output.is_json() {
        context.output.json(&json!({"file": path}))?;
    }
    Ok(())
}

pub(super) async fn import(
    context: &Context,
    client: &Client,
    args: ImportArgs,
) -> anyhow::Result<()> {
    let text = read(&args.file)?;
    let text = if passphrase::is_encrypted(&text) {
        passphrase::decrypt(&text, &args.passphrase.known_one()?)?
    } else {
        text
    };
    let export = parse(&text, args.rename.as_deref())?;
    let wanted = wanted(client, export, &args).await?;
    for key in &wanted.keys {
        let request = SetKey {
            provider_id: key.provider_id.clone(),
            value: key.value.clone(),
        };
        client.set_key(&key.name, &request).await?;
    }
    let mut made = Vec::new();
    for (mut members, exists) in wanted.profiles {
        let alias = alias_of(&members).to_owned();
        let profile = if exists {
            members.remove("alias");
            client.replace_profile(&alias, &members).await
        } else {
            client.create_profile_of(&members).await
        };
        let profile = profile.with_context(|| format!("profile {alias} was not imported"))?;
        if !context.output.is_json() {
            super::say_created(context.output, &profile)?;
        }
        // What somebody else's profile starts is to be read before it is run.
        for line in programs::done_by(&members) {
            let line = crate::table::printable(&line);
            note(format_args!("clown: a run of {alias} will {line}"));
        }
        made.push(profile);
    }
    if context.output.is_json() {
        context.output.json(&clown_api::List::new(made))?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    // One byte more shows that there is more.
    if path == Path::new("-") {
        std::io::stdin()
            .take(MAX_BYTES + 1)
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    if text.len() as u64 > MAX_BYTES {
        let text = format!("{} has more than 16 MiB: it is no export", path.display());
        return Err(Failure::new(USAGE, text).into());
    }
    Ok(text)
}

fn parse(text: &str, rename: Option<&str>) -> anyhow::Result<Export> {
    let wrong = |text: String| anyhow::Error::from(Failure::new(USAGE, text));
    let mut export: Export = serde_json::from_str(text)
        .map_err(|error| wrong(format!("this is no export of profiles: {error}")))?;
    if export.format != 1 {
        let text = format!(
            "this export has the format {}, and this clown knows 1: use a newer clown",
            export.format
        );
        return Err(wrong(text));
    }
    if let Some(name) = rename {
        match export.profiles.as_mut_slice() {
            [only] => drop(only.insert("alias".to_owned(), name.into())),
            all => {
                let text = format!("--as names one profile, and {} are in this file", all.len());
                return Err(wrong(text));
            }
        }
    }
    for members in &export.profiles {
        crate::cli::alias(alias_of(members)).map_err(wrong)?;
    }
    Ok(export)
}

fn alias_of(members: &Map<String, Value>) -> &str {
    members
        .get("alias")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// What is to be made, once conflicts are settled.
struct Wanted {
    /// With whether there is one already.
    profiles: Vec<(Map<String, Value>, bool)>,
    keys: Vec<ExportedKey>,
}

async fn wanted(client: &Client, export: Export, args: &ImportArgs) -> anyhow::Result<Wanted> {
    let on_conflict = args.on_conflict;
    let there = client.profiles().await?;
    let present: Vec<String> = there.iter().map(|profile| profile.alias.clone()).collect();
    let keys = client.keys().await?.into_iter();
    let present_keys: Vec<String> = keys.map(|key| key.name).collect();
    let aliases = export.profiles.iter().map(alias_of);
    let conflicts: Vec<String> = aliases
        .filter(|alias| present.iter().any(|other| other == alias))
        .map(|alias| format!("profile {alias}"))
        .chain(
            export
                .keys
                .iter()
                .filter(|key| present_keys.contains(&key.name))
                .map(|key| format!("key {}", key.name)),
        )
        .collect();
    if on_conflict == OnConflict::Fail && !conflicts.is_empty() {
        let text = format!(
            "nothing was imported, since there is already {}: use --on-conflict skip or replace{}",
            conflicts.join(", "),
            other_name(&conflicts, export.profiles.len(), args.rename.is_some())
        );
        return Err(Failure::new(CONFLICT, text).into());
    }
    let mut wanted = Wanted {
        profiles: Vec::new(),
        keys: Vec::new(),
    };
    for key in export.keys {
        let is_there = present_keys.contains(&key.name);
        if is_there && on_conflict == OnConflict::Replace {
            note(format_args!(
                "clown: the stored key {} is replaced by the one in the file",
                key.name
            ));
        }
        if on_conflict == OnConflict::Replace || !is_there {
            wanted.keys.push(key);
        }
    }
    for mut members in export.profiles {
        let alias = alias_of(&members).to_owned();
        let exists = present.contains(&alias);
        if exists && on_conflict == OnConflict::Skip {
            note(format_args!(
                "clown: profile {alias} exists and stays as it is"
            ));
            continue;
        }
        let stored = members
            .get("key")
            .and_then(|key| Some(key.get("store")?.as_str()?.to_owned()));
        let supplied = |name: &str, keys: &[ExportedKey]| keys.iter().any(|key| key.name == name);
        let is_here = |name: &str| present_keys.iter().any(|other| other == name);
        // What is kept here goes where whoever wrote the file says: not without a word of the person's.
        let kept: Vec<&str> = proxy_stores(&members)
            .into_iter()
            .filter(|name| !supplied(name, &wanted.keys))
            .collect();
        for name in kept.iter().filter(|name| !is_here(name)) {
            note(format_args!(
                "clown: the proxy of profile {alias} names the stored key {name}, which is not here: it uses one of that \
                 name once you store it"
            ));
        }
        let of_proxy = kept.into_iter().find(|name| is_here(name));
        let of_agent = stored
            .as_deref()
            .filter(|name| !supplied(name, &wanted.keys));
        if let Some(name) = of_agent
            && !is_here(name)
        {
            note(format_args!(
                "clown: profile {alias} had the stored key {name}, which is not here: give it one \
                 with `clown profiles set {alias} --key …`"
            ));
            members.remove("key");
        } else if !args.use_stored_keys
            && exists
            && let Some(name) = of_agent.or(of_proxy)
        {
            let differing = differences(&members, &as_exported(client, &alias).await?);
            if !differing.is_empty() {
                let text = format!(
                    "nothing was imported: profile {alias} of the file would use your stored key {name}, which the file does \
                     not hold, and differs from yours in {}. If you trust it: --use-stored-keys; else --as another name",
                    differing.join(", ")
                );
                return Err(Failure::new(CONFLICT, text).into());
            }
        } else if !args.use_stored_keys
            && let Some(name) = of_proxy
        {
            let text = format!(
                "nothing was imported: the proxy of profile {alias} would use your stored key {name}. If you trust the \
                 file: --use-stored-keys"
            );
            return Err(Failure::new(CONFLICT, text).into());
        } else if !args.use_stored_keys
            && let Some(name) = of_agent
        {
            note(format_args!(
                "clown: profile {alias} does not get your stored key {name}, which the file names and does not \
                 hold. If you trust the profile: `clown profiles set {alias} --key store:{name}`, \
                 or import with --use-stored-keys"
            ));
            members.remove("key");
        }
        wanted.profiles.push((members, exists));
    }
    Ok(wanted)
}

/// The profile that is here as an export of today would have it, with the places that one leaves out.
async fn as_exported(client: &Client, alias: &str) -> anyhow::Result<Export> {
    let request = AskExport {
        aliases: vec![alias.to_owned()],
        with_keys: false,
    };
    Ok(client.export(&request).await?)
}

/// Advice to import under another name, where that helps: `--as` names one profile, and no key.
fn other_name(conflicts: &[String], profiles: usize, is_renamed: bool) -> &'static str {
    match conflicts {
        [only] if profiles == 1 && only.starts_with("profile ") => match is_renamed {
            true => ", or another name for --as",
            false => ", or --as another name",
        },
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_that_are_and_exports_that_are_not() {
        let check = |text: &str, rename: Option<&str>, part: Option<&str>| {
            let refused = parse(text, rename).err().map(|error| error.to_string());
            assert_eq!(refused.is_some(), part.is_some(), "{text}: {refused:?}");
            let refused = refused.unwrap_or_default();
            assert!(refused.contains(part.unwrap_or_default()), "{refused}");
        };
        let one = r#"{"format":1,"profiles":[{"alias":"a","agent_id":"x"}]}"#;
        check(one, None, None);
        check(one, Some("b"), None);
        check(r#"{"format":2,"profiles":[]}"#, None, Some("newer"));
        check(
            r#"{"format":1,"profiles":[{"alias":"../a"}]}"#,
            None,
            Some("alias"),
        );
        check(r#"{"format":1,"profiles":[{}]}"#, None, Some("alias"));
        check(r#"{"format":1,"profiles":[]}"#, Some("b"), Some("--as"));
        check("agent_id = 'x'", None, Some("no export"));
        check(r#"{"format":1,"profiles":[],"more":1}"#, None, Some("more"));
    }

    #[test]
    fn another_name_is_advised_where_it_helps() {
        let check = |conflicts: &[&str], profiles: usize, is_renamed: bool, expected: &str| {
            let conflicts: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
            let advice = other_name(&conflicts, profiles, is_renamed);
            assert_eq!(advice, expected, "{conflicts:?} {profiles} {is_renamed}");
        };
        check(&["profile a"], 1, false, ", or --as another name");
        check(&["profile a"], 1, true, ", or another name for --as");
        check(&["profile a"], 2, false, "");
        check(&["key a"], 1, false, "");
        check(&["profile a", "key a"], 1, true, "");
    }
}
