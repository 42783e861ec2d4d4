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
mod settings;
mod stop;
mod token;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let flags = flags::Flags::parse();
    match settings::Settings::resolve(flags, |name| std::env::var_os(name)).and_then(daemon::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::report(&error);
            ExitCode::FAILURE
        }
    }
}
