use crate::cli::Cli;
use crate::output::Output;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// For which shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script. It is made first and written then, so that a closed pipe ends quietly.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "clown", &mut script);
    Output::new(false).text(String::from_utf8_lossy(&script))
}
