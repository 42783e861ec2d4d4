use crate::commands::shell::{self, Shell};
use crate::context::Context;
use crate::failure::{Failure, USAGE};
use crate::output::note;
use crate::table::printable;
use clap::Args;
use clown_api::AskEnvironment;
use clown_client::Client;
use std::io::IsTerminal as _;
use std::time::Duration;

/// The environment of a run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  eval \"$(clown profiles env work)\"
  clown profiles env work --shell fish | source
  clown profiles env work --shell json | jq -r .ANTHROPIC_BASE_URL")]
pub(crate) struct EnvArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// Who is to read it; --json is the same as json
    #[arg(long, value_enum, default_value_t = Shell::Sh)]
    shell: Shell,
    /// Print it to a terminal too, with the key
    #[arg(long)]
    show_key: bool,
}

/// A command that prints the profile's key may take 30 s.
const LIMIT: Duration = Duration::from_secs(45);

/// Prints what a run would set and unset, and brings the agent's files up to date as a run does.
pub(super) async fn env(context: &Context, client: &Client, args: EnvArgs) -> anyhow::Result<()> {
    let EnvArgs {
        alias,
        shell,
        show_key,
    } = args;
    if std::io::stdout().is_terminal() && !show_key {
        let text = format!(
            "this would print the key of {alias} to the terminal: let a shell read it, with \
             eval \"$(clown profiles env {alias})\", or give --show-key; \
             `clown run {alias} --dry-run` shows the rest"
        );
        return Err(Failure::new(USAGE, text).into());
    }
    let request = AskEnvironment {
        cli_pid: std::process::id(),
    };
    let client = client.clone().with_time_limit(LIMIT);
    let environment = client.environment(&alias, request).await?;
    let shell = if context.output.is_json() {
        Shell::Json
    } else {
        shell
    };
    let script = shell::script(shell, &environment.env);
    for name in script.left_out {
        note(format_args!(
            "clown: {} is no name that a shell can set; it is left out",
            printable(&name)
        ));
    }
    context.output.text(script.text)
}
