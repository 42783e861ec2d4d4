use crate::context::Context;
use crate::failure::{CONFLICT, Failure};
use crate::launch::find_program;
use crate::output::note;
use crate::whole_file::write_whole;
use anyhow::Context as _;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// By this line a unit file is known to be ours to replace.
const MARK: &str = "# Written by `clown daemon install`.";

/// Writes a unit file for systemd's user instance, and says what to do with it.
pub(super) fn install(context: &Context) -> anyhow::Result<()> {
    let path = unit_path()?;
    let program = find_program()?;
    let text = unit(
        &program,
        &context.places.config_dir,
        &context.places.state_dir,
    );
    match std::fs::read_to_string(&path) {
        Ok(found) if !found.lines().any(|line| line == MARK) => {
            let text = format!(
                "{} is not by clown and is left as it is; move it away first",
                path.display()
            );
            return Err(Failure::new(CONFLICT, text).into());
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    }
    write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    if context.output.is_json() {
        return context
            .output
            .json(&serde_json::json!({"path": path.display().to_string()}));
    }
    context
        .output
        .line(format_args!("Wrote {}", path.display()))?;
    note(
        "Let systemd use it:\n  systemctl --user daemon-reload\n  systemctl --user enable --now clownd\n\
         A daemon that runs already must be stopped first: clown daemon stop",
    );
    Ok(())
}

fn unit_path() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .context("HOME is not set, so there is no place for a unit file")?;
    Ok(base.join("systemd/user/clownd.service"))
}

fn unit(program: &Path, config_dir: &Path, state_dir: &Path) -> String {
    format!(
        "{MARK}
[Unit]
Description=Clown: knows the coding agents, profiles and runs of this machine

[Service]
ExecStart={} --config-dir {} --state-dir {}
Restart=on-failure
# Proxies are processes of their own, and go on when the daemon is killed.
KillMode=process

[Install]
WantedBy=default.target
",
        unit_word(program.as_os_str()),
        unit_word(config_dir.as_os_str()),
        unit_word(state_dir.as_os_str()),
    )
}

/// The text as one word of a unit file's command line.
fn unit_word(text: &OsStr) -> String {
    let mut word = String::from("\"");
    for character in text.to_string_lossy().chars() {
        match character {
            '"' | '\\' => word.extend(['\\', character]),
            // Specifiers and variables are expanded even within quotes.
            '%' => word.push_str("%%"),
            '$' => word.push_str("$$"),
            _ => word.push(character),
        }
    }
    word.push('"');
    word
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    write_whole(path, text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_systemd() {
        let check = |text: &str, expected: &str| assert_eq!(unit_word(text.as_ref()), expected);
        check("/usr/bin/clownd", "\"/usr/bin/clownd\"");
        check("/home/a b/100%", "\"/home/a b/100%%\"");
        check("/$HOME/\"x\"", "\"/$$HOME/\\\"x\\\"\"");
    }

    #[test]
    fn the_unit_is_known_as_ours() {
        let text = unit("/bin/clownd".as_ref(), "/c".as_ref(), "/s".as_ref());
        assert_eq!(text.lines().next(), Some(MARK));
        assert!(text.contains("\nKillMode=process\n"));
        assert!(
            text.contains("ExecStart=\"/bin/clownd\" --config-dir \"/c\" --state-dir \"/s\"\n")
        );
    }
}
