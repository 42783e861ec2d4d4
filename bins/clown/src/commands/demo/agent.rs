use clap::Args;
use std::process::ExitCode;

/// What the make-believe agent is asked.
#[derive(Debug, Args)]
pub(crate) struct DemoAgentArgs {}

pub(crate) fn run(_args: &DemoAgentArgs) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
