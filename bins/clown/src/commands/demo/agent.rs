use crate::output::Output;
use anyhow::Context as _;
use clap::Args;
use clown_events::Timestamp;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The make-believe agent's id, program and versions.
pub(super) const ID: &str = "make-believe";
pub(super) const PROGRAM: &str = "clown-make-believe";
pub(super) const FIRST_VERSION: &str = "1.0.0";
pub(super) const SECOND_VERSION: &str = "2.0.0";

/// The variables in which it is told its model, and whom to ask by which key.
const MODEL_VARIABLE: &str = "MAKE_BELIEVE_MODEL";
const ENDPOINT_VARIABLE: &str = "MAKE_BELIEVE_ENDPOINT";
const KEY_VARIABLE: &str = "MAKE_BELIEVE_KEY";

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
    std::thread::sleep(THINKING);
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let endpoint = set(ENDPOINT_VARIABLE);
    // Where it asks somebody, whoever stands between them counts.
    if endpoint.is_none()
        && let Some(home) = std::env::var_os(HOME_VARIABLE).map(PathBuf::from)
    {
        write_log(&home, &format!("run-{process}"), &model, 1)?;
    }
    if let Some(endpoint) = endpoint {
        let key = set(KEY_VARIABLE).unwrap_or_default();
        let heard = ask(&endpoint, &key, &model)?;
        output.line(format_args!("{endpoint} says: {heard}"))?;
    }
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

/// Asks a model, as a coding agent does.
fn ask(endpoint: &str, key: &str, model: &str) -> anyhow::Result<String> {
    let (address, path) = endpoint
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .context("the endpoint is no address")?;
    let question = json!({"model": model, "messages": [{"role": "user", "content": "Say hello"}]});
    let question = question.to_string();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /{path}/chat/completions HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{question}",
        question.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    let document: Value = serde_json::from_str(body).context("the answer is no JSON")?;
    let heard = document["choices"][0]["message"]["content"].as_str();
    Ok(heard.context("the answer says nothing")?.to_owned())
}

/// The manifest by which the daemon knows it; people write the same for an agent of their own.
pub(super) fn manifest() -> String {
    format!(
        r#"id = "{ID}"
name = "Make-believe agent"
binaries = ["{PROGRAM}"]
formats = ["openai-chat"]

[version]
args = ["--version"]
pattern = '{PROGRAM} (\d+\.\d+\.\d+)'

[env]
{MODEL_VARIABLE} = "{{{{ model }}}}"
{ENDPOINT_VARIABLE} = "{{{{ endpoint }}}}"
{KEY_VARIABLE} = "{{{{ key }}}}"

[isolation]
{HOME_VARIABLE} = "{{{{ home }}}}/{ID}"

[usage]
form = "claude"
folder = "{ID}"
files = ["{LOGS}/*.jsonl"]
"#
    )
}
