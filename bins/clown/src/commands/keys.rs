use crate::context::Context;
use crate::failure::{CONFLICT, Failure, NOT_FOUND};
use crate::key_args::read_stdin;
use crate::local_time::LocalZone;
use crate::table::Table;
use clap::Subcommand;
use clown_api::{KeyInput, List, SetKey, StoredKey};
use clown_client::Client;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys that Clown keeps, and which profiles use them
    List,
    /// Keep a new key: it is read from standard input, or typed without being shown
    Set {
        /// The key's name, for `--key store:NAME`
        #[arg(value_parser = crate::cli::alias)]
        name: String,
        /// The provider that it is for
        #[arg(long, value_name = "ID")]
        provider: String,
    },
    /// Give a key another value, for all profiles that use it
    Rotate {
        /// The key
        #[arg(value_parser = crate::cli::alias)]
        name: String,
    },
    /// Forget a key that no profile uses
    Delete {
        /// The key
        #[arg(value_parser = crate::cli::alias)]
        name: String,
        /// Also while profiles use it: they cannot run then
        #[arg(long)]
        force: bool,
    },
}

pub(crate) async fn dispatch(context: &Context, command: KeysCommand) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    match command {
        KeysCommand::List => list(context, client.keys().await?),
        KeysCommand::Set { name, provider } => {
            if find(&client, &name).await?.is_some() {
                let text = format!(
                    "there is a stored key {name} already: `clown keys rotate {name}` gives it \
                     another value"
                );
                return Err(Failure::new(CONFLICT, text).into());
            }
            set(context, &client, &name, Some(provider)).await
        }
        KeysCommand::Rotate { name } => {
            if find(&client, &name).await?.is_none() {
                let text = format!("there is no stored key {name}: `clown keys list` shows those");
                return Err(Failure::new(NOT_FOUND, text).into());
            }
            set(context, &client, &name, None).await
        }
        KeysCommand::Delete { name, force } => {
            client.delete_key(&name, force).await?;
            context
                .output
                .told(format_args!("Deleted the key {name}."))?;
            if context.output.is_json() {
                context.output.json(&json!({"name": name}))?;
            }
            Ok(())
        }
    }
}

async fn find(client: &Client, name: &str) -> anyhow::Result<Option<StoredKey>> {
    let keys = client.keys().await?;
    Ok(keys.into_iter().find(|key| key.name == name))
}

async fn set(
    context: &Context,
    client: &Client,
    name: &str,
    provider_id: Option<String>,
) -> anyhow::Result<()> {
    let KeyInput::Value(value) = read_stdin()? else {
        anyhow::bail!("what is read is a value");
    };
    let key = client.set_key(name, &SetKey { provider_id, value }).await?;
    if context.output.is_json() {
        return context.output.json(&key);
    }
    let place = match key.source.as_str() {
        "keyring" => "in the system keyring",
        _ => "in a file of the daemon's secrets folder that only you can read",
    };
    context
        .output
        .line(format_args!("The key {name} is kept {place}."))?;
    match key.profiles.as_slice() {
        [] => context
            .output
            .line(format_args!("Give it to a profile with --key store:{name}")),
        profiles => context
            .output
            .line(format_args!("It is used by {}.", profiles.join(", "))),
    }
}

fn list(context: &Context, keys: Vec<StoredKey>) -> anyhow::Result<()> {
    if context.output.is_json() {
        return context.output.json(&List::new(keys));
    }
    let zone = LocalZone::of_this_machine();
    let mut table = Table::new(&["NAME", "PROVIDER", "SOURCE", "PROFILES", "SET AT"]);
    for key in keys {
        let moment = key.set_at.map(|moment| {
            let shown = zone.show(moment);
            format!("{} {}", shown.date, shown.time)
        });
        table.row([
            key.name,
            key.provider_id.unwrap_or_default(),
            key.source,
            key.profiles.join(", "),
            moment.unwrap_or_default(),
        ]);
    }
    table.print(context.output)
}
