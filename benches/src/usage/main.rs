//! Measures the count of usage: makes a corpus, and counts it beside its rivals.

mod corpus;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(version, about)]
struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a folder as Claude Code fills it, and say what it holds.
    Corpus {
        folder: PathBuf,
        /// About how large, in MiB.
        #[arg(long, default_value_t = 1024)]
        mebibytes: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Flags::parse().command {
        Command::Corpus { folder, mebibytes } => {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            let truth = corpus::write(&folder, mebibytes << 20)?;
            println!(
                "{} files, {} bytes, {} answers: {:?}",
                truth.files, truth.bytes, truth.all.answers, truth.all
            );
            Ok(())
        }
    }
}
