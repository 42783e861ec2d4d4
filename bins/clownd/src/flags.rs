use crate::registry::RegistryCommand;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// The Clown daemon: knows the coding agents, profiles and runs of this machine, and tells every
/// client about each change.
///
/// It runs in the foreground until SIGTERM or SIGINT (Ctrl-C). A setting is taken from its flag,
/// else from its environment variable, else from config.toml, else it has its default.
#[derive(Debug, Default, Parser)]
#[command(name = "clownd", version, max_term_width = 100)]
pub(crate) struct Flags {
    /// Where to listen; port 0 picks a free one [env: CLOWN_LISTEN] [default: 127.0.0.1:8765]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,

    /// Files that you own: config.toml, profiles, manifests [env: CLOWN_CONFIG_DIR]
    /// [default: $XDG_CONFIG_HOME/clown, else ~/.config/clown]
    #[arg(long, value_name = "DIR")]
    pub(crate) config_dir: Option<PathBuf>,

    /// Files that the daemon owns: database, log, homes of agents [env: CLOWN_STATE_DIR]
    /// [default: $XDG_STATE_HOME/clown, else ~/.local/state/clown]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Stop when nobody has needed the daemon for so long: 15m, 1h30m, or never
    /// [env: CLOWN_IDLE_TIMEOUT] [default: never]
    #[arg(long, value_name = "DUR|never")]
    pub(crate) idle_timeout: Option<String>,

    /// How much to log: error, warn, info, debug, trace, or a list of target=level
    /// [env: CLOWN_LOG] [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,

    /// How to log: text or json [env: CLOWN_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "text|json")]
    pub(crate) log_format: Option<String>,

    /// What is done instead of serving.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a registry; `clown registry build` does the same
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// One proxy instance, which the daemon starts and steers
    #[command(hide = true)]
    Proxy {
        /// Its folder
        folder: PathBuf,
    },
}
