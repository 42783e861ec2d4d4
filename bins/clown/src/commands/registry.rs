use crate::context::Context;
use crate::failure::{FAILED, Failure};
use crate::launch::find_program;
use crate::output::Output;
use crate::table::{Table, printable};
use anstyle::Effects;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use clown_api::{
    KeptCommit, Registry, RegistrySignature, ReplacedArtifact, SyncRegistry, SyncedRegistry,
};
use clown_client::Client;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A sync can take as long as the daemon allows; that one ends by itself.
const SYNC_LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Show which registry is in use, and how its last sync went
    Status,
    /// Fetch what is new and use it
    Sync(SyncArgs),
    /// Use this commit and stay with it, whatever is synced
    Pin {
        /// 7 to 40 digits of one that is kept, or all 40 of one that is to be fetched
        commit: String,
    },
    /// Use the newest commit again
    Unpin,
    /// Make a registry of a folder with manifests, for a web server to serve
    Build(BuildArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Follow this channel from now on
    #[arg(long)]
    channel: Option<String>,
    /// Fetch everything anew, and take an older index too
    #[arg(long, conflicts_with = "offline")]
    force: bool,
    /// Fetch nothing, and use what is kept
    #[arg(long)]
    offline: bool,
}

/// What `clownd registry build` takes.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Where the manifests are: *.toml in its folders agents, providers, templates and prices, there also *.json
    dir: PathBuf,
    /// Where the registry goes; other channels there stay
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The channel that it is for
    #[arg(long, default_value = "stable")]
    channel: String,
    /// The oldest version of Clown that can use it [default: this one]
    #[arg(long, value_name = "VERSION")]
    minimum_version: Option<String>,
    /// Sign it with the minisign secret key in this file; its password is asked for
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Read that password from standard input
    #[arg(long, requires = "sign")]
    password_stdin: bool,
}

pub(crate) async fn dispatch(context: &Context, command: RegistryCommand) -> anyhow::Result<()> {
    let output = context.output;
    match command {
        RegistryCommand::Status => status(output, &context.daemon().await?.registry().await?),
        RegistryCommand::Sync(args) => {
            let request = SyncRegistry {
                channel: args.channel,
                force: args.force.then_some(true),
                offline: args.offline.then_some(true),
            };
            let client = patient(context).await?;
            synced(output, &client.sync_registry(&request).await?)
        }
        RegistryCommand::Pin { commit } => {
            let client = patient(context).await?;
            let done = client.pin_registry(&commit).await?;
            told(output, &done, &format!("Pinned {}.", done.commit))
        }
        RegistryCommand::Unpin => {
            let done = patient(context).await?.unpin_registry().await?;
            told(output, &done, &format!("{} is in use.", done.commit))
        }
        RegistryCommand::Build(args) => build(output, &args),
    }
}

async fn patient(context: &Context) -> anyhow::Result<Client> {
    Ok(context.daemon().await?.with_time_limit(SYNC_LIMIT))
}

fn synced(output: Output, synced: &SyncedRegistry) -> anyhow::Result<()> {
    told(output, synced, &what_came_of(synced))
}

fn what_came_of(synced: &SyncedRegistry) -> String {
    let commit = short(&synced.commit);
    let channel = printable(&synced.channel);
    match (synced.from_cache, &synced.previous) {
        (true, None) => format!("Nothing new: commit {commit} of channel {channel} is in use."),
        (true, Some(previous)) => format!(
            "Commit {commit} of channel {channel} is in use, instead of {}.",
            short(previous)
        ),
        (false, _) => {
            let count = synced.artifacts_downloaded;
            let s = if count == 1 { "" } else { "s" };
            format!("Commit {commit} of channel {channel} is in use; fetched {count} artifact{s}.")
        }
    }
}

fn told(output: Output, done: &SyncedRegistry, text: &str) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(done);
    }
    output.line(text)?;
    match &done.note {
        Some(note) => output.line(printable(note)),
        None => Ok(()),
    }
}

fn status(output: Output, registry: &Registry) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(registry);
    }
    let bold = anstyle::Style::new().effects(Effects::BOLD);
    let place = match &registry.url {
        Some(url) => printable(url),
        None => "The built-in set (registry.url in config.toml names another)".to_owned(),
    };
    output.line(output.paint(bold, place))?;
    let serial = registry
        .serial
        .map_or_else(String::new, |serial| format!(", number {serial}"));
    let built = registry
        .created_at
        .map_or_else(String::new, |at| format!(", built {at}"));
    let line =
        |name: &str, value: &str| output.line(format_args!("  {name:11}{}", printable(value)));
    line("channel", &registry.channel)?;
    line("commit", &format!("{}{serial}{built}", registry.commit))?;
    line("signature", signature(registry.signature))?;
    if let Some(pinned) = &registry.pinned {
        let told = match *pinned == registry.commit {
            true => "yes: syncs fetch, and this commit stays in use".to_owned(),
            false => format!(
                "{}, which is not whole here: the commit above is in use until a sync has fetched it",
                short(pinned)
            ),
        };
        line("pinned", &told)?;
    }
    let counts = registry.artifacts;
    line(
        "has",
        &format!(
            "agents {}, providers {}, templates {}, prices {}",
            counts.agents, counts.providers, counts.templates, counts.prices
        ),
    )?;
    if registry.syncing {
        line("sync", "under way")?;
    }
    if let Some(at) = registry.last_sync {
        line("synced", &at.to_string())?;
    }
    if let Some(failure) = &registry.last_failure {
        line("failed", &format!("{}: {}", failure.at, failure.error))?;
    }
    for ReplacedArtifact { kind, id, path } in &registry.replaced {
        line("replaced", &format!("{kind} {id}, by {path}"))?;
    }
    for problem in &registry.problems {
        line("problem", &format!("{}: {}", problem.path, problem.message))?;
    }
    kept(output, registry)
}

fn kept(output: Output, registry: &Registry) -> anyhow::Result<()> {
    if registry.kept.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let mut table = Table::new(&["KEPT", "CHANNEL", "NUMBER", "BUILT", ""]);
    for commit in &registry.kept {
        let KeptCommit {
            commit,
            channel,
            serial,
            created_at,
            ..
        } = commit;
        let mark = if *commit == registry.commit {
            "in use"
        } else {
            ""
        };
        table.row([
            short(commit),
            channel.clone(),
            serial.to_string(),
            created_at.to_string(),
            mark.to_owned(),
        ]);
    }
    table.print(output)
}

fn signature(signature: RegistrySignature) -> &'static str {
    match signature {
        RegistrySignature::BuiltIn => "none needed: it came with Clown",
        RegistrySignature::Verified => "good: signed with registry.public_key",
        RegistrySignature::NotSigned => "not signed: registry.public_key is not set",
    }
}

fn short(commit: &str) -> String {
    printable(commit.get(..7).unwrap_or(commit))
}

/// The daemon's program knows what a good manifest is, and this one does not: it takes over.
fn build(output: Output, args: &BuildArgs) -> anyhow::Result<()> {
    let program = find_program()?;
    let mut command = Command::new(&program);
    command
        .args(["registry", "build"])
        .arg("--out")
        .arg(&args.out)
        .args(["--channel", &args.channel]);
    if let Some(version) = &args.minimum_version {
        command.args(["--minimum-version", version]);
    }
    if let Some(key) = &args.sign {
        command.arg("--sign").arg(key);
    }
    if args.password_stdin {
        command.arg("--password-stdin");
    }
    if output.is_json() {
        command.arg("--json");
    }
    // Behind `--`, since a folder may be called as it likes.
    let error = command.arg("--").arg(&args.dir).exec();
    Err(Failure::new(
        FAILED,
        format!("cannot start {}: {error}", program.display()),
    ))
    .context("the registry was not built")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_new_only_where_nothing_has_changed() {
        let check = |from_cache: bool, artifacts_downloaded: u64, previous: Option<&str>, said| {
            let synced = SyncedRegistry {
                channel: "stable".to_owned(),
                commit: "5d41402abc4b".to_owned(),
                previous: previous.map(str::to_owned),
                from_cache,
                artifacts_downloaded,
                note: None,
            };
            let expected = |(before, after)| {
                format!("{before}ommit 5d41402 of channel stable is in use{after}.")
            };
            assert_eq!(what_came_of(&synced), expected(said));
        };
        check(true, 0, None, ("Nothing new: c", ""));
        check(true, 0, Some("7d793037a076"), ("C", ", instead of 7d79303"));
        check(
            false,
            1,
            Some("7d793037a076"),
            ("C", "; fetched 1 artifact"),
        );
        check(false, 2, None, ("C", "; fetched 2 artifacts"));
    }
}
