use crate::output::Output;
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// The make-believe agent's id, program and versions.
pub(super) const ID: &str = "make-believe";
pub(super) const PROGRAM: &str = "clown-make-believe";
pub(super) const FIRST_VERSION: &str = "1.0.0";
pub(super) const SECOND_VERSION: &str = "2.0.0";

/// The variable in which it is told its model.
const MODEL_VARIABLE: &str = "MAKE_BELIEVE_MODEL";

/// How long it thinks.
const THINKING: Duration = Duration::from_millis(300);

/// What the make-believe agent is asked.
#[derive(Debug, Args)]
pub(crate) struct DemoAgentArgs {
    /// The version that it says it has
    #[arg(long)]
    version_to_say: String,
    /// What a coding agent would be asked
    #[arg(last = true)]
    args: Vec<String>,
}

/// Behaves as far like a coding agent as the demo needs: tells its version, and else thinks,
/// answers and ends.
pub(crate) fn run(args: &DemoAgentArgs) -> anyhow::Result<ExitCode> {
    let output = Output::new(false);
    if args.args.first().is_some_and(|first| first == "--version") {
        output.line(format_args!("{PROGRAM} {}", args.version_to_say))?;
        return Ok(ExitCode::SUCCESS);
    }
    let model = std::env::var(MODEL_VARIABLE).unwrap_or_else(|_| "none".to_owned());
    let process = std::process::id();
    output.line(format_args!("You asked me: {}", args.args.join(" ")))?;
    std::thread::sleep(THINKING);
    output.line(format_args!(
        "Hello! I am process {process}, my model is {model}."
    ))?;
    std::thread::sleep(THINKING);
    output.line("Only make-believe, though. Bye!")?;
    Ok(ExitCode::SUCCESS)
}

/// The manifest by which the daemon knows it; people write the same for an agent of their own.
pub(super) fn manifest() -> String {
    format!(
        r#"id = "{ID}"
name = "Make-believe agent"
binaries = ["{PROGRAM}"]

[version]
args = ["--version"]
pattern = '{PROGRAM} (\d+\.\d+\.\d+)'

[env]
{MODEL_VARIABLE} = "{{{{ model }}}}"
"#
    )
}
