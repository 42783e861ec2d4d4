use crate::commands::shell;
use crate::context::Context;
use crate::event::words;
use crate::key_args;
use crate::local_time::LocalZone;
use crate::output::Output;
use crate::table::{Table, printable};
use anstyle::Effects;
use clown_api::{List, McpServer, Profile, ProfileFault, Provider};
use clown_events::Timestamp;
use clown_mask::is_secret_name;

pub(super) fn list(
    output: Output,
    profiles: Vec<Profile>,
    providers: &[Provider],
) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&List::new(profiles));
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["ALIAS", "AGENT", "PROVIDER", "MODEL", "KEY", "LAST USED"]);
    for profile in &profiles {
        let key = profile.key.as_ref().map_or_else(String::new, |key| {
            if key.set {
                key.source.clone()
            } else {
                format!("{}, not set", key.source)
            }
        });
        table.row([
            profile.alias.clone(),
            profile.agent_id.clone(),
            profile.provider_id.clone(),
            model(profile, providers).to_owned(),
            key,
            profile
                .last_used
                .map_or_else(|| "never".to_owned(), |moment| ago(moment, now)),
        ]);
    }
    table.print(output)?;
    if profiles.is_empty() {
        crate::output::note("There is no profile yet. `clown init` makes a first one.");
    }
    profiles.iter().for_each(super::note_fault);
    Ok(())
}

/// The model in effect: the profile's, else the provider's, else whatever the agent takes.
fn model<'a>(profile: &'a Profile, providers: &'a [Provider]) -> &'a str {
    let of_provider = || {
        let provider = providers
            .iter()
            .find(|provider| provider.id == profile.provider_id)?;
        provider.default_model.as_deref()
    };
    profile
        .model
        .as_deref()
        .or_else(of_provider)
        .unwrap_or("default")
}

pub(super) fn show(context: &Context, profile: &Profile) -> anyhow::Result<()> {
    let output = context.output;
    if output.is_json() {
        return output.json(profile);
    }
    let bold = anstyle::Style::new().effects(Effects::BOLD);
    output.line(output.paint(bold, printable(&profile.alias)))?;
    let zone = LocalZone::of_this_machine();
    let moment = |moment: Timestamp| {
        let shown = zone.show(moment);
        format!("{} {}", shown.date, shown.time)
    };
    let file = context.places.profile_file(&profile.alias);
    let env = profile
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), shown_value(name, value)));
    let mut lines = vec![
        ("agent", Some(profile.agent_id.clone())),
        ("provider", Some(profile.provider_id.clone())),
        ("endpoint", profile.endpoint_id.clone()),
        ("model", profile.model.clone()),
        ("small model", profile.small_model.clone()),
        ("key", key_args::describe_in_full(context, profile)),
        (
            "arguments",
            (!profile.args.is_empty())
                .then(|| clown_mask::shown_words(&profile.args, &[]).join(" ")),
        ),
        ("folder", profile.working_dir.clone()),
    ];
    lines.extend(env.map(|(name, value)| ("variable", Some(format!("{name}={value}")))));
    if let Some(hooks) = &profile.hooks_config {
        let hooks = hooks
            .iter()
            .map(|(event, hooks)| format!("{event}: {}", clown_mask::shown(hooks.clone(), &[])));
        lines.extend(hooks.map(|line| ("hook", Some(line))));
    }
    let servers = profile.mcp_servers.iter();
    lines.extend(servers.map(|(name, server)| ("MCP server", Some(mcp_line(name, server)))));
    lines.extend([
        ("created", Some(moment(profile.created_at))),
        ("changed", Some(moment(profile.updated_at))),
        ("last used", profile.last_used.map(moment)),
        ("file", file.is_file().then(|| file.display().to_string())),
        ("fault", profile.fault.as_ref().map(fault)),
    ]);
    for (name, value) in lines {
        if let Some(value) = value {
            output.line(format_args!("  {name:12}{}", printable(&value)))?;
        }
    }
    Ok(())
}

/// A server in one line; values of its variables and headers are masked by the daemon.
pub(crate) fn mcp_line(name: &str, server: &McpServer) -> String {
    let mut words: Vec<String> = server
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    words.extend(server.command.iter().chain(&server.url).cloned());
    let args = clown_mask::shown_words(&server.args, &[]);
    words.extend(args.iter().map(|word| shell::quoted_if_needed(word)));
    words.extend(
        server
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}")),
    );
    format!("{name}: {}", words.join(" "))
}

/// What is wrong with a profile's file, where, and what to do.
pub(super) fn fault(fault: &ProfileFault) -> String {
    let mut text = fault.path.clone();
    for place in [fault.line, fault.column].into_iter().flatten() {
        text.push_str(&format!(":{place}"));
    }
    format!("{text}: {}", fault.message)
}

/// Values of variables that are named or look like secrets are not shown.
fn shown_value(name: &str, value: &str) -> String {
    if is_secret_name(name) {
        clown_mask::MASK.to_owned()
    } else {
        clown_mask::shown_line(value, &[])
    }
}

fn ago(moment: Timestamp, now: Timestamp) -> String {
    let millis = now
        .unix_millis()
        .saturating_sub(moment.unix_millis())
        .max(0);
    let secs = millis.unsigned_abs() / 1000;
    if secs < 60 {
        "now".to_owned()
    } else {
        format!("{} ago", words::duration(secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_names() {
        let check = |name: &str, hidden: bool| {
            assert_eq!(shown_value(name, "value") != "value", hidden, "{name}");
        };
        check("ANTHROPIC_API_KEY", true);
        check("github_token", true);
        check("DB_PASSWORD", true);
        check("CUSTOM-AUTHORIZATION", true);
        check("MAX_THINKING_TOKENS", false);
        check("KEYBOARD", false);
        check("API_TIMEOUT_MS", false);
    }

    #[test]
    fn faults_name_the_place_that_is_known() {
        let check = |line: Option<usize>, column: Option<usize>, expected: &str| {
            let message = "not TOML".to_owned();
            let shown = fault(&ProfileFault {
                path: "/p/a.toml".to_owned(),
                line,
                column,
                message,
            });
            assert_eq!(shown, expected);
        };
        check(Some(3), Some(7), "/p/a.toml:3:7: not TOML");
        check(Some(3), None, "/p/a.toml:3: not TOML");
        check(None, None, "/p/a.toml: not TOML");
    }

    #[test]
    fn models_in_effect() {
        let providers: Vec<Provider> = serde_json::from_str(
            r#"[{"id":"local","name":"L","endpoints":[],"models":[],"default_model":"m-1","key_required":false},
                {"id":"self","name":"S","endpoints":[],"models":[],"key_required":false}]"#,
        )
        .unwrap();
        let check = |provider: &str, own: Option<&str>, expected: &str| {
            let text = format!(
                r#"{{"alias":"a","agent_id":"claude","provider_id":"{provider}",
                    "created_at":"2026-01-08T10:30:00Z","updated_at":"2026-01-08T10:30:00Z"}}"#
            );
            let mut profile: Profile = serde_json::from_str(&text).unwrap();
            profile.model = own.map(str::to_owned);
            assert_eq!(model(&profile, &providers), expected, "{provider}");
        };
        check("local", Some("mine"), "mine");
        check("local", None, "m-1");
        check("self", None, "default");
        check("gone", None, "default");
    }

    #[test]
    fn times_past() {
        let now: Timestamp = "2026-01-08T10:30:00Z".parse().unwrap();
        let check = |moment: &str, expected: &str| {
            assert_eq!(ago(moment.parse().unwrap(), now), expected);
        };
        check("2026-01-08T10:29:30Z", "now");
        check("2026-01-08T10:31:00Z", "now");
        check("2026-01-08T08:00:00Z", "2 h 30 min ago");
    }
}
