//! The command line of Clown. It talks to the daemon only, and knows nothing of the core.

mod cli;
mod commands;
mod context;
mod detach;
mod event;
mod failure;
mod key_args;
mod launch;
mod local_time;
mod output;
mod passphrase;
mod places;
mod process;
mod prompt;
mod secrets;
mod table;
mod whole_file;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(commands::dispatch(cli));
            // A thread that still reads a terminal must not hold the end back.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| failure::report(&error))
}
