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
pub(crate) fn completions(output: Output, args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "clown", &mut script);
    let script = String::from_utf8_lossy(&script);
    if output.is_json() {
        let shell = args.shell.to_string();
        return output.json(&serde_json::json!({"shell": shell, "script": script}));
    }
    output.text(script)
}
