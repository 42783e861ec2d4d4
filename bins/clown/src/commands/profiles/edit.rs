use crate::context::Context;
use crate::failure::{FAILED, Failure, NOT_FOUND, USAGE};
use anyhow::Context as _;
use clown_api::Profile;
use clown_client::{Client, ClientError};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the daemon may take to see an edited file. It waits for about 100 ms of stillness.
const SEEN_LIMIT: Duration = Duration::from_secs(2);

const POLL_PAUSE: Duration = Duration::from_millis(50);

/// Opens the profile's file, and says what is wrong with it afterwards.
pub(super) async fn edit(context: &Context, client: &Client, alias: &str) -> anyhow::Result<()> {
    let path = context.places.profile_file(alias);
    let before = client.profile(alias).await?;
    let Ok(text_before) = std::fs::read_to_string(&path) else {
        let text = format!(
            "profile {alias} has no file {}; is the daemon's configuration elsewhere?",
            path.display()
        );
        return Err(Failure::new(NOT_FOUND, text).into());
    };
    open_editor(&path).await?;
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {} back", path.display()))?;
    if text == text_before {
        return done(context, format!("Profile {alias} is as it was."), &before);
    }
    if let Err(error) = text.parse::<toml_edit::DocumentMut>() {
        let text = format!(
            "{}: {error}\nThis is not taken up: the profile is shown as it was, and cannot run. \
             `clown profiles edit {alias}` opens the file again.",
            path.display()
        );
        return Err(Failure::new(FAILED, text).into());
    }
    let seen = wait_until_seen(client, alias, &before).await?;
    match &seen.fault {
        Some(fault) => {
            let text = format!(
                "{}\nThe profile cannot run until that is mended. `clown profiles edit {alias}` \
                 opens the file again.",
                super::show::fault(fault)
            );
            Err(Failure::new(FAILED, text).into())
        }
        None => done(context, format!("Changed profile {alias}."), &seen),
    }
}

fn done(context: &Context, text: String, profile: &Profile) -> anyhow::Result<()> {
    context.output.told(text)?;
    if context.output.is_json() {
        context.output.json(profile)?;
    }
    Ok(())
}

/// The profile once the daemon has taken the file up. An edit that changes no member (a comment)
/// leaves no trace, so this ends without one too.
async fn wait_until_seen(
    client: &Client,
    alias: &str,
    before: &Profile,
) -> Result<Profile, ClientError> {
    let deadline = Instant::now() + SEEN_LIMIT;
    loop {
        let now = client.profile(alias).await?;
        let is_seen = now.updated_at != before.updated_at || now.fault != before.fault;
        if is_seen || Instant::now() >= deadline {
            return Ok(now);
        }
        sleep(POLL_PAUSE).await;
    }
}

async fn open_editor(path: &Path) -> anyhow::Result<()> {
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
        .unwrap_or_else(|| OsString::from("vi"));
    // The variable may hold arguments (`code --wait`), which is for a shell to take apart.
    let mut line = editor.clone();
    line.push(" \"$1\"");
    let status = tokio::process::Command::new("/bin/sh")
        .arg("-c")
        .arg(line)
        .arg("sh")
        .arg(path)
        .status()
        .await
        .context("cannot start a shell for the editor")?;
    if status.success() {
        return Ok(());
    }
    let text = format!(
        "the editor {} failed ({status}); set VISUAL or EDITOR to one that works",
        editor.display()
    );
    Err(Failure::new(USAGE, text).into())
}
