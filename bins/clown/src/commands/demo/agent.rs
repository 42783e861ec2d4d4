use crate::output::Output;
use anyhow::Context as _;
use clap::Args;
use clown_events::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The make-believe agent's id, program and versions.
pub(super) const ID: &str = "make-believe";
pub(super) const PROGRAM: &str = "clown-make-believe";
pub(super) const FIRST_VERSION: &str = "1.0.0";
pub(super) const SECOND_VERSION: &str = "2.0.0";

/// The variable in which it is told its model.
const MODEL_VARIABLE: &str = "MAKE_BELIEVE_MODEL";

/// The variable in which it is told where it keeps its things.
const HOME_VARIABLE: &str = "MAKE_BELIEVE_HOME";

/// The folder of its logs, within that.
const LOGS: &str = "logs";

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
/// answers, writes down what that took, and ends.
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
    if let Some(home) = std::env::var_os(HOME_VARIABLE).map(PathBuf::from) {
        write_log(&home, &format!("run-{process}"), &model, 1)?;
    }
    std::thread::sleep(THINKING);
    output.line("Only make-believe, though. Bye!")?;
    Ok(ExitCode::SUCCESS)
}

/// Writes down what the answers of a session have used, a line each.
pub(super) fn write_log(
    home: &Path,
    session: &str,
    model: &str,
    answers: u64,
) -> anyhow::Result<()> {
    let folder = home.join(LOGS);
    let path = folder.join(format!("{session}.jsonl"));
    let lines: String = (1..=answers)
        .map(|number| log_line(session, model, number))
        .collect();
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&path, lines))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// An answer, in Claude Code's way.
fn log_line(session: &str, model: &str, number: u64) -> String {
    let line = serde_json::json!({
        "type": "assistant",
        "sessionId": session,
        "timestamp": Timestamp::now(),
        "message": {
            "id": format!("msg_make_believe_{session}_{number}"),
            "model": model,
            "usage": {"input_tokens": 1_200 * number, "output_tokens": 340 * number},
        },
    });
    format!("{line}\n")
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

[isolation]
{HOME_VARIABLE} = "{{{{ home }}}}/{ID}"

[usage]
form = "claude"
folder = "{ID}"
files = ["{LOGS}/*.jsonl"]
"#
    )
}
