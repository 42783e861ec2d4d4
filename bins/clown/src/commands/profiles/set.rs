use crate::commands::plan;
use crate::context::Context;
use crate::failure::{Failure, USAGE};
use crate::key_args::{self, KeyArgs};
use clap::Args;
use clown_client::Client;
use serde_json::{Map, Value};

/// Members whose values are JSON and not plain text.
const JSON_MEMBERS: [&str; 4] = ["args", "hooks_config", "mcp_servers", "proxy_config"];

/// Changes to a profile.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clown profiles set work model=claude-opus-4-8
  clown profiles set work env.API_TIMEOUT_MS=600000 env.DEBUG=
  clown profiles set work 'args=[\"--verbose\"]' --unset working_dir
  clown profiles set work --key-env WORK_KEY")]
pub(crate) struct SetArgs {
    /// The profile
    #[arg(value_parser = crate::cli::alias)]
    alias: String,
    /// Members and their new values: model=M, provider_id=ID, env.NAME=V; nothing behind `=` removes
    #[arg(value_name = "MEMBER=VALUE", value_parser = assignment)]
    members: Vec<(String, String)>,
    /// Remove this member; may be given several times
    #[arg(long, value_name = "MEMBER")]
    unset: Vec<String>,
    #[command(flatten)]
    key: KeyArgs,
    /// Show what would be written and what a run would set, with secrets masked, and do nothing
    #[arg(long)]
    dry_run: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((member, value)) if !member.is_empty() => Ok((member.to_owned(), value.to_owned())),
        _ => Err("write it as member=value".to_owned()),
    }
}

pub(super) async fn set(context: &Context, client: &Client, args: SetArgs) -> anyhow::Result<()> {
    let removals = args.unset.into_iter().map(|member| (member, String::new()));
    let mut patch = merge_patch(args.members.into_iter().chain(removals))?;
    if let Some(key) = args.key.read()? {
        patch.insert("key".to_owned(), serde_json::to_value(&key)?);
    }
    if patch.is_empty() {
        return Err(Failure::new(
            USAGE,
            "say what to change, such as model=M or --key-env VAR",
        )
        .into());
    }
    if args.dry_run {
        let mut question = plan::request()?;
        question.patch = Some(patch);
        return plan::show(context, &client.plan_run(&args.alias, &question).await?);
    }
    let says_key = patch.contains_key("key");
    let profile = client
        .update_profile(&args.alias, &Value::Object(patch))
        .await?;
    if context.output.is_json() {
        return context.output.json(&profile);
    }
    context
        .output
        .line(format_args!("Changed profile {}.", profile.alias))?;
    if says_key && let Some(key) = key_args::describe(&profile) {
        context.output.line(format_args!("Its key is {key}."))?;
    }
    Ok(())
}

/// An RFC 7396 merge patch of `member=value`; an empty value removes, and `env.NAME` reaches one
/// variable.
fn merge_patch(
    members: impl IntoIterator<Item = (String, String)>,
) -> anyhow::Result<Map<String, Value>> {
    let mut patch = Map::new();
    for (member, text) in members {
        let (name, below) = match member.split_once('.') {
            Some((name, below)) => (name, Some(below)),
            None => (member.as_str(), None),
        };
        let value = if text.is_empty() {
            Value::Null
        } else if JSON_MEMBERS.contains(&name) {
            serde_json::from_str(&text).map_err(|error| {
                let text = format!(
                    "the value of {member} is not JSON: {error}; write it in quotes for the shell, \
                     such as 'args=[\"--verbose\"]', or use `clown profiles edit`"
                );
                Failure::new(USAGE, text)
            })?
        } else {
            Value::String(text)
        };
        match below {
            None => {
                patch.insert(name.to_owned(), value);
            }
            Some(below) => {
                let inner = patch
                    .entry(name)
                    .or_insert_with(|| Value::Object(Map::new()));
                match inner {
                    Value::Object(inner) => {
                        inner.insert(below.to_owned(), value);
                    }
                    _ => {
                        let text = format!("{name} is given both whole and in part ({member})");
                        return Err(Failure::new(USAGE, text).into());
                    }
                }
            }
        }
    }
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches() {
        let check = |members: &[&str], expected: Option<&str>| {
            let pairs = members.iter().map(|text| assignment(text).unwrap());
            let patch = merge_patch(pairs)
                .ok()
                .map(|patch| Value::Object(patch).to_string());
            assert_eq!(patch.as_deref(), expected, "{members:?}");
        };
        check(&[], Some("{}"));
        check(&["model=m"], Some(r#"{"model":"m"}"#));
        check(&["model="], Some(r#"{"model":null}"#));
        check(&["model=a=b"], Some(r#"{"model":"a=b"}"#));
        check(&["model=7"], Some(r#"{"model":"7"}"#));
        check(
            &["env.A=1", "env.B="],
            Some(r#"{"env":{"A":"1","B":null}}"#),
        );
        check(&["env.A.B=1"], Some(r#"{"env":{"A.B":"1"}}"#));
        check(&[r#"args=["-v"]"#], Some(r#"{"args":["-v"]}"#));
        check(
            &["proxy_config.port=9000"],
            Some(r#"{"proxy_config":{"port":9000}}"#),
        );
        check(
            &[r#"mcp_servers.a={"command":"x"}"#, "small_model=s"],
            Some(r#"{"mcp_servers":{"a":{"command":"x"}},"small_model":"s"}"#),
        );
        check(&["args=-v"], None);
        check(&["env=", "env.A=1"], None);
    }
}
