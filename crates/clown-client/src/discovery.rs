use crate::liveness;
use crate::token::{Token, TokenSource};
use clown_api::DaemonFile;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How the daemon is found. Asked again for each connection, because a daemon that was started
/// anew may listen on another port.
///
/// ```
/// use clown_client::{Discovery, DiscoveryError};
///
/// let fixed = Discovery::at("127.0.0.1:8765".parse()?);
/// assert_eq!(fixed.find()?.to_string(), "127.0.0.1:8765");
///
/// let by_file = Discovery::in_state_dir("/nowhere/clown");
/// assert!(matches!(by_file.find(), Err(DiscoveryError::NotRunning { .. })));
/// # Ok::<(), DiscoveryError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Discovery {
    way: Way,
    token: TokenSource,
}

#[derive(Debug, Clone)]
enum Way {
    Address(DaemonAddress),
    StateDir(PathBuf),
}

impl Discovery {
    /// The daemon at this address, whatever any file says.
    pub fn at(address: DaemonAddress) -> Self {
        Self {
            way: Way::Address(address),
            token: TokenSource::Nowhere,
        }
    }

    /// The daemon that has left `daemon.json` in this folder. Should it ask for a token, that is
    /// in the same folder.
    pub fn in_state_dir(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            token: TokenSource::DaemonsFile(dir.join(TOKEN_FILE)),
            way: Way::StateDir(dir),
        }
    }

    /// With the token in this daemon's state folder. It is read only when a daemon asks for one,
    /// and sent only to the own user's daemon on this machine.
    #[must_use]
    pub fn with_token_in(mut self, state_dir: &Path) -> Self {
        self.token = TokenSource::DaemonsFile(state_dir.join(TOKEN_FILE));
        self
    }

    /// With this token, sent only when a daemon asks for one. At an address that was given
    /// ([`Discovery::at`]) it is sent to whoever answers there; else only to the own user's daemon.
    ///
    /// ```
    /// use clown_client::Discovery;
    ///
    /// let elsewhere = Discovery::at("build-host:8765".parse()?).with_token("c2VjcmV0".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = TokenSource::Given(token);
        self
    }

    /// Whether a person gave both the address and the token, and so said whom to talk to.
    pub(crate) fn is_by_hand(&self) -> bool {
        matches!(
            (&self.way, &self.token),
            (Way::Address(_), TokenSource::Given(_))
        )
    }

    pub(crate) fn token_source(&self) -> &TokenSource {
        &self.token
    }

    /// Where the daemon is now. Looks at a small file and a lock at most, and connects to nothing.
    ///
    /// # Errors
    /// [`DiscoveryError::NotRunning`] when there is no `daemon.json`, [`DiscoveryError::Ended`] when
    /// it is of a daemon that has ended; the others when it cannot be read or understood, or names
    /// an address of another machine.
    pub fn find(&self) -> Result<DaemonAddress, DiscoveryError> {
        match &self.way {
            Way::Address(address) => Ok(address.clone()),
            Way::StateDir(dir) => {
                let address: DaemonAddress = read_daemon_file(dir)?.address.parse()?;
                if liveness::is_here(address.host()) {
                    Ok(address)
                } else {
                    Err(DiscoveryError::Elsewhere {
                        path: dir.join(DAEMON_FILE),
                        address: address.to_string(),
                    })
                }
            }
        }
    }

    /// What the daemon's file says, where the daemon is found by a file.
    ///
    /// # Errors
    /// As [`Discovery::find`].
    ///
    /// ```
    /// use clown_client::Discovery;
    /// # let dir = std::path::Path::new("/nowhere");
    /// if let Ok(Some(file)) = Discovery::in_state_dir(dir).daemon_file() {
    ///     println!("clownd {} is process {}", file.version, file.pid);
    /// }
    /// ```
    pub fn daemon_file(&self) -> Result<Option<DaemonFile>, DiscoveryError> {
        match &self.way {
            Way::Address(_) => Ok(None),
            Way::StateDir(dir) => read_daemon_file(dir).map(Some),
        }
    }
}

/// The name of the file in the state folder by which clients find the daemon.
const DAEMON_FILE: &str = "daemon.json";

/// The name of the file in the state folder that holds the daemon's token.
const TOKEN_FILE: &str = "token";

/// The file holds four short members; more than this is not one of ours.
const DAEMON_FILE_LIMIT: u64 = 64 * 1024;

fn read_daemon_file(dir: &Path) -> Result<DaemonFile, DiscoveryError> {
    use io::Read as _;

    let path = dir.join(DAEMON_FILE);
    let mut text = String::new();
    let read = std::fs::File::open(&path)
        .and_then(|file| file.take(DAEMON_FILE_LIMIT).read_to_string(&mut text));
    match read {
        Ok(_) => match serde_json::from_str(&text) {
            Ok(file) if liveness::may_run(dir, &file) => Ok(file),
            Ok(_) => Err(DiscoveryError::Ended { path }),
            Err(source) => Err(DiscoveryError::Malformed { path, source }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(DiscoveryError::NotRunning { path })
        }
        Err(source) => Err(DiscoveryError::Unreadable { path, source }),
    }
}

/// Why the daemon was not found.
///
/// ```
/// use clown_client::{DaemonAddress, DiscoveryError};
///
/// let error = "8765".parse::<DaemonAddress>().unwrap_err();
/// assert!(matches!(error, DiscoveryError::Address { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// No daemon serves from this state folder.
    #[error("no daemon is running: there is no {}", path.display())]
    NotRunning {
        /// The file that a serving daemon would have written.
        path: PathBuf,
    },
    /// The daemon that wrote the file has ended without taking it away.
    #[error("no daemon is running: the one that left {} has ended", path.display())]
    Ended {
        /// The file.
        path: PathBuf,
    },
    /// The file names an address that is not this machine's, which no daemon of this machine has.
    #[error("no daemon is running: {} names {address}, which is not on this machine", path.display())]
    Elsewhere {
        /// The file.
        path: PathBuf,
        /// What it names.
        address: String,
    },
    /// The file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there and is not what a daemon writes.
    #[error("{} is not a daemon's file; remove it if no daemon runs", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// Not an address of the form HOST:PORT.
    #[error("{text:?} is not an address of the form HOST:PORT, such as 127.0.0.1:8765")]
    Address {
        /// What was given.
        text: String,
    },
}

/// Where a daemon listens: a host name or IP address, and a port.
///
/// Parsed from `HOST:PORT`, with or without `http://` before it. A daemon that listens on every
/// interface (`0.0.0.0`, `[::]`) is reached by loopback.
///
/// ```
/// use clown_client::DaemonAddress;
///
/// let address: DaemonAddress = "http://localhost:8765/".parse()?;
/// assert_eq!((address.host(), address.port()), ("localhost", 8765));
/// assert_eq!("0.0.0.0:80".parse::<DaemonAddress>()?.to_string(), "127.0.0.1:80");
/// # Ok::<(), clown_client::DiscoveryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonAddress {
    host: String,
    port: u16,
}

impl DaemonAddress {
    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for DaemonAddress {
    type Err = DiscoveryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || DiscoveryError::Address {
            text: text.to_owned(),
        };
        let bare = text.strip_prefix("http://").unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let (host, port) = bare.rsplit_once(':').ok_or_else(refuse)?;
        let port: u16 = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(refuse)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let address = rest.strip_suffix(']').ok_or_else(refuse)?;
                address
                    .parse::<std::net::Ipv6Addr>()
                    .map_err(|_| refuse())?;
                address
            }
            None => host,
        };
        if host.is_empty() || !host.chars().all(is_host_char) {
            return Err(refuse());
        }
        // Nothing can be connected to at an unspecified address; who listens there listens on
        // loopback too.
        let host = match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) if address.is_unspecified() => "127.0.0.1",
            Ok(IpAddr::V6(address)) if address.is_unspecified() => "::1",
            Ok(IpAddr::V6(_)) if !bare.starts_with('[') => return Err(refuse()),
            _ => host,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

fn is_host_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | ':')
}

impl fmt::Display for DaemonAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expected: Option<&str>| {
            let parsed = text
                .parse::<DaemonAddress>()
                .ok()
                .map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        };
        check("127.0.0.1:8765", Some("127.0.0.1:8765"));
        check("http://127.0.0.1:8765/", Some("127.0.0.1:8765"));
        check("localhost:1", Some("localhost:1"));
        check("[::1]:8765", Some("[::1]:8765"));
        check("0.0.0.0:8765", Some("127.0.0.1:8765"));
        check("[::]:8765", Some("[::1]:8765"));
        for wrong in [
            "",
            ":",
            ":8765",
            "8765",
            "localhost",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            "::1:8765",
            "[::1:8765",
            "[localhost]:1",
            "a b:1",
            "user@host:1",
            "https://a:1",
            "host/path:1",
            "a:1/b",
            "a\r\nX: y:1",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_file_in_the_state_folder_is_read_anew_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let discovery = Discovery::in_state_dir(dir.path());
        assert!(matches!(
            discovery.find(),
            Err(DiscoveryError::NotRunning { .. })
        ));
        let announce = |address: &str| {
            let text = format!(
                r#"{{"pid":1,"address":"{address}","version":"0.1.0","started_at":"2026-01-08T10:30:00Z"}}"#
            );
            std::fs::write(dir.path().join(DAEMON_FILE), text).unwrap();
        };
        let lock = std::fs::File::create(dir.path().join("clownd.lock")).unwrap();
        lock.lock().unwrap();
        for port in [4001, 4002] {
            announce(&format!("127.0.0.1:{port}"));
            assert_eq!(discovery.find().unwrap().port(), port);
            assert_eq!(discovery.daemon_file().unwrap().unwrap().pid, 1);
        }
        for elsewhere in ["192.0.2.1:80", "example.org:80"] {
            announce(elsewhere);
            assert!(matches!(
                discovery.find(),
                Err(DiscoveryError::Elsewhere { .. })
            ));
        }
        announce("127.0.0.1:4003");
        drop(lock);
        assert!(matches!(
            discovery.find(),
            Err(DiscoveryError::Ended { .. })
        ));
        std::fs::write(dir.path().join(DAEMON_FILE), "{").unwrap();
        assert!(matches!(
            discovery.find(),
            Err(DiscoveryError::Malformed { .. })
        ));
    }

    #[test]
    fn a_folder_in_the_files_place_is_unreadable() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(DAEMON_FILE)).unwrap();
        let found = Discovery::in_state_dir(dir.path()).find();
        assert!(
            matches!(found, Err(DiscoveryError::Unreadable { .. })),
            "{found:?}"
        );
    }
}
