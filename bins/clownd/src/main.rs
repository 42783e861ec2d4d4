//! `clownd`, the daemon: reads flags, environment and configuration, puts the parts together, and
//! serves.

mod config;
mod daemon;
mod file_limit;
mod flags;
mod idle;
mod instance;
mod launcher;
mod log;
mod port_owner;
mod proxy;
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
        Some(flags::Command::Registry(command)) => {
            registry::run(command).map(|()| ExitCode::SUCCESS)
        }
        Some(flags::Command::Proxy { folder }) => proxy::run(&folder),
        None => serve(flags).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            log::report(&error);
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: flags::Flags) -> anyhow::Result<()> {
    settings::Settings::resolve(flags, |name| std::env::var_os(name)).and_then(daemon::run)
}
