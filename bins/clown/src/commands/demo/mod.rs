pub(crate) mod agent;

use clap::Args;
use std::process::ExitCode;

/// The demo takes nothing.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {}

pub(crate) async fn demo(_args: DemoArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("there is no demo yet")
}
