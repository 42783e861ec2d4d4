use crate::commands::agents::looked_for;
use crate::commands::daemon::describe_problem;
use crate::context::Context;
use crate::launch::find_program;
use crate::output::Output;
use crate::places::Places;
use crate::table::printable;
use anstyle::{AnsiColor, Style};
use clown_api::{Agent, CatalogueProblem, Daemon, Profile, StoredKey};
use clown_client::Client;
use serde::Serialize;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::ExitCode;

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One line of the doctor's findings.
#[derive(Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Ok,
            what: what.into(),
            todo: None,
        }
    }

    fn warn(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            what: what.into(),
            todo: Some(todo.into()),
        }
    }

    fn fail(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            what: what.into(),
            todo: Some(todo.into()),
        }
    }
}

/// What helps against a problem that the daemon tells of.
fn what_to_do(problem: &CatalogueProblem) -> &'static str {
    let name = problem.path.rsplit('/').next().unwrap_or_default();
    match name {
        "clown.db" if problem.message.contains("damaged") => "`clown daemon restart`",
        "clown.db" => "make room on its disk, or let its owner write to it; no restart is needed",
        _ if name.starts_with("clown.db-damaged") => {
            "profiles were taken anew from their files; move that file away once you need nothing from it"
        }
        _ if problem.path.split('/').next() == Some("registry") => {
            "run `clown registry sync`, or update Clown if the registry is ahead of it; the rest goes on working"
        }
        _ => "correct the file; the rest goes on working",
    }
}

/// Checks the installation. Starts nothing and changes nothing; exits with 1 if something fails.
pub(crate) async fn doctor(context: &Context) -> anyhow::Result<ExitCode> {
    let mut findings = vec![program(), path_of_this()];
    findings.extend(folders(&context.places));
    let client = context.client();
    match client.daemon().await {
        Ok(daemon) => {
            findings.push(daemon_runs(&daemon));
            findings.push(version(&daemon));
            findings.extend(
                daemon
                    .problems
                    .iter()
                    .map(|problem| Finding::fail(describe_problem(problem), what_to_do(problem))),
            );
            findings.extend(asked(&client).await);
        }
        Err(error) if error.is_not_reachable() => {
            findings.push(no_daemon(&context.places, context));
        }
        Err(error) => findings.push(Finding::fail(
            format!("the daemon: {error}"),
            "see `clown daemon logs`, and what else listens there",
        )),
    }
    print(context.output, &findings)?;
    let failed = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Fail);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(output: Output, findings: &[Finding]) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&serde_json::json!({"items": findings}));
    }
    for finding in findings {
        let (word, style) = match finding.verdict {
            Verdict::Ok => ("ok", AnsiColor::Green.on_default()),
            Verdict::Warn => ("warn", AnsiColor::Yellow.on_default()),
            Verdict::Fail => ("fail", AnsiColor::Red.on_default().bold()),
        };
        let word = output.paint(style, format_args!("{word:4}"));
        output.line(format_args!("{word}  {}", printable(&finding.what)))?;
        if let Some(todo) = &finding.todo {
            let dimmed = Style::new().dimmed();
            output.line(output.paint(dimmed, format_args!("      → {}", printable(todo))))?;
        }
    }
    Ok(())
}

fn program() -> Finding {
    match find_program() {
        Ok(path) => Finding::ok(format!("clownd is at {}", path.display())),
        Err(_) => Finding::fail(
            "clownd is neither beside this program nor on the PATH",
            "install clownd into the folder that clown is in",
        ),
    }
}

fn path_of_this() -> Finding {
    let own = std::env::current_exe().ok();
    let dir = own.as_deref().and_then(Path::parent);
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    match dir {
        Some(dir) if std::env::split_paths(&dirs).any(|entry| entry == dir) => {
            Finding::ok(format!("clown is on the PATH, in {}", dir.display()))
        }
        Some(dir) => Finding::warn(
            format!("{} is not on the PATH", dir.display()),
            "add it there to type just `clown`",
        ),
        None => Finding::warn("the place of this program is not known", "check the PATH"),
    }
}

fn folders(places: &Places) -> Vec<Finding> {
    vec![
        folder("configuration", &places.config_dir, false),
        folder("state", &places.state_dir, true),
    ]
}

/// A folder that is there must be ours; the one with keys and logs must be closed to others.
fn folder(name: &str, path: &Path, is_private: bool) -> Finding {
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::ok(format!(
                "the {name} folder {shown} is made when it is needed"
            ));
        }
        Err(error) => {
            return Finding::fail(
                format!("the {name} folder {shown} cannot be read: {error}"),
                "check its permissions and those of the folders above",
            );
        }
    };
    if !metadata.is_dir() {
        return Finding::fail(format!("{shown} is not a folder"), "move it away");
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Finding::fail(
            format!("the {name} folder {shown} belongs to another user"),
            "give it to this user with chown, or choose another folder",
        );
    }
    let mode = metadata.permissions().mode() & 0o777;
    if is_private && mode & 0o077 != 0 {
        return Finding::fail(
            format!("the {name} folder {shown} is open to others (mode {mode:03o})"),
            format!("chmod 700 {}", crate::launch::shell_word(path.as_os_str())),
        );
    }
    if mode & 0o300 != 0o300 {
        return Finding::fail(
            format!("the {name} folder {shown} cannot be written"),
            format!(
                "chmod u+rwx {}",
                crate::launch::shell_word(path.as_os_str())
            ),
        );
    }
    Finding::ok(format!("the {name} folder is {shown}"))
}

fn no_daemon(places: &Places, context: &Context) -> Finding {
    if context.has_fixed_address() {
        return Finding::fail(
            "no daemon answers at the given address",
            "check --daemon or CLOWN_DAEMON",
        );
    }
    if places.daemon_file().exists() {
        return Finding::warn(
            format!(
                "no daemon runs, though {} is there: the last one crashed",
                places.daemon_file().display()
            ),
            "`clown daemon logs` may say why; the next command starts a new one",
        );
    }
    Finding::warn(
        "no daemon runs",
        "nothing to do: the first command that needs it starts it",
    )
}

fn daemon_runs(daemon: &Daemon) -> Finding {
    Finding::ok(format!(
        "the daemon serves at {} as process {}",
        daemon.address, daemon.pid
    ))
}

fn version(daemon: &Daemon) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    if daemon.version == own {
        Finding::ok(format!("clown and clownd are both version {own}"))
    } else {
        Finding::warn(
            format!(
                "clown is version {own} and the running clownd {}",
                daemon.version
            ),
            "clown daemon restart",
        )
    }
}

/// What only the daemon knows.
async fn asked(client: &Client) -> Vec<Finding> {
    let told = (
        looked_for(client).await,
        client.profiles().await,
        client.keys().await,
    );
    let (agents, profiles, stored) = match told {
        (Ok(agents), Ok(profiles), Ok(stored)) => (agents, profiles, stored),
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
            let what = format!("the daemon does not answer as it should: {error}");
            return vec![Finding::fail(what, "see `clown daemon logs`")];
        }
    };
    let mut findings = vec![installed(&agents)];
    findings.extend(
        profiles
            .iter()
            .filter_map(|profile| one_profile(profile, &agents)),
    );
    findings.push(keys(&stored));
    findings
}

fn installed(agents: &[Agent]) -> Finding {
    let found: Vec<String> = agents
        .iter()
        .filter(|agent| agent.installed)
        .map(|agent| {
            format!(
                "{} {}",
                agent.name,
                agent.version.as_deref().unwrap_or("unknown")
            )
        })
        .collect();
    if found.is_empty() {
        Finding::warn(
            "no coding agent is installed",
            "`clown agents show ID` says how to install one",
        )
    } else {
        Finding::ok(format!("agents found: {}", found.join(", ")))
    }
}

/// What keeps a profile from running, if something does.
fn one_profile(profile: &Profile, agents: &[Agent]) -> Option<Finding> {
    let alias = &profile.alias;
    if profile.fault.is_some() {
        // Named by its file already, among the daemon's problems.
        let todo = format!("clown profiles edit {alias}");
        return Some(Finding::fail(
            format!("profile {alias} cannot run: its file is broken"),
            todo,
        ));
    }
    let agent = agents.iter().find(|agent| agent.id == profile.agent_id);
    if !agent.is_some_and(|agent| agent.installed) {
        return Some(Finding::warn(
            format!(
                "profile {alias} cannot run: its agent {} is not installed",
                profile.agent_id
            ),
            format!("clown agents show {}", profile.agent_id),
        ));
    }
    let key = profile.key.as_ref()?;
    let is_missing = !key.set && matches!(key.source.as_str(), "keyring" | "secrets" | "file");
    is_missing.then(|| {
        Finding::warn(
            format!("the key of profile {alias} is not there ({})", key.source),
            format!("clown profiles set {alias} --key-stdin"),
        )
    })
}

fn keys(stored: &[StoredKey]) -> Finding {
    let count = |source: &str| stored.iter().filter(|key| key.source == source).count();
    match (count("keyring"), count("secrets")) {
        (0, 0) => Finding::ok("no key is kept by Clown"),
        (keyring, 0) => Finding::ok(format!("keys in the system keyring: {keyring}")),
        (keyring, secrets) => Finding::warn(
            format!(
                "keys in the system keyring: {keyring}, in files that only you can read: {secrets}"
            ),
            "with a system keyring, set them again: clown profiles set ALIAS --key-stdin",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_where_they_are_kept_also_without_a_profile() {
        let check = |sources: &[&str], part: &str| {
            let stored: Vec<StoredKey> = sources
                .iter()
                .map(|source| StoredKey {
                    name: "team".to_owned(),
                    provider_id: None,
                    source: (*source).to_owned(),
                    profiles: Vec::new(),
                    set_at: None,
                })
                .collect();
            let finding = keys(&stored);
            assert!(finding.what.contains(part), "{sources:?}: {}", finding.what);
        };
        check(&[], "no key");
        check(&["keyring"], "keyring: 1");
        check(
            &["secrets", "secrets"],
            "keyring: 0, in files that only you can read: 2",
        );
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn folders_are_judged() {
        let dir = tempfile::tempdir().unwrap();
        let check = |path: &Path, is_private: bool, expected: Verdict| {
            let finding = folder("test", path, is_private);
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert_eq!(finding.todo.is_some(), expected != Verdict::Ok);
        };
        set_mode(dir.path(), 0o755);
        check(dir.path(), false, Verdict::Ok);
        check(dir.path(), true, Verdict::Fail);
        set_mode(dir.path(), 0o700);
        check(dir.path(), true, Verdict::Ok);
        check(&dir.path().join("not-there"), true, Verdict::Ok);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        check(&file, false, Verdict::Fail);
        set_mode(dir.path(), 0o500);
        check(dir.path(), false, Verdict::Fail);
        set_mode(dir.path(), 0o700);
    }
}
