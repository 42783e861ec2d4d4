use crate::failure::{Failure, NOT_FOUND};
use crate::launch::last_lines;
use crate::output::Output;
use crate::table::printable;
use anyhow::Context as _;
use std::io;
use std::path::Path;

/// Prints the end of the log; for programs, one object a line.
pub(super) fn logs(output: Output, path: &Path, count: usize) -> anyhow::Result<()> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!(
                "there is no log {}; a daemon in the foreground logs to its terminal, and one \
                 that systemd started to its journal (journalctl --user -u clownd)",
                path.display()
            );
            return Err(Failure::new(NOT_FOUND, text).into());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    for line in last_lines(&bytes, count) {
        if output.is_json() {
            output.line(serde_json::json!({"line": line}))?;
        } else {
            output.line(printable(&line))?;
        }
    }
    Ok(())
}
