use crate::failure::FAILED;
use crate::key_args;
use crate::output::{Output, note};
use crate::table::{Table, printable};
use clap::Args;
use clown_api::{AddressState, CheckProvider, FormatCheck, KeyInput, KeyState, ProviderCheck};
use clown_client::Client;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A command that prints a key may take 30 s, and an address 15 s, asked twice at most.
const PATIENCE: Duration = Duration::from_secs(75);

/// Which provider, where, and with which key.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The provider's id, such as anthropic
    id: String,
    /// One of its endpoints [default: the profile's, else the provider's default]
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    endpoint: Option<String>,
    /// All of its endpoints; each of them gets the key
    #[arg(long)]
    all: bool,
    /// A variable that an address needs; may be given several times
    #[arg(long, value_name = "K=V", value_parser = super::super::profiles::variable)]
    env: Vec<(String, String)>,
    #[command(flatten)]
    key: KeyToTry,
}

/// Where the key is, which is tried and not kept. Without any of these, it is taken from the
/// provider's usual variable, if that is set.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct KeyToTry {
    /// Try the key, the endpoint and the variables of this profile
    #[arg(long, value_name = "ALIAS", value_parser = crate::cli::alias)]
    profile: Option<String>,
    /// Take the key from this variable
    #[arg(long, value_name = "VAR")]
    key_env: Option<String>,
    /// Read the key from standard input
    #[arg(long)]
    key_stdin: bool,
    /// Take the key from the first line that this command prints
    #[arg(long, value_name = "CMD")]
    key_command: Option<String>,
    /// Take the key from this file
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

pub(super) async fn check(
    output: Output,
    client: &Client,
    args: CheckArgs,
) -> anyhow::Result<ExitCode> {
    let mut request = CheckProvider {
        endpoint_id: args.endpoint,
        all_endpoints: args.all,
        env: args.env.into_iter().collect(),
        cli_pid: Some(std::process::id()),
        ..CheckProvider::default()
    };
    let given = args.key;
    let mut from = None;
    if let Some(alias) = given.profile {
        from = Some(format!("the profile {alias}"));
        request.profile = Some(alias);
    } else if given.key_stdin {
        request.key = Some(key_args::read_stdin()?);
    } else if let Some(path) = given.key_file {
        request.key = Some(key_args::file(&path)?);
    } else if let Some(command) = given.key_command {
        request.key = Some(KeyInput::Command(command));
    } else if let Some(name) = given.key_env {
        request.key = Some(in_variable(&name).unwrap_or(KeyInput::Env(name)));
    } else {
        let provider = client.provider(&args.id).await?;
        let key = provider.key_env.as_deref().and_then(in_variable);
        match (key, provider.key_env) {
            // Whoever writes that registry would say which of one's secrets goes where.
            (Some(_), Some(name)) if provider.from_registry => note(format_args!(
                "no key is sent: {} is known from a registry only. To send the one in {name}, add `--key-env {name}`",
                printable(&provider.name)
            )),
            (key, name) => {
                from = key.as_ref().and(name);
                request.key = key;
            }
        }
    }
    let patient = client.clone().with_time_limit(PATIENCE);
    let found = patient.check_provider(&args.id, &request).await?;
    if output.is_json() {
        output.json(&found)?;
    } else {
        tell(output, &found, from.as_deref())?;
    }
    Ok(match found.well {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    })
}

/// The key itself, where this process has it: the daemon cannot see that on every system.
fn in_variable(name: &str) -> Option<KeyInput> {
    let value = std::env::var(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| KeyInput::Value(value.to_owned()))
}

fn tell(output: Output, found: &ProviderCheck, from: Option<&str>) -> anyhow::Result<()> {
    if let Some(from) = from {
        output.line(format_args!("with the key from {}", printable(from)))?;
    }
    let mut table = Table::new(&["ENDPOINT", "FORMAT", "ADDRESS", "KEY", "TIME", "URL"]);
    for check in &found.checks {
        table.row([
            check.endpoint_id.clone(),
            check.format.clone(),
            address(check),
            key(check.key).to_owned(),
            match check.millis {
                Some(millis) => format!("{millis} ms"),
                None => String::new(),
            },
            check.url.clone(),
        ]);
    }
    table.print(output)?;
    // What the table says in a word is said in a sentence, each once.
    let mut told: Vec<&str> = Vec::new();
    for check in &found.checks {
        let is_plain =
            matches!(check.key, KeyState::Works) && matches!(check.address, AddressState::Answers);
        if !is_plain && !told.contains(&check.message.as_str()) {
            output.line(format_args!(
                "{} {}: {}",
                printable(&check.endpoint_id),
                printable(&check.format),
                printable(&check.message)
            ))?;
            told.push(&check.message);
        }
    }
    if found.checks.iter().any(|it| it.key == KeyState::Missing) {
        note(
            "clown: give a key with --profile, --key-env, --key-stdin, --key-command or --key-file",
        );
    }
    Ok(())
}

fn address(check: &FormatCheck) -> String {
    let word = match check.address {
        AddressState::Answers => "answers",
        AddressState::Incomplete => "incomplete",
        AddressState::UnknownHost => "no such host",
        AddressState::Refused => "refuses",
        AddressState::Unreachable => "unreachable",
        AddressState::TimedOut => "too slow",
        AddressState::Tls => "not safe",
        AddressState::Wrong => "wrong",
        AddressState::Failing => "broken",
        _ => "other",
    };
    match check.status {
        Some(status) => format!("{word} ({status})"),
        None => word.to_owned(),
    }
}

fn key(state: KeyState) -> &'static str {
    match state {
        KeyState::Works => "works",
        KeyState::Refused => "refused",
        KeyState::Limited => "over its limit",
        KeyState::NoCredit => "no credit",
        KeyState::Missing => "missing",
        KeyState::NotNeeded => "not needed",
        KeyState::NotTried => "not tried",
        _ => "other",
    }
}
