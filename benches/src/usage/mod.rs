//! The count of usage, beside those that count the same.

mod compare;
mod corpus;

pub(crate) use compare::run;

use anyhow::Context as _;
use std::path::Path;

/// Makes a corpus, and says what it holds.
pub(crate) fn make(folder: &Path, bytes: u64, lean: bool) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let truth = corpus::write(folder, bytes, lean)?;
    println!(
        "{} files, {} bytes: {:?}",
        truth.files, truth.bytes, truth.all
    );
    Ok(())
}
