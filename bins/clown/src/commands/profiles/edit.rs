use crate::context::Context;
use crate::failure::{CONFLICT, FAILED, Failure, NOT_FOUND};
use crate::output::note;
use crate::prompt;
use crate::whole_file::write_whole;
use anyhow::Context as _;
use clown_api::{Profile, ReplaceFile};
use clown_client::{Client, ClientError};
use std::ffi::OsString;
use std::path::Path;

/// No profile's file is larger.
const MAX_BYTES: u64 = 1 << 20;

/// Opens a copy of the profile's file. It takes the file's place once it is good; until then the
/// profile is as it was.
pub(super) async fn edit(context: &Context, client: &Client, alias: &str) -> anyhow::Result<()> {
    let path = context.places.profile_file(alias);
    if let Ok(found) = std::fs::metadata(&path)
        && (!found.is_file() || found.len() > MAX_BYTES)
    {
        let text = format!(
            "{} is no profile that could be edited: it is {}",
            path.display(),
            if found.is_file() {
                "larger than 1 MiB"
            } else {
                "not a file"
            }
        );
        return Err(Failure::new(FAILED, text).into());
    }
    let Ok(before) = std::fs::read_to_string(&path) else {
        // If there is no such profile at all, that is what is wrong.
        client.profile(alias).await?;
        let text = format!(
            "profile {alias} has no file {}; is the daemon's configuration elsewhere?",
            path.display()
        );
        return Err(Failure::new(NOT_FOUND, text).into());
    };
    let folder = tempfile::Builder::new()
        .prefix("clown-edit-")
        .tempdir()
        .context("cannot make a folder for the copy")?;
    let copy = folder.path().join(format!("{alias}.toml"));
    write_whole(&copy, before.as_bytes(), 0o600)
        .with_context(|| format!("cannot write {}", copy.display()))?;
    loop {
        open_editor(&copy).await?;
        let text = std::fs::read_to_string(&copy)
            .with_context(|| format!("cannot read {} back", copy.display()))?;
        if text == before {
            let profile = client.profile(alias).await?;
            return done(context, format!("Profile {alias} is as it was."), &profile);
        }
        let request = ReplaceFile {
            before: before.clone(),
            text,
        };
        let error = match client.replace_profile_file(alias, &request).await {
            Ok(profile) => {
                return done(context, format!("Changed profile {alias}."), &profile);
            }
            Err(error) => error,
        };
        let can_be_mended =
            matches!(&error, ClientError::Problem(problem) if problem.status == 422);
        if can_be_mended && prompt::is_possible() {
            note(format_args!("clown: {error}"));
            let answer = prompt::line("Edit it again? (y/n)", "y")?;
            if answer.to_lowercase().starts_with('y') {
                continue;
            }
        }
        let kept = folder.keep().join(format!("{alias}.toml"));
        let text = format!(
            "{error}\nThe profile is as it was. What you wrote is in {}.",
            kept.display()
        );
        let code = match &error {
            ClientError::Problem(problem) if problem.status == 409 => CONFLICT,
            _ => FAILED,
        };
        return Err(Failure::new(code, text).into());
    }
}

fn done(context: &Context, text: String, profile: &Profile) -> anyhow::Result<()> {
    context.output.told(text)?;
    if context.output.is_json() {
        context.output.json(profile)?;
    }
    Ok(())
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
    Err(Failure::new(FAILED, text).into())
}
