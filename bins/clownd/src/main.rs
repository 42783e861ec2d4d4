//! `clownd`, the daemon: reads flags, environment and configuration, puts the parts together, and
//! serves.

mod config;
mod daemon;
mod file_limit;
mod flags;
mod idle;
mod instance;
mod log;
mod port_owner;
mod registry;
mod registry_sync;
mod settings;
mod stop;
mod token;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut flags = flags::Flags::parse();
    let done = match flags.command.take() {
        Some(flags::Command::Registry(command)) => registry::run(command),
        None => serve(flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::report(&error);
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: flags::Flags) -> anyhow::Result<()> {
    settings::Settings::resolve(flags, |name| std::env::var_os(name)).and_then(daemon::run)
}
