use crate::context::Context;
use clap::Args;
use std::process::ExitCode;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    pub(crate) alias: String,
    /// Arguments for the agent, behind the profile's own
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}

/// Runs the profile's agent in this terminal and folder.
pub(crate) async fn run(context: &Context, args: RunArgs) -> anyhow::Result<ExitCode> {
    let _client = context.daemon().await?;
    anyhow::bail!(
        "cannot run {} yet ({} arguments)",
        args.alias,
        args.args.len()
    )
}
