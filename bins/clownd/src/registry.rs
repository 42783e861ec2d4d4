//! `clownd registry build`, which `clown registry build` starts.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use clown_core::registry::{self, BuildRequest, Built, Channel, Signer, Version};
use minisign::{SecretKey, SecretKeyBox};
use std::fmt::Write as _;
use std::fs;
use std::io::{IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};

/// More than a password has.
const LONGEST_PASSWORD: u64 = 4 << 10;

/// What is done without a daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Make a registry of a folder with manifests
    Build(BuildArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Where the manifests are: *.toml in its folders agents, providers, templates and prices, there also *.json
    dir: PathBuf,
    /// Where the registry goes; other channels there stay
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The channel that it is for
    #[arg(long, default_value = "stable")]
    channel: Channel,
    /// The oldest version of Clown that can use it [default: this one]
    #[arg(long, value_name = "VERSION", value_parser = version)]
    minimum_version: Option<Version>,
    /// Sign it with the minisign secret key in this file; its password is asked for
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Read that password from standard input
    #[arg(long, requires = "sign")]
    password_stdin: bool,
    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "give three numbers, such as 0.1.0".to_owned())
}

pub(crate) fn run(command: RegistryCommand) -> anyhow::Result<()> {
    let RegistryCommand::Build(args) = command;
    let key = args
        .sign
        .as_deref()
        .map(|path| secret_key(path, args.password_stdin))
        .transpose()?;
    let sign = |bytes: &[u8], comment: &str| match &key {
        Some(key) => {
            let untrusted = "signature of a Clown registry";
            let signature = minisign::sign(None, key, bytes, Some(comment), Some(untrusted))?;
            Ok(signature.into_string())
        }
        None => Err("there is no key".into()),
    };
    let signer: &Signer<'_> = &sign;
    let built = registry::build(&BuildRequest {
        folder: &args.dir,
        out: &args.out,
        channel: args.channel,
        minimum_version: args.minimum_version.unwrap_or_else(Version::own),
        signer: key.is_some().then_some(signer),
    })?;
    print(&args.out, &built, args.json)
}

fn print(out: &Path, built: &Built, json: bool) -> anyhow::Result<()> {
    let index = &built.index;
    let text = if json {
        let document = serde_json::json!({
            "channel": index.channel.as_str(),
            "commit": index.commit.as_str(),
            "serial": index.serial,
            "artifacts": index.artifacts.len(),
            "new": built.is_new,
            "signed": built.is_signed,
        });
        serde_json::to_string_pretty(&document).context("cannot write what was done")? + "\n"
    } else {
        let (count, commit) = (index.artifacts.len(), index.commit.short());
        let mut text = match built.is_new {
            true => format!("Built commit {commit} of channel {}", index.channel),
            false => format!(
                "Nothing new: commit {commit} of channel {} stays",
                index.channel
            ),
        };
        let signed = if built.is_signed {
            "signed"
        } else {
            "not signed"
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            ": number {}, {count} artifact{}, {signed}, in {}",
            index.serial,
            if count == 1 { "" } else { "s" },
            out.display()
        );
        text
    };
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // Whoever read it has gone; it is built all the same.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the output"),
    }
}

/// Reads a key, and its password where it has one.
fn secret_key(path: &Path, password_stdin: bool) -> anyhow::Result<SecretKey> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the key {}", path.display()))?;
    let unlocked = |text: &str| SecretKeyBox::from_string(text)?.into_unencrypted_secret_key();
    if let Ok(key) = unlocked(&text) {
        return Ok(key);
    }
    let password = if password_stdin {
        let mut typed = String::new();
        std::io::stdin()
            .take(LONGEST_PASSWORD)
            .read_to_string(&mut typed)
            .context("cannot read the password from standard input")?;
        typed.trim_end_matches(['\r', '\n']).to_owned()
    } else if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("Password of {}: ", path.display()))
            .context("cannot ask for the password")?
    } else {
        bail!(
            "the key {} has a password, and there is no terminal to ask for it: give it with --password-stdin",
            path.display()
        );
    };
    SecretKeyBox::from_string(&text)
        .and_then(|key| key.into_secret_key(Some(password)))
        .with_context(|| {
            format!(
                "{} is no minisign secret key, or its password is another one",
                path.display()
            )
        })
}
