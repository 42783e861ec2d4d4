use super::restarts;
use crate::Alias;
use crate::store::StoreError;
use std::io;
use std::path::PathBuf;

/// A proxy instance cannot be started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyFault {
    /// The profile has no proxy.
    #[error(
        "the profile \"{0}\" has no proxy: give it one with `clown profiles set {0} proxy_config.enabled=true`"
    )]
    NotEnabled(Alias),
    /// Another program has the port.
    #[error("{}", port_in_use(*port, owner.as_deref()))]
    PortInUse {
        /// The port.
        port: u16,
        /// Who has it.
        owner: Option<String>,
    },
    /// It does not start.
    #[error("the proxy of profile \"{alias}\" does not start: {reason}")]
    NotStarted {
        /// The profile.
        alias: Alias,
        /// Why not.
        reason: String,
    },
    /// It could not be stopped.
    #[error("the proxy of profile \"{alias}\" (process {pid}) does not end: end it by hand")]
    NotStopped {
        /// The profile.
        alias: Alias,
        /// Its process.
        pid: u32,
    },
    /// Its folder.
    #[error("cannot use the folder {}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The daemon is stopping.
    #[error("the daemon is stopping: no proxy is started any more")]
    Stopping,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is told of a port that another program has.
pub(super) fn port_in_use(port: u16, owner: Option<&str>) -> String {
    match owner {
        Some(owner) => format!("Port already in use: {port}, by {owner}"),
        None => format!("Port already in use: {port}"),
    }
}

/// What is told of one that died.
pub(super) fn died(code: i32) -> String {
    let how = match code {
        -1 => "and nobody knows how".to_owned(),
        129..=192 => format!("by signal {}", code - 128),
        code => format!("with exit code {code}"),
    };
    format!("the proxy ended unasked, {how}")
}

pub(super) fn given_up(profile: &Alias) -> String {
    format!(
        "given up: the proxy was started {} times within a minute and ended each time; `clown proxy start {profile}` tries again, proxy.log in its folder may say why",
        restarts::MOST
    )
}
