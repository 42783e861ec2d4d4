mod carry;
mod create;
mod differences;
mod edit;
mod env;
mod programs;
mod set;
mod show;

pub(crate) use create::{say_created, variable};
pub(crate) use show::mcp_line;

use crate::context::Context;
use crate::output::note;
use clap::Subcommand;
use clown_api::Profile;
use clown_client::Client;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum ProfilesCommand {
    /// List the profiles
    List,
    /// Create a profile
    Create(create::CreateArgs),
    /// Show one profile
    Show {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Open the profile's file in $VISUAL or $EDITOR
    Edit {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Change members of a profile
    Set(set::SetArgs),
    /// Delete a profile
    Delete {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
        /// Also delete what its agent has kept for it: settings, history, logins
        #[arg(long)]
        purge: bool,
    },
    /// List the templates that a profile can be made of
    Templates,
    /// Copy a profile; a key that Clown keeps is shared
    Clone(carry::CloneArgs),
    /// Write profiles for another machine; without keys, unless asked
    Export(carry::ExportArgs),
    /// Read profiles from another machine
    Import(carry::ImportArgs),
    /// Print the environment of a run, with the key, for a shell to read: eval "$(clown profiles env ALIAS)"
    Env(env::EnvArgs),
}

pub(crate) async fn dispatch(context: &Context, command: ProfilesCommand) -> anyhow::Result<()> {
    let output = context.output;
    let client = context.daemon().await?;
    match command {
        ProfilesCommand::List => {
            let profiles = client.profiles().await?;
            show::list(output, profiles, &client.providers().await?)
        }
        ProfilesCommand::Create(args) => create::create(context, &client, args).await,
        ProfilesCommand::Show { alias } => show::show(context, &client.profile(&alias).await?),
        ProfilesCommand::Edit { alias } => edit::edit(context, &client, &alias).await,
        ProfilesCommand::Set(args) => set::set(context, &client, args).await,
        ProfilesCommand::Delete { alias, purge } => {
            client.delete_profile(&alias, purge).await?;
            let kept = if purge {
                ""
            } else {
                "; what its agent has kept for it stays"
            };
            output.told(format_args!("Deleted profile {alias}{kept}."))?;
            if output.is_json() {
                output.json(&json!({"alias": alias, "purged": purge}))?;
            }
            Ok(())
        }
        ProfilesCommand::Templates => create::templates(context, &client).await,
        ProfilesCommand::Clone(args) => carry::clone(context, &client, args).await,
        ProfilesCommand::Export(args) => carry::export(context, &client, args).await,
        ProfilesCommand::Import(args) => carry::import(context, &client, args).await,
        ProfilesCommand::Env(args) => env::env(context, &client, args).await,
    }
}

/// Changes a profile by a patch that depends on what it is. Somebody else's change in between is
/// seen, and the patch made anew. None, and nothing is changed, if there is no patch.
pub(crate) async fn change_as_seen(
    client: &Client,
    alias: &str,
    patch: impl Fn(&Profile) -> anyhow::Result<Option<Value>>,
) -> anyhow::Result<Option<Profile>> {
    const TRIES: usize = 8;

    let mut tries = TRIES;
    loop {
        tries -= 1;
        let seen = client.profile(alias).await?;
        let Some(patch) = patch(&seen)? else {
            return Ok(None);
        };
        match client.update_profile_as_seen(&seen, &patch).await {
            Err(error) if tries > 0 && error.code() == Some("profile_changed") => {}
            changed => return Ok(Some(changed?)),
        }
    }
}

/// Says what is wrong with the profile's file, where something is.
fn note_fault(profile: &Profile) {
    if let Some(fault) = &profile.fault {
        note(format_args!(
            "Profile {} cannot run: {}",
            profile.alias,
            show::fault(fault)
        ));
    }
}
