//! What a run of a profile would do, worked out without doing it; and its environment alone.

use crate::composition::Core;
use crate::keys::{KeySource, Secret};
use crate::launch::{self, FileChange, LaunchError, LaunchPlan};
use crate::preparation::{PrepareError, RunRequest, Way, working_dir};
use crate::process::ProcessIdentity;
use crate::profiles::{Change, Definition, Proposal};
use crate::{Alias, templates};
use clown_mask::{self as mask, MASK};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a run would set, write and start. No secret is in it: keys, and values that may be
/// secrets, are masked.
#[derive(Debug)]
pub struct RunPlan {
    /// What would change in the profile's own file.
    pub profile: Option<PlannedFile>,
    /// What would change in the agent's files.
    pub files: Vec<PlannedFile>,
    /// Over the caller's environment; None unsets a variable.
    pub env: BTreeMap<String, Option<String>>,
    /// The agent's program; None if it is not installed.
    pub program: Option<PathBuf>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it would start; None if there is no such folder.
    pub working_dir: Option<PathBuf>,
    /// Where the key would come from.
    pub key: Option<KeySource>,
    /// What would keep it from running.
    pub problems: Vec<PrepareError>,
}

/// A file that would be written.
#[derive(Debug)]
pub struct PlannedFile {
    /// The file.
    pub path: PathBuf,
    /// Whether there is none yet.
    pub is_new: bool,
    /// What would change in it.
    pub changes: Vec<PlannedChange>,
}

/// What would change at one place of a file.
#[derive(Debug)]
pub struct PlannedChange {
    /// The names on the way to it.
    pub member: Vec<String>,
    /// What stands there.
    pub before: Option<Value>,
    /// What would stand there.
    pub after: Option<Value>,
}

impl Core {
    /// What a run of `alias` would do once `change` were made. Writes, runs and publishes nothing,
    /// and looks up no key.
    pub fn plan_run(
        &self,
        alias: &Alias,
        change: Change,
        request: &RunRequest,
    ) -> Result<RunPlan, PrepareError> {
        let change = match change {
            Change::Create(members) => {
                Change::Create(templates::fill_in(&self.templates.current(), members)?)
            }
            change => change,
        };
        let proposal = self.profiles.propose(alias, change)?;
        let definition = &proposal.definition;
        let mut problems = Vec::new();
        let mut noted = |error| problems.push(error);
        let program = self.program(definition, request).map_err(&mut noted).ok();
        let working_dir = working_dir(alias, definition, request)
            .map_err(&mut noted)
            .ok();
        // Nothing but the mask goes in where the key would, so nothing else can come out.
        let masked = Way {
            key: Some(Secret::new(MASK)),
            through: self.way_shown(alias, definition),
        };
        let way = match definition.key.is_some() || masked.through.is_some() {
            true => masked.clone(),
            false => Way::default(),
        };
        let plan = match self.launch_plan(alias, definition, request, &way) {
            Err(error @ PrepareError::Launch(LaunchError::KeyMissing { .. })) => {
                noted(error);
                self.launch_plan(alias, definition, request, &masked)?
            }
            plan => plan?,
        };
        let files = match launch::preview(&plan) {
            Ok(files) => files,
            Err(error) => {
                noted(error.into());
                Vec::new()
            }
        };
        let secrets = secrets_of(definition);
        let mut env = shown_env(&plan, &secrets);
        env.insert("CLOWN_PROFILE".to_owned(), Some(alias.to_string()));
        Ok(RunPlan {
            profile: planned_profile(&proposal),
            files: files
                .into_iter()
                .map(|file| planned_file(file, &secrets))
                .collect(),
            env,
            program,
            args: mask::shown_words(&plan.args, &secrets),
            working_dir,
            key: definition.key.clone(),
            problems,
        })
    }

    /// The environment of a run of `alias`, **with the key**; the agent's own files are brought up
    /// to date as for a run. No run is recorded.
    pub fn environment(
        &self,
        alias: &Alias,
        cli_pid: u32,
    ) -> Result<BTreeMap<String, Option<String>>, PrepareError> {
        let request = RunRequest {
            args: Vec::new(),
            cwd: PathBuf::from("/"),
            path: std::ffi::OsString::new(),
            cli_pid,
        };
        let caller = ProcessIdentity::of(cli_pid);
        self.with_way(alias, caller, |profile, way| {
            let plan = self.launch_plan(alias, &profile.definition, &request, way)?;
            launch::apply(&plan)?;
            let mut env = plan.env;
            env.insert("CLOWN_PROFILE".to_owned(), Some(alias.to_string()));
            Ok(env)
        })
    }
}

/// Values in a definition that may be secrets.
fn secrets_of(definition: &Definition) -> Vec<&str> {
    let of_env = definition
        .env
        .iter()
        .filter(|(name, _)| mask::is_secret_name(name))
        .map(|(_, value)| value.as_str());
    let of_servers = definition
        .mcp_servers
        .values()
        .flat_map(|server| server.secrets());
    of_env.chain(of_servers).collect()
}

fn shown_env(plan: &LaunchPlan, secrets: &[&str]) -> BTreeMap<String, Option<String>> {
    let shown = |(name, value): (&String, &Option<String>)| {
        let value = value.as_ref().map(|value| {
            if mask::is_secret_name(name) && !value.is_empty() {
                MASK.to_owned()
            } else {
                mask::shown_line(value, secrets)
            }
        });
        (name.clone(), value)
    };
    plan.env.iter().map(shown).collect()
}

fn planned_file(file: FileChange, secrets: &[&str]) -> PlannedFile {
    let changes = file.members.into_iter().map(|change| {
        let is_secret = change.secret || change.at.iter().any(|name| mask::is_secret_name(name));
        let shown = |value: Option<Value>| {
            value.map(|value| {
                if is_secret {
                    mask::masked(&value)
                } else {
                    mask::shown(value, secrets)
                }
            })
        };
        PlannedChange {
            member: change.at,
            before: shown(change.before),
            after: shown(change.after),
        }
    });
    PlannedFile {
        changes: changes.collect(),
        path: file.path,
        is_new: file.is_new,
    }
}

/// None if the profile's own file would stay as it is.
fn planned_profile(proposal: &Proposal) -> Option<PlannedFile> {
    if proposal.members.is_empty() && !proposal.is_new {
        return None;
    }
    let changes = proposal.members.iter().map(|member| {
        let shown = |value: &Option<Value>| {
            value
                .as_ref()
                .map(|value| shown_member(member.name, value.clone()))
        };
        PlannedChange {
            member: vec![member.name.to_owned()],
            before: shown(&member.before),
            after: shown(&member.after),
        }
    });
    Some(PlannedFile {
        path: proposal.file.clone(),
        is_new: proposal.is_new,
        changes: changes.collect(),
    })
}

/// A member of a profile without what may be a secret in it.
pub fn shown_member(name: &str, mut value: Value) -> Value {
    match (name, &mut value) {
        // Its name or line is for the profile's own file.
        ("key", Value::Object(key)) => {
            return json!({ "source": key.keys().next() });
        }
        ("env", Value::Object(variables)) => {
            for (name, value) in variables.iter_mut() {
                *value = match mask::is_secret_name(name) {
                    true => mask::masked(value),
                    false => mask::shown(value.take(), &[]),
                };
            }
        }
        ("args" | "hooks_config", value) => return mask::shown(value.take(), &[]),
        ("mcp_servers", Value::Object(servers)) => {
            for server in servers.values_mut().filter_map(Value::as_object_mut) {
                for member in ["env", "headers"] {
                    if let Some(value) = server.get_mut(member) {
                        *value = mask::masked(value);
                    }
                }
                if let Some(args) = server.get_mut("args") {
                    *args = mask::shown(args.take(), &[]);
                }
                if let Some(Value::String(url)) = server.get_mut("url") {
                    *url = mask::address(url);
                }
            }
        }
        _ => {}
    }
    value
}
