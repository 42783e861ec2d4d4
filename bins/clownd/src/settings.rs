//! What the daemon goes by: each setting from its flag, else its variable, else the file, else its
//! default.

use crate::config::{Config, RegistrySync, SyncConfig};
use crate::flags::Flags;
use crate::log::{LogFormat, LogSettings};
use anyhow::{Context as _, bail};
use clown_core::journal::Retention;
use clown_core::registry::RegistrySettings;
use clown_core::store::{Durability, StoreSettings};
use clown_core::usage::Rates;
use clown_fetch::{FetcherSettings, ProxySettings};
use clown_server::ServerSettings;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_LISTEN: &str = "127.0.0.1:8765";

/// Where proxies listen, from here on.
const FIRST_PROXY_PORT: u16 = 8081;

/// All settings, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config_dir: PathBuf,
    pub(crate) state_dir: PathBuf,
    /// `None` is never.
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) log: LogSettings,
    pub(crate) server: ServerSettings,
    pub(crate) store: StoreSettings,
    pub(crate) retention: Retention,
    pub(crate) network: FetcherSettings,
    /// The first port that a proxy tries; 0 is any free one.
    pub(crate) first_proxy_port: u16,
    pub(crate) registry: RegistrySettings,
    pub(crate) usage_sources: Vec<String>,
    pub(crate) usage_timezone: Option<String>,
    pub(crate) prices: BTreeMap<String, Rates>,
    /// Whether the registry is synced without being asked to.
    pub(crate) syncs: bool,
}

impl Settings {
    /// Reads `config.toml` too. `env` looks up a variable; an empty one counts as not set.
    pub(crate) fn resolve(
        flags: Flags,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> anyhow::Result<Self> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let text = |name: &str| match env(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => bail!("{name} is not UTF-8"),
        };
        let folder = |flag: Option<PathBuf>, own: &str, xdg: &str, below_home: &str| {
            let given = flag.or_else(|| env(own).map(PathBuf::from));
            if let Some(given) = given {
                return std::path::absolute(&given)
                    .with_context(|| format!("cannot use the folder {}", given.display()));
            }
            // The XDG specification says that a path that is not absolute is to be ignored.
            let base = env(xdg)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute());
            let home = || {
                let home = env("HOME")
                    .map(PathBuf::from)
                    .filter(|path| path.is_absolute());
                home.map(|home| home.join(below_home))
            };
            match base.or_else(home) {
                Some(base) => Ok(base.join("clown")),
                None => bail!("HOME is not set: say with {own} where the files are to be"),
            }
        };
        let config_dir = folder(
            flags.config_dir,
            "CLOWN_CONFIG_DIR",
            "XDG_CONFIG_HOME",
            ".config",
        )?;
        let state_dir = folder(
            flags.state_dir,
            "CLOWN_STATE_DIR",
            "XDG_STATE_HOME",
            ".local/state",
        )?;
        let log = LogSettings {
            levels: flags
                .log_level
                .or(text("CLOWN_LOG")?)
                .unwrap_or_else(|| "info".to_owned()),
            format: match flags.log_format.or(text("CLOWN_LOG_FORMAT")?).as_deref() {
                None | Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                Some(other) => bail!("the log format is {other:?}: give text or json"),
            },
            file: (env("CLOWN_BACKGROUND").is_some_and(|value| value == "1"))
                .then(|| state_dir.join("clownd.log")),
        };
        let config = Config::load(&config_dir.join("config.toml"))?;
        let listen = flags
            .listen
            .or(text("CLOWN_LISTEN")?)
            .or(config.listen.clone());
        let idle_timeout = flags
            .idle_timeout
            .or(text("CLOWN_IDLE_TIMEOUT")?)
            .or(config.idle_timeout.clone());
        Ok(Self {
            idle_timeout: parse_idle_timeout(idle_timeout.as_deref().unwrap_or("never"))?,
            server: server(
                parse_listen(listen.as_deref().unwrap_or(DEFAULT_LISTEN))?,
                &config,
            ),
            store: StoreSettings {
                durability: match config.journal.sync {
                    Some(SyncConfig::Power) => Durability::Power,
                    Some(SyncConfig::Process) | None => Durability::Process,
                },
                ..StoreSettings::default()
            },
            retention: retention(&config),
            network: FetcherSettings {
                authorities: config.network.authorities.clone(),
                proxies: ProxySettings::from_variables(|name| text(name).ok().flatten()),
            },
            first_proxy_port: config.proxy.port.unwrap_or(FIRST_PROXY_PORT),
            registry: config.registry.settings()?,
            prices: config.prices(),
            usage_sources: config.usage.sources,
            usage_timezone: config.usage.timezone,
            syncs: config.registry.sync != Some(RegistrySync::Never),
            config_dir,
            state_dir,
            log,
        })
    }
}

fn server(listen: SocketAddr, config: &Config) -> ServerSettings {
    let mut settings = ServerSettings::new(listen);
    settings.hosts.clone_from(&config.access.hosts);
    settings.origins.clone_from(&config.access.origins);
    let limits = &mut settings.limits;
    let wanted = &config.limits;
    limits.connections = wanted.connections.unwrap_or(limits.connections);
    limits.message_bytes = wanted.message_bytes.unwrap_or(limits.message_bytes);
    limits.messages_per_second = wanted
        .messages_per_second
        .unwrap_or(limits.messages_per_second);
    limits.stall = wanted.stall_secs.map_or(limits.stall, Duration::from_secs);
    limits.request_timeout = wanted
        .handshake_secs
        .map_or(limits.request_timeout, Duration::from_secs);
    settings
}

fn retention(config: &Config) -> Retention {
    const DAY: u64 = 24 * 60 * 60;
    let mut retention = Retention::default();
    let wanted = &config.journal;
    retention.keep_events = wanted.keep_events.unwrap_or(retention.keep_events);
    retention.keep_for = wanted
        .keep_days
        .map_or(retention.keep_for, |days| Duration::from_secs(days * DAY));
    retention.max_bytes = wanted.max_bytes.unwrap_or(retention.max_bytes);
    retention
}

fn parse_listen(text: &str) -> anyhow::Result<SocketAddr> {
    let text = match text.strip_prefix("localhost:") {
        Some(port) => &format!("127.0.0.1:{port}"),
        None => text,
    };
    text.parse()
        .ok()
        .with_context(|| format!("cannot listen on {text:?}: give an address and a port, such as {DEFAULT_LISTEN} or [::1]:8765"))
}

fn parse_idle_timeout(text: &str) -> anyhow::Result<Option<Duration>> {
    if text == "never" {
        return Ok(None);
    }
    match clown_events::parse_duration(text) {
        Some(timeout) if !timeout.is_zero() => Ok(Some(timeout)),
        _ => bail!("the idle timeout is {text:?}: give a time such as 15m or 1h30m, or never"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(flags: Flags, env: &[(&str, &str)], file: &str) -> anyhow::Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), file).unwrap();
        let config_dir = folder.path().to_str().unwrap().to_owned();
        Settings::resolve(flags, |name| match name {
            "CLOWN_CONFIG_DIR" => Some(config_dir.clone().into()),
            "HOME" => Some("/home/me".into()),
            _ => env
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into()),
        })
    }

    #[test]
    fn flag_before_variable_before_file_before_default() {
        let check = |flag: Option<&str>, env: &str, file: &str, port: u16| {
            let flags = Flags {
                listen: flag.map(str::to_owned),
                ..Flags::default()
            };
            let settings = resolve(flags, &[("CLOWN_LISTEN", env)], file).unwrap();
            assert_eq!(settings.server.listen.port(), port);
        };
        let file = "listen = \"127.0.0.1:3\"";
        check(Some("127.0.0.1:1"), "127.0.0.1:2", file, 1);
        check(None, "localhost:2", file, 2);
        check(None, "", file, 3);
        check(None, "", "", 8765);
    }

    #[test]
    fn folders_follow_the_environment() {
        let check = |env: &[(&str, &str)], expected: &str| {
            let settings = resolve(Flags::default(), env, "").unwrap();
            assert_eq!(settings.state_dir, PathBuf::from(expected));
        };
        check(&[], "/home/me/.local/state/clown");
        check(&[("XDG_STATE_HOME", "/x")], "/x/clown");
        check(
            &[("XDG_STATE_HOME", "relative")],
            "/home/me/.local/state/clown",
        );
        check(&[("XDG_STATE_HOME", "/x"), ("CLOWN_STATE_DIR", "/s")], "/s");
    }

    #[test]
    fn the_idle_timeout_is_a_time_or_never() {
        let check = |text: &str, expected: Option<u64>| {
            let settings = resolve(Flags::default(), &[("CLOWN_IDLE_TIMEOUT", text)], "").unwrap();
            assert_eq!(
                settings.idle_timeout,
                expected.map(Duration::from_secs),
                "{text:?}"
            );
        };
        check("never", None);
        check("", None);
        check("15m", Some(900));
        for wrong in ["0s", "15", "soon"] {
            assert!(resolve(Flags::default(), &[("CLOWN_IDLE_TIMEOUT", wrong)], "").is_err());
        }
    }

    #[test]
    fn the_file_sets_limits_access_and_retention() {
        let file = r#"
            [limits]
            connections = 9
            message_bytes = 1000
            messages_per_second = 3
            stall_secs = 7
            handshake_secs = 4
            [access]
            hosts = ["clown.internal"]
            origins = ["https://app.example"]
            [journal]
            keep_events = 11
            keep_days = 2
            max_bytes = 12
            sync = "power"
            [network]
            authorities = ["/etc/ours.pem"]
        "#;
        let settings = resolve(Flags::default(), &[], file).unwrap();
        let limits = settings.server.limits;
        assert_eq!(limits.connections, 9);
        assert_eq!(limits.message_bytes, 1_000);
        assert_eq!(limits.messages_per_second, 3);
        assert_eq!(limits.stall, Duration::from_secs(7));
        assert_eq!(limits.request_timeout, Duration::from_secs(4));
        assert_eq!(settings.server.hosts, ["clown.internal"]);
        assert_eq!(settings.server.origins, ["https://app.example"]);
        assert_eq!(settings.retention.keep_events, 11);
        assert_eq!(settings.retention.keep_for, Duration::from_secs(172_800));
        assert_eq!(settings.retention.max_bytes, 12);
        assert_eq!(settings.store.durability, Durability::Power);
        assert_eq!(
            settings.network.authorities,
            [PathBuf::from("/etc/ours.pem")]
        );
    }
}
