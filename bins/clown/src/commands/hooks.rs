use crate::commands::profiles::change_as_seen;
use crate::context::Context;
use crate::failure::{Failure, NOT_FOUND, USAGE};
use crate::table::Table;
use clap::{Args, Subcommand};
use clown_api::{AgentHooks, Profile};
use clown_client::Client;
use serde_json::{Map, Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum HooksCommand {
    /// Run a command at an event of the profile's agent
    Add(AddArgs),
    /// List the profile's hooks
    List {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Take a hook away
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clown hooks add work Stop 'notify-send done'
  clown hooks add work PreToolUse './check.sh' --matcher Bash")]
pub(crate) struct AddArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// The event, by the agent's own name for it
    event: String,
    /// The command
    command: String,
    /// Only for what this matches: a tool's name, or a pattern of names, as the agent takes it
    #[arg(long, value_name = "PATTERN")]
    matcher: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// The event
    event: String,
    /// The command; with --all it is left out
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    command: Option<String>,
    /// Only where it has this matcher
    #[arg(long, value_name = "PATTERN")]
    matcher: Option<String>,
    /// All hooks of the event
    #[arg(long)]
    all: bool,
}

pub(crate) async fn dispatch(context: &Context, command: HooksCommand) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    match command {
        HooksCommand::Add(args) => add(context, &client, args).await,
        HooksCommand::List { alias } => list(context, &client.profile(&alias).await?),
        HooksCommand::Remove(args) => remove(context, &client, args).await,
    }
}

async fn add(context: &Context, client: &Client, args: AddArgs) -> anyhow::Result<()> {
    let AddArgs {
        alias,
        event,
        command,
        matcher,
    } = args;
    if event.is_empty() || command.trim().is_empty() {
        return Err(Failure::new(USAGE, "an event and a command cannot be empty").into());
    }
    let agent = client
        .agent(&client.profile(&alias).await?.agent_id)
        .await?;
    check_event(&alias, &agent.name, agent.hooks.as_ref(), &event)?;
    let changed = change_as_seen(client, &alias, |profile| {
        let mut groups = groups_of(profile, &event)?;
        if commands_in(&groups).any(|hook| hook.is(&command, matcher.as_deref())) {
            return Ok(None);
        }
        let mut group = Map::new();
        if let Some(matcher) = &matcher {
            group.insert("matcher".to_owned(), matcher.clone().into());
        }
        let hook = json!([{"type": "command", "command": command}]);
        group.insert("hooks".to_owned(), hook);
        groups.push(group.into());
        Ok(Some(json!({"hooks_config": {&event: groups}})))
    });
    done(context, changed.await?, "It is there already.")
}

async fn remove(context: &Context, client: &Client, args: RemoveArgs) -> anyhow::Result<()> {
    let RemoveArgs {
        alias,
        event,
        command,
        matcher,
        all,
    } = args;
    let changed = change_as_seen(client, &alias, |profile| {
        let groups = groups_of(profile, &event)?;
        let kept = match (all, &matcher) {
            // Also what is in no form that is known here.
            (true, None) => Vec::new(),
            _ => without(&groups, |hook| {
                (all || command.as_deref() == Some(hook.command))
                    && (matcher.is_none() || hook.matcher == matcher.as_deref())
            }),
        };
        if kept == groups {
            let text = format!("profile {alias} has no such hook at {event}");
            return Err(Failure::new(NOT_FOUND, text).into());
        }
        let last = hooks_of(profile).is_none_or(|hooks| hooks.len() <= 1);
        Ok(Some(match (kept.is_empty(), last) {
            (true, true) => json!({"hooks_config": null}),
            (true, false) => json!({"hooks_config": {&event: null}}),
            (false, _) => json!({"hooks_config": {&event: kept}}),
        }))
    });
    done(context, changed.await?, "")
}

fn done(context: &Context, changed: Option<Profile>, unchanged: &str) -> anyhow::Result<()> {
    let Some(profile) = changed else {
        return context.output.told(unchanged);
    };
    if context.output.is_json() {
        return context.output.json(&profile);
    }
    context.output.line(format_args!(
        "Changed the hooks of profile {}.",
        profile.alias
    ))
}

fn list(context: &Context, profile: &Profile) -> anyhow::Result<()> {
    if context.output.is_json() {
        let none = Map::new();
        return context.output.json(hooks_of(profile).unwrap_or(&none));
    }
    let mut table = Table::new(&["EVENT", "MATCHER", "COMMAND"]);
    for (event, groups) in hooks_of(profile).into_iter().flatten() {
        for row in rows_of(groups) {
            table.row([event.clone(), row.0, row.1]);
        }
    }
    table.print(context.output)
}

/// Matcher and command of each hook of an event; what is in another form than groups, as it is.
fn rows_of(groups: &Value) -> Vec<(String, String)> {
    let as_it_is = |value: &Value| vec![(String::new(), value.to_string())];
    let Some(groups) = groups.as_array() else {
        return as_it_is(groups);
    };
    let rows = groups.iter().flat_map(|group| {
        if !group["hooks"].is_array() {
            return as_it_is(group);
        }
        commands_in(std::slice::from_ref(group))
            .map(|hook| {
                let matcher = hook.matcher.unwrap_or_default();
                (matcher.to_owned(), hook.command.to_owned())
            })
            .collect()
    });
    rows.collect()
}

fn check_event(
    alias: &str,
    agent: &str,
    hooks: Option<&AgentHooks>,
    event: &str,
) -> anyhow::Result<()> {
    let text = match hooks {
        None => format!("{agent} has no hooks that Clown could set"),
        Some(hooks) if hooks.form != "groups" => format!(
            "{agent} writes its hooks in a form of its own, which `clown hooks add` does not know: \
             write them as its documentation says, by \
             `clown profiles set {alias} 'hooks_config={{\"{}\":[…]}}'` or \
             `clown profiles edit {alias}`",
            hooks.events.first().map_or("EVENT", String::as_str)
        ),
        Some(hooks) if !hooks.events.is_empty() && !hooks.events.iter().any(|e| e == event) => {
            format!(
                "{agent} knows no event {event:?}: it knows {}",
                hooks.events.join(", ")
            )
        }
        Some(_) => return Ok(()),
    };
    Err(Failure::new(USAGE, text).into())
}

fn hooks_of(profile: &Profile) -> Option<&Map<String, Value>> {
    profile.hooks_config.as_ref()
}

fn groups_of(profile: &Profile, event: &str) -> anyhow::Result<Vec<Value>> {
    match hooks_of(profile).and_then(|hooks| hooks.get(event)) {
        None => Ok(Vec::new()),
        Some(Value::Array(groups)) => Ok(groups.clone()),
        Some(_) => {
            let text =
                format!("hooks_config.{event} is no list: mend it with `clown profiles edit`");
            Err(Failure::new(USAGE, text).into())
        }
    }
}

/// One command of a group.
struct Hook<'a> {
    matcher: Option<&'a str>,
    command: &'a str,
}

impl Hook<'_> {
    fn is(&self, command: &str, matcher: Option<&str>) -> bool {
        self.command == command && self.matcher == matcher
    }
}

fn commands_in<'a>(groups: &'a [Value]) -> impl Iterator<Item = Hook<'a>> {
    groups.iter().flat_map(|group| {
        let hooks = group["hooks"].as_array().map(Vec::as_slice);
        hooks.unwrap_or_default().iter().filter_map(|hook| {
            Some(Hook {
                matcher: group["matcher"].as_str(),
                command: hook["command"].as_str()?,
            })
        })
    })
}

/// The groups without those commands, and without groups that hold none any more.
fn without(groups: &[Value], is_gone: impl Fn(&Hook<'_>) -> bool) -> Vec<Value> {
    let kept = groups.iter().filter_map(|group| {
        let Some(hooks) = group["hooks"].as_array() else {
            return Some(group.clone());
        };
        let matcher = group["matcher"].as_str();
        let left: Vec<Value> = hooks
            .iter()
            .filter(|hook| {
                let command = hook["command"].as_str();
                !command.is_some_and(|command| is_gone(&Hook { matcher, command }))
            })
            .cloned()
            .collect();
        if left.is_empty() && !hooks.is_empty() {
            return None;
        }
        let mut group = group.clone();
        group["hooks"] = left.into();
        Some(group)
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_that_go_and_hooks_that_stay() {
        let groups = json!([
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "a"}, {"type": "command", "command": "b"}]},
            {"hooks": [{"type": "command", "command": "a", "timeout": 5}]},
            {"command": "a"},
        ]);
        let groups = groups.as_array().unwrap();
        let check = |gone: &dyn Fn(&Hook<'_>) -> bool, expected: Value| {
            assert_eq!(Value::from(without(groups, gone)), expected);
        };
        check(
            &|hook| hook.command == "a",
            json!([
                {"matcher": "Bash", "hooks": [{"type": "command", "command": "b"}]},
                {"command": "a"},
            ]),
        );
        check(
            &|hook| hook.is("a", Some("Bash")),
            json!([
                {"matcher": "Bash", "hooks": [{"type": "command", "command": "b"}]},
                {"hooks": [{"type": "command", "command": "a", "timeout": 5}]},
                {"command": "a"},
            ]),
        );
        check(&|_| true, json!([{"command": "a"}]));
        check(&|hook| hook.command == "c", groups.clone().into());
    }

    #[test]
    fn rows_of_groups_and_of_other_forms() {
        let check = |groups: Value, expected: &[(&str, &str)]| {
            let rows = rows_of(&groups);
            let rows: Vec<(&str, &str)> = rows
                .iter()
                .map(|(matcher, command)| (matcher.as_str(), command.as_str()))
                .collect();
            assert_eq!(rows, expected, "{groups}");
        };
        let command = json!({"type": "command", "command": "a"});
        check(
            json!([{"matcher": "Bash", "hooks": [command]}, {"hooks": [command]}]),
            &[("Bash", "a"), ("", "a")],
        );
        check(
            json!([{"hooks": []}, {"command": "a"}]),
            &[("", r#"{"command":"a"}"#)],
        );
        check(json!(true), &[("", "true")]);
    }

    #[test]
    fn events_that_an_agent_knows() {
        let check = |hooks: Option<(&str, &[&str])>, event: &str, part: Option<&str>| {
            let hooks = hooks.map(|(form, events)| AgentHooks {
                form: form.to_owned(),
                events: events.iter().map(|event| (*event).to_owned()).collect(),
            });
            let refused = check_event("work", "X", hooks.as_ref(), event).err();
            let refused = refused.map(|error| error.to_string());
            assert_eq!(refused.is_some(), part.is_some(), "{event}: {refused:?}");
            assert!(
                refused
                    .unwrap_or_default()
                    .contains(part.unwrap_or_default())
            );
        };
        check(Some(("groups", &["Stop"])), "Stop", None);
        check(Some(("groups", &[])), "Anything", None);
        check(Some(("groups", &["Stop"])), "Stp", Some("it knows Stop"));
        check(Some(("own", &[])), "Stop", Some("profiles edit work"));
        check(Some(("own", &["Go"])), "Go", Some(r#"{"Go":[…]}"#));
        check(None, "Stop", Some("no hooks"));
    }
}
